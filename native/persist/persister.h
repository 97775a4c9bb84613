// Every durable write of the core goes through a Persister: copy or flush, then drain. What a drain is depends on the
// persistence domain:
//
//   pmem, memory   a fence
//   os             a fence (the log), or a fence and fdatasync (checkpoints: order on the device)
//   disk           the ranges are written through the descriptor and synced: the mapping is private, and nothing
//   reaches the
//                  file before its drain
//
// One thread at a time uses a Persister; the writer and the checkpointer have their own. Counters may be read by
// anyone, and WriteRanges runs on any thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <cstring>
#include <utility>
#include <vector>

#include "base/status.h"
#include "persist/flush.h"
#include "persist/trace.h"
#include "platform/file.h"

namespace sealog {

enum class DrainKind : uint8_t { kFence, kFenceAndSync, kWriteThrough };

struct PersistCounters {
  std::atomic<uint64_t> fences{0};  // drains
  std::atomic<uint64_t> lines{0};   // written back, or copied by non-temporal stores
  std::atomic<uint64_t> bytes{0};   // asked to be durable
  std::atomic<uint64_t> syncs{0};   // of the device: fdatasync, RWF_DSYNC
};

class Persister {
 public:
  // `base` is the start of the mapping of `file`.
  Persister(uint8_t* base, const File* file, FlushKind flush, DrainKind drain)
      : base_(base), file_(file), flush_(FlushFunctionsOf(flush)), drain_(drain) {}

  // Copies whole lines into the region. Not durable, and not ordered with other copies, before Drain.
  // REQUIRES: dst on a line inside the region, bytes a multiple of 64.
  void Copy(void* dst, const void* src, size_t bytes, Site site) {
    Count(bytes);
    if (drain_ == DrainKind::kWriteThrough) {
      memcpy(dst, src, bytes);
      Note(dst, bytes);
    } else {
      flush_.copy(dst, src, bytes);
    }
    SEALOG_TRACE_COPY(base_, dst, bytes, site);
  }

  // The same for what was stored there already: nodes.
  void Flush(const void* p, size_t bytes, Site site) {
    Count(bytes);
    if (drain_ == DrainKind::kWriteThrough) {
      Note(p, bytes);
    } else {
      flush_.flush(p, bytes);
    }
    SEALOG_TRACE_FLUSH(base_, p, bytes, site);
  }

  // All that was copied or flushed before is durable when this returns ok, and ordered before everything later. In the
  // write-through kind a failure leaves it unknown what is durable: the caller poisons the store and never retries.
  Status Drain(Site site) {
    counters_.fences.store(counters_.fences.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    flush_.drain();
    SEALOG_TRACE_DRAIN(site);
    return drain_ == DrainKind::kFence ? Status::kOk : DrainToDevice();
  }

  // Write-through only: what the next drain would write, taken over by a caller who writes it with WriteRanges, on any
  // thread, while this one goes on copying.
  struct Range {
    uint64_t offset;
    uint64_t bytes;
  };
  std::vector<Range> TakeRanges() { return std::exchange(ranges_, {}); }
  Failure WriteRanges(std::vector<Range> ranges);

  // Of the last Drain that did not answer kOk.
  const Failure& failure() const { return failure_; }
  const PersistCounters& counters() const { return counters_; }
  DrainKind drain_kind() const { return drain_; }

 private:
  void Count(size_t bytes) {
    counters_.lines.store(counters_.lines.load(std::memory_order_relaxed) + (bytes + 63) / 64,
                          std::memory_order_relaxed);
    counters_.bytes.store(counters_.bytes.load(std::memory_order_relaxed) + bytes, std::memory_order_relaxed);
  }
  void Note(const void* p, size_t bytes);
  Status DrainToDevice();

  uint8_t* base_;
  const File* file_;
  FlushFunctions flush_;
  DrainKind drain_;
  std::vector<Range> ranges_;  // write-through: what the next drain writes
  PersistCounters counters_;
  Failure failure_;
};

}  // namespace sealog
