// The bytes of a store file before they hold anything: allocated and written with zeros. For creation all of them, for
// growth those behind the end.
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "base/status.h"
#include "platform/file.h"
#include "platform/file_system.h"

namespace sealog {

constexpr uint64_t kSyncEveryBytes = 64 << 20;   // bounds what is dirty, and how long an abort or the last sync waits
constexpr uint64_t kAllocationBytes = 16 << 20;  // per fallocate, where one that is interrupted is undone; and on ext4

class Extender {
 public:
  // Of [begin, end) of `file`. `progress`: [0] bytes done, [1] bytes in all, [2] set to non-zero by the caller to
  // abort; accessed atomically; may be null. `stop`: aborts as well; may be null. REQUIRES: both outlive this.
  Extender(const File& file, const FileSystem& file_system, uint64_t begin, uint64_t end, int64_t* progress,
           const std::atomic<bool>* stop)
      : file_(file), file_system_(file_system), begin_(begin), end_(end), progress_(progress), stop_(stop) {}

  // kNoSpace, kAborted, kIo. `*zeroed`: nothing need be written. The size of a file that begins elsewhere than at 0
  // changes in one step, when there is room for all: a crash leaves the old one or the new one.
  Failure Allocate(bool* zeroed);
  // Turns unwritten extents into written ones.
  Failure WriteZeros();

  Failure CheckAbort() const;

 private:
  Failure Report(uint64_t at);

  const File& file_;
  const FileSystem& file_system_;
  uint64_t begin_;
  uint64_t end_;
  int64_t* progress_;
  const std::atomic<bool>* stop_;
};

}  // namespace sealog
