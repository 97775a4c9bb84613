// Bytes of a JavaScript value.
#pragma once

#include <node_api.h>

#include "log/record.h"

namespace sealog {

// A Uint8Array's (or Buffer's) bytes; false for anything else, a detached one included.
inline bool GetBytes(napi_env env, napi_value value, Bytes* out) {
  napi_typedarray_type type;
  size_t length = 0;
  void* data = nullptr;
  if (napi_get_typedarray_info(env, value, &type, &length, &data, nullptr, nullptr) != napi_ok) return false;
  if (type != napi_uint8_array && type != napi_uint8_clamped_array) return false;
  if (length != 0 && data == nullptr) return false;
  *out = {static_cast<const uint8_t*>(data), length};
  return true;
}

}  // namespace sealog
