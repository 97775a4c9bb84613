#include "region/extender.h"

#include <linux/falloc.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>

#include "platform/syscall.h"

namespace sealog {
namespace {

constexpr uint64_t kZerosBytes = 1 << 20;
constexpr uint64_t kSyncEveryGrownBytes = 4 << 20;  // how long a commit to the same file may wait behind zeros

}  // namespace

Failure Extender::CheckAbort() const {
  const bool asked = progress_ != nullptr && std::atomic_ref<int64_t>(progress_[2]).load() != 0;
  if (!asked && (stop_ == nullptr || !stop_->load(std::memory_order_relaxed))) return {};
  Failure failure;
  failure.status = Status::kAborted;
  failure.detail = "aborted by the caller";
  return failure;
}

Failure Extender::Report(uint64_t at) {
  if (progress_ != nullptr) {
    std::atomic_ref<int64_t>(progress_[0]).store(static_cast<int64_t>(at - begin_));
    std::atomic_ref<int64_t>(progress_[1]).store(static_cast<int64_t>(end_ - begin_));
  }
  return CheckAbort();
}

// One fallocate: contiguous if it can be, and ENOSPC now and not a SIGBUS later.
// On tmpfs that is all: its fallocate takes a page of memory for every page of the file, zeroed when first touched
// (st_blocks counts them, and FileSystem.TmpfsFallocateReallyTakesThePages stores to each on a full file system).
// Writing zeros would only touch them all, for 0.4 s per GiB; populating does that in the background.
// ext4 places a request of a power of two of blocks, up to 32 MiB, on a multiple of its size, and a larger one
// anywhere: then no huge page table entries with DAX.
Failure Extender::Allocate(bool* zeroed) {
  Failure failure = Report(begin_);
  if (!failure.ok()) return failure;
  // Known to be hopeless: tmpfs would first take all the memory there is.
  if (end_ - begin_ > file_system_.root_free_bytes) return SystemFailure("fallocate", ENOSPC);
  const bool sliced = file_system_.memory || strcmp(file_system_.name, "ext4") == 0;
  const int mode = begin_ == 0 ? 0 : FALLOC_FL_KEEP_SIZE;
  for (uint64_t at = begin_; at < end_ && failure.ok();) {
    const uint64_t slice = sliced ? std::min(kAllocationBytes, std::bit_floor(end_ - at)) : end_ - at;
    failure = file_.Fallocate(mode, at, slice);
    at += slice;
    if (failure.ok() && file_system_.memory) failure = Report(at);
  }
  *zeroed = failure.ok() && file_system_.memory;
  if (failure.status == Status::kUnsupported || (failure.ok() && mode != 0)) return file_.Truncate(end_);
  return failure;
}

// Not ZERO_RANGE, which makes unwritten extents.
Failure Extender::WriteZeros() {
  const std::vector<uint8_t> zeros(kZerosBytes);
  const uint64_t sync_every = begin_ == 0 ? kSyncEveryBytes : kSyncEveryGrownBytes;
  for (uint64_t at = begin_; at < end_;) {
    const uint64_t bytes = std::min<uint64_t>(kZerosBytes, end_ - at);
    Failure failure = file_.Pwrite(zeros.data(), bytes, at);
    at += bytes;
    if (failure.ok() && at % sync_every == 0) failure = file_.Fdatasync();
    if (failure.ok()) failure = Report(at);
    if (!failure.ok()) return failure;
  }
  return {};
}

}  // namespace sealog
