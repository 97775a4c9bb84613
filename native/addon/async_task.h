// Work on a thread of libuv's whose end may come when the environment is being torn down: a worker that threw or was
// terminated. Then JavaScript cannot be called any more, and nobody is there to be told. node-addon-api's AsyncWorker
// aborts the process in that case, so this is raw Node-API, and every failure to tell is ignored.
#pragma once

#include <node_api.h>

namespace sealog {

class AsyncTask {
 public:
  virtual ~AsyncTask() = default;

  // On libuv's thread.
  virtual void Execute() = 0;
  // Back in JavaScript's thread, in a handle scope. Calls may fail; if one did, the rest is not to be relied on.
  virtual void Complete(napi_env env) = 0;

  // Takes the task over, and deletes it after Complete. False if it cannot be queued; the task is then gone as well.
  static bool Queue(napi_env env, const char* name, AsyncTask* task) {
    napi_value resource = nullptr;
    if (napi_create_string_utf8(env, name, NAPI_AUTO_LENGTH, &resource) != napi_ok ||
        napi_create_async_work(env, nullptr, resource, Run, End, task, &task->work_) != napi_ok) {
      delete task;
      return false;
    }
    if (napi_queue_async_work(env, task->work_) == napi_ok) return true;
    napi_delete_async_work(env, task->work_);
    delete task;
    return false;
  }

 private:
  static void Run(napi_env, void* data) { static_cast<AsyncTask*>(data)->Execute(); }
  static void End(napi_env env, napi_status, void* data) {
    auto* task = static_cast<AsyncTask*>(data);
    napi_handle_scope scope = nullptr;
    if (napi_open_handle_scope(env, &scope) == napi_ok) {
      task->Complete(env);
      napi_close_handle_scope(env, scope);
    }
    napi_delete_async_work(env, task->work_);
    delete task;
  }

  napi_async_work work_ = nullptr;
};

// A function of JavaScript's that is called with a number when a task has ended.
class TaskCallback {
 public:
  TaskCallback(napi_env env, napi_value function) : env_(env) { napi_create_reference(env, function, 1, &function_); }
  ~TaskCallback() {
    if (function_ != nullptr) napi_delete_reference(env_, function_);
  }
  TaskCallback(const TaskCallback&) = delete;
  TaskCallback& operator=(const TaskCallback&) = delete;

  void Call(napi_env env, int32_t number) const {
    napi_value function = nullptr, argument = nullptr, receiver = nullptr;
    if (napi_get_reference_value(env, function_, &function) != napi_ok || function == nullptr) return;
    if (napi_create_int32(env, number, &argument) != napi_ok || napi_get_global(env, &receiver) != napi_ok) return;
    static_cast<void>(napi_make_callback(env, nullptr, receiver, function, 1, &argument, nullptr));
  }

 private:
  napi_env env_;
  napi_ref function_ = nullptr;
};

}  // namespace sealog
