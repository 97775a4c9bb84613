// Values that come and go in pieces: what is kept of one on its way in, and what one step of reading gives.
#pragma once

#include <cstdint>
#include <vector>

#include "base/status.h"
#include "format/log_format.h"

namespace sealog {

// A value whose pieces are in the log, and whose PUT is not. Their segments count them as pending, so that nobody gives
// the segments back; a checkpoint records that (kHalfPending). A crash leaves pieces that nothing refers to, and they
// were never counted as live.
struct PendingValue {
  uint32_t tree;
  std::vector<uint8_t> key;
  std::vector<ValueExtent> extents;
  uint64_t bytes = 0;
};

// What the PUT is to be like.
struct ValueEnd {
  uint64_t expires = 0;      // Unix milliseconds; 0: never
  bool conditional = false;  // the entry must have `version`; 0: there must be none
  uint64_t version = 0;
};

struct PartResult {
  Status status = Status::kOk;
  uint64_t bytes = 0;        // copied
  uint64_t value_bytes = 0;  // of the whole value
  uint64_t next_bytes = 0;   // to the end of the piece that follows; kValueOutside: of this one
};

// A value that is read in place.
struct ViewResult {
  Status status = Status::kOk;
  uint64_t bytes = 0;
  uint8_t* data = nullptr;  // of a mapping that is private to views: stores there reach nobody
  uint64_t pin = 0;
  uint64_t faults = 0;  // that the mapping had had before
};

}  // namespace sealog
