// The calls that run once per store or now and then, with node-addon-api: options in, plain objects out.
#pragma once

#include <napi.h>

namespace sealog {

void DefineRegionCalls(Napi::Env env, Napi::Object exports);
void DefineStoreCalls(Napi::Env env, Napi::Object exports);
void DefineSalvageCalls(Napi::Env env, Napi::Object exports);
void DefineGrowthCalls(Napi::Env env, Napi::Object exports);
void DefinePinCalls(Napi::Env env, Napi::Object exports);

}  // namespace sealog
