#include "region/populate.h"

#include <algorithm>

namespace sealog {

Failure Populator::Start(const Mapping& mapping, uint64_t first_offset) {
  if (mapping.mode() == MapMode::kPrivate || thread_.running()) {
    Failure failure;
    failure.status = Status::kInvalid;
    return failure;
  }
  const uint64_t bytes = mapping.mapped_bytes();
  const uint64_t first = std::min(first_offset, bytes) & ~uint64_t{kSliceBytes - 1};
  return thread_.Start("sealog-populate", [this, &mapping, bytes, first] {
    const bool all = Populate(mapping, first, bytes) && Populate(mapping, 0, first);
    complete_.store(all, std::memory_order_release);
  });
}

void Populator::Stop() {
  stop_.store(true, std::memory_order_relaxed);
  thread_.Join();
}

bool Populator::Populate(const Mapping& mapping, uint64_t begin, uint64_t end) {
  for (uint64_t at = begin; at < end;) {
    if (stop_.load(std::memory_order_relaxed)) return false;
    const uint64_t slice = std::min<uint64_t>(kSliceBytes, end - at);
    Failure failure = mapping.PopulateWrite(at, slice);
    if (!failure.ok()) {
      error_number_.store(failure.error_number, std::memory_order_relaxed);
      status_.store(failure.status, std::memory_order_release);
      return false;
    }
    at += slice;
    done_bytes_.fetch_add(slice, std::memory_order_relaxed);
  }
  return true;
}

}  // namespace sealog
