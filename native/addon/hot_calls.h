// The calls that run per operation, in raw Node-API: numbers, strings and agreed buffers in, one number out.
#pragma once

#include <node_api.h>

namespace sealog {

napi_status DefineHotCalls(napi_env env, napi_value exports);

}  // namespace sealog
