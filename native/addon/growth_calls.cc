#include "addon/async_task.h"
#include "addon/cold_calls.h"
#include "addon/convert.h"
#include "store/store.h"

namespace sealog {
namespace {

Store* StoreOf(const Napi::CallbackInfo& info) {
  Entry* entry = EntryOf(info);
  return entry == nullptr ? nullptr : entry->store.get();
}

Napi::Value SettleStore(const Napi::CallbackInfo& info) {
  Store* store = StoreOf(info);
  if (store == nullptr) return Answered(info.Env(), Status::kClosed);
  if (info.Length() < 2 || !info[1].IsNumber()) return Answered(info.Env(), Status::kInvalid);
  return Answered(info.Env(), store->Settle(info[1].As<Napi::Number>().Uint32Value()));
}

Napi::Value SetGrowth(const Napi::CallbackInfo& info) {
  Store* store = StoreOf(info);
  if (store == nullptr) return Answered(info.Env(), Status::kClosed);
  Napi::Object o = ObjectOf(info, 1);
  GrowthOptions options;
  options.step_bytes = CountOf(o, "stepBytes", kRegionBytesMax);
  options.max_bytes = CountOf(o, "maxBytes", kRegionBytesMax);
  options.seal_sequence = CountOf(o, "sealSequence", uint64_t{1} << 53);
  store->SetGrowth(options);
  return Napi::Number::New(info.Env(), 0);
}

// The store is kept until the task is over, whatever JavaScript does meanwhile.
class GrowTask : public AsyncTask {
 public:
  // `progress` is kept: it is written to meanwhile.
  GrowTask(napi_env env, napi_deferred deferred, std::shared_ptr<Store> store, uint64_t capacity_bytes,
           napi_value progress, int64_t* numbers)
      : env_(env), deferred_(deferred), store_(std::move(store)), capacity_bytes_(capacity_bytes), progress_(numbers) {
    napi_create_reference(env, progress, 1, &keep_);
  }
  ~GrowTask() override {
    if (keep_ != nullptr) napi_delete_reference(env_, keep_);
  }
  void Execute() override { failure_ = store_->Grow(capacity_bytes_, progress_); }
  void Complete(napi_env env) override {
    napi_value result = nullptr, answer = nullptr, error = nullptr;
    if (napi_create_object(env, &result) != napi_ok ||
        napi_create_int32(env, Answer(failure_.status), &answer) != napi_ok || napi_get_null(env, &error) != napi_ok) {
      return;
    }
    if (!failure_.ok() && !RawFailure(env, failure_, &error)) return;
    if (napi_set_named_property(env, result, "answer", answer) != napi_ok ||
        napi_set_named_property(env, result, "error", error) != napi_ok) {
      return;
    }
    static_cast<void>(napi_resolve_deferred(env, deferred_, result));
  }

 private:
  napi_env env_;
  napi_deferred deferred_;
  napi_ref keep_ = nullptr;
  std::shared_ptr<Store> store_;
  uint64_t capacity_bytes_;
  int64_t* progress_;
  Failure failure_;
};

Napi::Value GrowStore(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  Entry* entry = EntryOf(info);
  if (entry == nullptr || !entry->store) return Answered(env, Status::kClosed);
  if (info.Length() < 3 || !info[1].IsNumber() || !info[2].IsTypedArray() ||
      info[2].As<Napi::TypedArray>().TypedArrayType() != napi_bigint64_array ||
      info[2].As<Napi::TypedArray>().ElementLength() < 3) {
    return Answered(env, Status::kInvalid);
  }
  const double bytes = info[1].As<Napi::Number>().DoubleValue();
  if (!(bytes >= 1) || bytes > 9007199254740991.0) return Answered(env, Status::kInvalid);
  napi_deferred deferred = nullptr;
  napi_value promise = nullptr;
  if (napi_create_promise(env, &deferred, &promise) != napi_ok) return Answered(env, Status::kNoMemory);
  auto* task = new GrowTask(env, deferred, entry->store, static_cast<uint64_t>(bytes), info[2],
                            info[2].As<Napi::BigInt64Array>().Data());
  if (!AsyncTask::Queue(env, "sealog:grow", task)) return Answered(env, Status::kNoMemory);
  return Napi::Value(env, promise);
}

Napi::Value Growth(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  Store* store = StoreOf(info);
  if (store == nullptr) return Answered(env, Status::kClosed);
  GrowthReport report;
  store->Growth(&report);
  Napi::Object o = Napi::Object::New(env);
  o.Set("bytes", static_cast<double>(report.bytes));
  o.Set("bytesMax", static_cast<double>(report.bytes_max));
  o.Set("count", static_cast<double>(report.count));
  o.Set("running", report.running);
  o.Set("seal", report.count == 0 ? env.Null() : Napi::Value(ToObject(env, report.seal)));
  o.Set("failure", report.failure.ok() ? env.Null() : Napi::Value(ToObject(env, report.failure)));
  return o;
}

}  // namespace

void DefineGrowthCalls(Napi::Env env, Napi::Object exports) {
  exports.Set("settleStore", Napi::Function::New(env, SettleStore, "settleStore"));
  exports.Set("setGrowth", Napi::Function::New(env, SetGrowth, "setGrowth"));
  exports.Set("growStore", Napi::Function::New(env, GrowStore, "growStore"));
  exports.Set("growth", Napi::Function::New(env, Growth, "growth"));
}

}  // namespace sealog
