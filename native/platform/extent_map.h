// The block map of a file, as FIEMAP tells it, and what of it matters.
#pragma once

#include <cstdint>
#include <functional>

#include "base/status.h"
#include "platform/file.h"

namespace sealog {

// What a flag of FIEMAP means for a seal; several may hold.
enum ExtentFlags : uint32_t {
  kExtentUnwritten = 1,
  kExtentShared = 2,
  kExtentOther = 4,  // delayed, unknown, encoded, encrypted, inline, tail-packed or not aligned: no place to store to
};

struct Extent {
  uint64_t logical;
  uint64_t physical;  // bytes into the block device
  uint64_t length;
  uint32_t flags;  // ExtentFlags
};

struct ExtentSummary {
  uint64_t extents = 0;  // after merging neighbours that continue each other with equal flags
  // 64-bit FNV-1a over logical, physical, length (u64, little-endian) of each of them. So a kernel that tells one
  // extent in two pieces changes nothing, a block that moved changes it.
  uint64_t digest = 0;
  bool covers = false;  // exactly [0, bytes), no hole, no overlap
  uint64_t unwritten_bytes = 0;
  uint64_t shared_bytes = 0;
  uint64_t hole_bytes = 0;
  uint64_t other_bytes = 0;
  // In 2 MiB pieces aligned both in the file and in the block device: a partition that is itself not aligned is not
  // seen.
  uint64_t aligned_bytes = 0;
};

// Visits the extents of [0, bytes) in order, clipped to it, merged, after FIEMAP_FLAG_SYNC. kUnsupported where there is
// no FIEMAP (tmpfs); kIo with EUCLEAN if what the kernel says cannot be (no progress, out of order): the loop is
// bounded.
Failure VisitExtents(const File& file, uint64_t bytes, const std::function<void(const Extent&)>& visit);

Failure SummarizeExtents(const File& file, uint64_t bytes, ExtentSummary* out);

// Adds extents up. Separate so that a test can feed it. REQUIRES: in order, without overlap, within [0, bytes).
class ExtentAccumulator {
 public:
  explicit ExtentAccumulator(uint64_t bytes) : bytes_(bytes) {}
  void Add(const Extent& extent);  // merged ones
  ExtentSummary Finish();

 private:
  uint64_t bytes_;
  uint64_t next_ = 0;  // logical end so far
  ExtentSummary summary_;
  uint64_t hash_ = 0xcbf29ce484222325ull;
};

// Merges neighbours and clips to [0, bytes). Separate for the same reason.
class ExtentMerger {
 public:
  ExtentMerger(uint64_t bytes, const std::function<void(const Extent&)>& visit) : bytes_(bytes), visit_(visit) {}
  // False if the extent is impossible: empty, wrapping, or before the end of the one added last.
  [[nodiscard]] bool Add(const Extent& extent);
  void Finish();

 private:
  uint64_t bytes_;
  const std::function<void(const Extent&)>& visit_;
  Extent held_{};
  bool holding_ = false;
  uint64_t end_ = 0;
};

}  // namespace sealog
