// From JavaScript's options to ours, and from our facts to JavaScript's objects. TypeScript has checked the options;
// what is missing or of another type here becomes zero.
#pragma once

#include <napi.h>

#include <memory>
#include <string>

#include "addon/arguments.h"
#include "addon/session.h"

namespace sealog {

inline double NumberOf(const Napi::Object& o, const char* name) {
  Napi::Value v = o.Get(name);
  return v.IsNumber() ? v.As<Napi::Number>().DoubleValue() : 0;
}

// Clamped to what fits; NaN and negative numbers become 0.
inline uint64_t CountOf(const Napi::Object& o, const char* name, uint64_t max) {
  double d = NumberOf(o, name);
  if (!(d > 0)) return 0;
  return d >= static_cast<double>(max) ? max : static_cast<uint64_t>(d);
}

inline bool FlagOf(const Napi::Object& o, const char* name) {
  Napi::Value v = o.Get(name);
  return (v.IsBoolean() && v.As<Napi::Boolean>().Value()) || (v.IsNumber() && v.As<Napi::Number>().DoubleValue() != 0);
}

inline std::string TextOf(const Napi::Object& o, const char* name) {
  Napi::Value v = o.Get(name);
  return v.IsString() ? v.As<Napi::String>().Utf8Value() : std::string();
}

// By raw calls, for an environment that may be on its way out. False if it is.
inline bool RawFailure(napi_env env, const Failure& f, napi_value* out) {
  napi_value status = nullptr, number = nullptr, syscall = nullptr, offset = nullptr, detail = nullptr;
  return napi_create_object(env, out) == napi_ok &&
         napi_create_int32(env, static_cast<int32_t>(f.status), &status) == napi_ok &&
         napi_create_int32(env, f.error_number, &number) == napi_ok &&
         napi_create_string_utf8(env, f.syscall, NAPI_AUTO_LENGTH, &syscall) == napi_ok &&
         napi_create_double(env, static_cast<double>(f.offset), &offset) == napi_ok &&
         napi_create_string_utf8(env, f.detail.c_str(), f.detail.size(), &detail) == napi_ok &&
         napi_set_named_property(env, *out, "status", status) == napi_ok &&
         napi_set_named_property(env, *out, "errno", number) == napi_ok &&
         napi_set_named_property(env, *out, "syscall", syscall) == napi_ok &&
         napi_set_named_property(env, *out, "offset", offset) == napi_ok &&
         napi_set_named_property(env, *out, "detail", detail) == napi_ok;
}

inline Napi::Object ToObject(Napi::Env env, const Failure& f) {
  napi_value object = nullptr;
  RawFailure(env, f, &object);
  return Napi::Object(env, object);
}

// What a block map is now. In region_calls.cc.
Napi::Object ToObject(Napi::Env env, const SealProbe& p);

// Remembers the failure for lastError() and answers for it.
inline Napi::Value Answered(Napi::Env env, const Failure& failure) {
  if (!failure.ok()) Session::Of(env)->last = failure;
  return Napi::Number::New(env, Answer(failure.status));
}

inline Napi::Value Answered(Napi::Env env, Status status, const char* detail = "") {
  return Answered(env, Failure{status, 0, "", 0, detail});
}

// The entry that argument i names; null if it is no handle.
inline Entry* EntryOf(const Napi::CallbackInfo& info, size_t i = 0) {
  if (info.Length() <= i || !info[i].IsNumber()) return nullptr;
  return Session::Of(info.Env())->Find(info[i].As<Napi::Number>().Int32Value());
}

// The running store that argument i names; null if there is none.
inline std::shared_ptr<Store> StoreOf(const Napi::CallbackInfo& info, size_t i = 0) {
  Entry* entry = EntryOf(info, i);
  return entry == nullptr ? nullptr : entry->store;
}

// The same, for what is done before it is served: by its opener only.
inline std::shared_ptr<Store> OpeningStoreOf(const Napi::CallbackInfo& info) {
  Entry* entry = EntryOf(info);
  return entry == nullptr || entry->joined || (entry->shared && entry->shared->store()) ? nullptr : entry->store;
}

// Argument i, if it counts; UINT64_MAX for anything else, which no pin and no offset is.
inline uint64_t CountAt(const Napi::CallbackInfo& info, size_t i) {
  if (info.Length() <= i || !info[i].IsNumber()) return UINT64_MAX;
  const double d = info[i].As<Napi::Number>().DoubleValue();
  return d >= 0 && d <= 9007199254740991.0 ? static_cast<uint64_t>(d) : UINT64_MAX;
}

// Argument i, if it is a text; empty for anything else.
inline std::string TextAt(const Napi::CallbackInfo& info, size_t i) {
  return info.Length() > i && info[i].IsString() ? info[i].As<Napi::String>().Utf8Value() : std::string();
}

// The array by which long work is watched, bytes done and bytes in all, and stopped; null if it is none. Whoever
// writes to it on another thread must keep it.
inline int64_t* ProgressOf(const Napi::Value& v) {
  if (!v.IsTypedArray() || v.As<Napi::TypedArray>().TypedArrayType() != napi_bigint64_array ||
      v.As<Napi::TypedArray>().ElementLength() < 3)
    return nullptr;
  return v.As<Napi::BigInt64Array>().Data();
}

inline Napi::Object ObjectOf(const Napi::CallbackInfo& info, size_t i) {
  return info.Length() > i && info[i].IsObject() ? info[i].As<Napi::Object>() : Napi::Object::New(info.Env());
}

}  // namespace sealog
