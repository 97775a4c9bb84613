// Work on a thread of libuv's that a promise waits for: it resolves to { answer, error }, `error` being the failure's
// details or null; and `report`, where the work has one.
#pragma once

#include <napi.h>

#include <functional>
#include <string>
#include <vector>

#include "addon/async_task.h"
#include "addon/convert.h"

namespace sealog {

// What work that went well answers.
struct TaskResult {
  double answer = 0;
  std::string report;
};

class PromiseTask : public AsyncTask {
 public:
  // Runs on the other thread; what it touches of JavaScript's memory is in `keep`.
  using Work = std::function<Failure(TaskResult* result)>;

  static Napi::Value Start(Napi::Env env, const char* name, std::vector<napi_value> keep, Work work) {
    napi_deferred deferred = nullptr;
    napi_value promise = nullptr;
    if (napi_create_promise(env, &deferred, &promise) != napi_ok) return Answered(env, Status::kNoMemory);
    if (!Queue(env, name, new PromiseTask(env, deferred, keep, std::move(work))))
      return Answered(env, Status::kNoMemory);
    return Napi::Value(env, promise);
  }

  ~PromiseTask() override {
    for (napi_ref ref : keep_) napi_delete_reference(env_, ref);
  }
  void Execute() override { failure_ = work_(&result_); }
  void Complete(napi_env env) override {
    work_ = nullptr;
    napi_value result = nullptr, answer = nullptr, error = nullptr;
    if (napi_create_object(env, &result) != napi_ok ||
        napi_create_double(env, failure_.ok() ? result_.answer : Answer(failure_.status), &answer) != napi_ok ||
        napi_get_null(env, &error) != napi_ok)
      return;
    if (!failure_.ok() && !RawFailure(env, failure_, &error)) return;
    if (napi_set_named_property(env, result, "answer", answer) != napi_ok ||
        napi_set_named_property(env, result, "error", error) != napi_ok)
      return;
    if (failure_.ok() && !result_.report.empty() && !SetReport(env, result)) return;
    static_cast<void>(napi_resolve_deferred(env, deferred_, result));
  }

 private:
  PromiseTask(napi_env env, napi_deferred deferred, const std::vector<napi_value>& keep, Work work)
      : env_(env), deferred_(deferred), work_(std::move(work)) {
    for (napi_value value : keep) {
      napi_ref ref = nullptr;
      if (napi_create_reference(env, value, 1, &ref) == napi_ok) keep_.push_back(ref);
    }
  }

  bool SetReport(napi_env env, napi_value result) const {
    napi_value report = nullptr;
    return napi_create_string_utf8(env, result_.report.data(), result_.report.size(), &report) == napi_ok &&
           napi_set_named_property(env, result, "report", report) == napi_ok;
  }

  napi_env env_;
  napi_deferred deferred_;
  std::vector<napi_ref> keep_;
  Work work_;
  TaskResult result_;
  Failure failure_;
};

}  // namespace sealog
