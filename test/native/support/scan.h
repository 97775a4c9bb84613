// The whole of a store, entry by entry, in blocks.
#pragma once

#include <string>
#include <vector>

#include "store/store.h"
#include "support/recovery_twin.h"

namespace sealog::test {

// The next block begins behind `last`, which must outlive it.
inline void GoOnBehind(const std::string& last, RangeRequest* request) {
  if (request->reverse) {
    request->range.high = BytesOf(last);
    request->range.has_high = true;
    request->range.high_inclusive = false;
  } else {
    request->range.low = BytesOf(last);
    request->range.low_exclusive = true;
  }
}

// Calls on_entry(Bytes key, Bytes value) -> std::string for each entry of a tree; what it answers, or what failed, ends
// the scan. Empty: fine.
template <class OnEntry>
std::string ScanEntries(Store& store, bool reverse, OnEntry&& on_entry, uint32_t tree = kTreeUser) {
  static std::vector<uint8_t> block(1 << 20);
  RangeRequest request;
  request.limit = 1 << 20;
  request.tree = tree;
  request.reverse = reverse;
  request.out = block.data();
  request.out_bytes = block.size();
  std::string last, wrong;
  for (bool done = false; !done && wrong.empty();) {
    const RangeResult result = store.FillRange(request);
    if (result.snapshot != 0) request.snapshot = result.snapshot;
    done = result.done;
    if (result.status != Status::kOk) {
      wrong = "scan failed: " + std::to_string(static_cast<int>(result.status)) + " at " +
              std::to_string(store.damaged_offset());
    }
    const uint8_t* at = block.data();
    for (uint32_t i = 0; i < result.entries && wrong.empty(); ++i) {
      RangeEntry entry;
      memcpy(&entry, at, sizeof entry);
      const Bytes key{at + sizeof entry, entry.key_bytes};
      last.assign(reinterpret_cast<const char*>(key.data), key.size);
      if ((entry.flags & kRangeValueOutside) != 0) {
        wrong = "a value is larger than any that was written";
      } else {
        wrong = on_entry(key, Bytes{key.data + key.size, entry.value_bytes});
      }
      at += RoundUp(sizeof entry + entry.key_bytes + entry.value_bytes, 8);
    }
    GoOnBehind(last, &request);
  }
  if (request.snapshot != 0) store.ReleaseSnapshot(request.snapshot);
  return wrong;
}

}  // namespace sealog::test
