// The module: one session per environment, and the calls of docs/boundary.md.
#include <napi.h>

#include "addon/cold_calls.h"
#include "addon/convert.h"
#include "addon/hot_calls.h"
#include "addon/layout_table.h"
#include "addon/session.h"
#include "addon/value_calls.h"

namespace sealog {
namespace {

Napi::Value Layout(const Napi::CallbackInfo& info) {
  Napi::Object o = Napi::Object::New(info.Env());
  for (const LayoutNumber& n : kLayoutNumbers) o.Set(n.name, n.value);
  return o;
}

Napi::Value LastError(const Napi::CallbackInfo& info) {
  const Failure& failure = Session::Of(info.Env())->last;
  return failure.ok() ? info.Env().Null() : Napi::Value(ToObject(info.Env(), failure));
}

Napi::Object Init(Napi::Env env, Napi::Object exports) {
  // Gone with the environment: its stores are then cut off as by a kill, threads joined, locks released.
  env.SetInstanceData<Session>(new Session);
  exports.Set("layout", Napi::Function::New(env, Layout, "layout"));
  exports.Set("lastError", Napi::Function::New(env, LastError, "lastError"));
  DefineRegionCalls(env, exports);
  DefineStoreCalls(env, exports);
  DefineSalvageCalls(env, exports);
  DefineHotCalls(env, exports);
  DefineGrowthCalls(env, exports);
  DefineValueCalls(env, exports);
  DefinePinCalls(env, exports);
  return exports;
}

}  // namespace
}  // namespace sealog

static Napi::Object InitSealog(Napi::Env env, Napi::Object exports) { return sealog::Init(env, exports); }
NODE_API_MODULE(sealog, InitSealog)
