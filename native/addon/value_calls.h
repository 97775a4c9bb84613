// The calls for values that come and go in pieces, and for those that are read in place.
#pragma once

#include <node_api.h>

namespace sealog {

napi_status DefineValueCalls(napi_env env, napi_value exports);

}  // namespace sealog
