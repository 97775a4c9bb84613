// What reads are asked for, and what they answer.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/status.h"
#include "index/index.h"
#include "log/record.h"

namespace sealog {

// Where a range stands between two fills.
struct RangeRequest {
  uint64_t snapshot = 0;  // 0: the newest state
  KeyRange range;
  uint32_t tree = kTreeUser;
  bool reverse = false;
  bool no_values = false;
  uint32_t limit = 0;
  uint64_t skip = 0;  // so many entries first
  uint8_t* out = nullptr;
  size_t out_bytes = 0;
};
struct RangeResult {
  Status status = Status::kOk;
  uint32_t entries = 0;
  bool done = true;
  size_t bytes = 0;       // of `out` used
  uint64_t snapshot = 0;  // to go on with; 0 when done
  size_t needed = 0;      // kValueOutside: for the first entry
};

// A value found. `version` is the LSN of the commit that wrote it.
struct GetResult {
  Status status = Status::kOk;
  uint64_t bytes = 0;
  uint64_t version = 0;
  uint64_t expires = 0;  // Unix milliseconds; 0: never
};

// Several keys at once.
struct GetManyRequest {
  uint64_t snapshot = 0;  // 0: the newest state
  uint32_t tree = kTreeUser;
  const Bytes* keys = nullptr;
  uint32_t count = 0;
  uint8_t* out = nullptr;
  size_t out_bytes = 0;
};
struct GetManyResult {
  Status status = Status::kOk;
  uint32_t done = 0;    // keys answered; the value of the next one does not fit what is left of `out`
  uint64_t needed = 0;  // its length, if not even the first one fitted
};

// Entries of a range as they are handed out, each padded to 8 bytes.
struct RangeEntry {
  uint16_t key_bytes;
  uint16_t flags;  // kRangeValueOutside
  uint32_t value_bytes;
  double version;
};
static_assert(sizeof(RangeEntry) == 16);
inline constexpr uint16_t kRangeValueOutside = 1;

}  // namespace sealog
