// Prefaulting in the background: after it, no put takes a page fault, until the pages are write-protected again, which
// costs one minor fault per 2 MiB: by the kernel's periodic write-back (after 30 s), or someone's syncfs. Only for
// mappings whose stores reach the file: pmem and memory.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "base/status.h"
#include "platform/mapping.h"
#include "platform/thread.h"

namespace sealog {

class Populator {
 public:
  static constexpr size_t kSliceBytes = kHugePageBytes;

  Populator() = default;
  ~Populator() { Stop(); }
  Populator(const Populator&) = delete;
  Populator& operator=(const Populator&) = delete;

  // From `first_offset` (the log's head: it is needed first) to the end, then the rest. REQUIRES: `mapping` outlives
  // this or Stop(); not started before; not a kPrivate mapping, whose pages would all be copied.
  Failure Start(const Mapping& mapping, uint64_t first_offset);

  // Returns within one slice. Idempotent.
  void Stop();

  uint64_t done_bytes() const { return done_bytes_.load(std::memory_order_relaxed); }
  bool complete() const { return complete_.load(std::memory_order_acquire); }
  // What stopped it, if anything did: kUnsupported (old kernel), kMedia (truncated, bad memory), kNoMemory. Never
  // fatal: the pages left out fault when they are stored to.
  Status status() const { return status_.load(std::memory_order_acquire); }
  int error_number() const { return error_number_.load(std::memory_order_relaxed); }

 private:
  bool Populate(const Mapping& mapping, uint64_t begin, uint64_t end);

  Thread thread_;
  std::atomic<bool> stop_{false};
  std::atomic<bool> complete_{false};
  std::atomic<uint64_t> done_bytes_{0};
  std::atomic<Status> status_{Status::kOk};
  std::atomic<int> error_number_{0};
};

}  // namespace sealog
