// A line of the list of times.
#pragma once

#include <cstdint>

#include "index/leaf.h"

namespace sealog {

// A key of kTreeExpiry: time, tree, key.
struct ExpiryLine {
  uint64_t unix_ms;
  uint32_t tree;
  Bytes key;
};
// False for what is no such key.
inline bool ParseExpiryLine(Bytes line, ExpiryLine* out) {
  if (line.size <= kExpiryHeadBytes) return false;
  *out = {KeyHead(line), line.data[kExpiryHeadBytes - 1], {line.data + kExpiryHeadBytes, line.size - kExpiryHeadBytes}};
  return out->tree < kTreeExpiry;
}

}  // namespace sealog
