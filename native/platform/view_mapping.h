// A second mapping of a file, private and writable, for readers outside of any guard. What they store reaches neither
// the file nor another mapping; where the file cannot be read they get zeros, and the fault is counted.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/status.h"
#include "platform/file.h"
#include "platform/guard.h"
#include "platform/mapping.h"

namespace sealog {

class ViewMapping {
 public:
  ViewMapping() = default;
  ~ViewMapping() { Forgive(nullptr, 0, &forgiven_); }
  ViewMapping(const ViewMapping&) = delete;
  ViewMapping& operator=(const ViewMapping&) = delete;

  // The first `bytes` of the file. Once.
  Failure Map(const File& file, size_t bytes);

  // For a forked child: zeros from now on.
  void Abandon() { mapping_.Abandon(true); }

  uint8_t* base() const { return mapping_.base(); }
  size_t bytes() const { return mapping_.mapped_bytes(); }
  GuardScope scope() const { return {mapping_.base(), mapping_.mapped_bytes()}; }
  // Faults outside of guards since it was made. From the first one on it shows zeros in places.
  uint64_t faults() const { return forgiven_ == nullptr ? 0 : forgiven_->faults.load(std::memory_order_acquire); }
  // Forgets what was stored to the pages of [offset, offset + bytes).
  Failure Drop(uint64_t offset, uint64_t bytes) const;

 private:
  Mapping mapping_;
  Forgiven* forgiven_ = nullptr;
};

}  // namespace sealog
