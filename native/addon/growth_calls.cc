#include "addon/cold_calls.h"
#include "addon/convert.h"
#include "addon/promise_task.h"
#include "store/store.h"

namespace sealog {
namespace {

Napi::Value SettleStore(const Napi::CallbackInfo& info) {
  auto store = OpeningStoreOf(info);
  if (!store) return Answered(info.Env(), Status::kClosed);
  if (info.Length() < 2 || !info[1].IsNumber()) return Answered(info.Env(), Status::kInvalid);
  return Answered(info.Env(), store->Settle(info[1].As<Napi::Number>().Uint32Value()));
}

Napi::Value SetGrowth(const Napi::CallbackInfo& info) {
  auto store = OpeningStoreOf(info);
  if (!store) return Answered(info.Env(), Status::kClosed);
  Napi::Object o = ObjectOf(info, 1);
  GrowthOptions options;
  options.step_bytes = CountOf(o, "stepBytes", kRegionBytesMax);
  options.max_bytes = CountOf(o, "maxBytes", kRegionBytesMax);
  options.seal_sequence = CountOf(o, "sealSequence", uint64_t{1} << 53);
  store->SetGrowth(options);
  return Napi::Number::New(info.Env(), 0);
}

// The store is kept until it has grown, whatever JavaScript does meanwhile.
Napi::Value GrowStore(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  auto store = StoreOf(info);
  if (!store) return Answered(env, Status::kClosed);
  if (EntryOf(info)->read_only) return Answered(env, Status::kReadOnly);
  const uint64_t bytes = CountAt(info, 1);
  int64_t* progress = info.Length() < 3 ? nullptr : ProgressOf(info[2]);
  if (bytes == 0 || bytes == UINT64_MAX || progress == nullptr) return Answered(env, Status::kInvalid);
  return PromiseTask::Start(env, "sealog:grow", {info[2]},
                            [store, bytes, progress](TaskResult*) { return store->Grow(bytes, progress); });
}

Napi::Value Growth(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  auto store = StoreOf(info);
  if (!store) return Answered(env, Status::kClosed);
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
