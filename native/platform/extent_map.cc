#include "platform/extent_map.h"

#include <linux/fiemap.h>
#include <linux/fs.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <vector>

#include "platform/mapping.h"
#include "platform/syscall.h"

namespace sealog {
namespace {

constexpr uint32_t kExtentsPerCall = 256;
constexpr uint64_t kSmallestExtent = 512;  // bounds how many there can be

constexpr uint32_t kOtherFlags = FIEMAP_EXTENT_UNKNOWN | FIEMAP_EXTENT_DELALLOC | FIEMAP_EXTENT_ENCODED |
                                 FIEMAP_EXTENT_DATA_ENCRYPTED | FIEMAP_EXTENT_NOT_ALIGNED | FIEMAP_EXTENT_DATA_INLINE |
                                 FIEMAP_EXTENT_DATA_TAIL;

uint32_t FlagsOf(uint32_t fiemap_flags) {
  return ((fiemap_flags & FIEMAP_EXTENT_UNWRITTEN) != 0 ? kExtentUnwritten : 0u) |
         ((fiemap_flags & FIEMAP_EXTENT_SHARED) != 0 ? kExtentShared : 0u) |
         ((fiemap_flags & kOtherFlags) != 0 ? kExtentOther : 0u);
}

uint64_t HashWord(uint64_t hash, uint64_t word) {
  for (int i = 0; i < 8; ++i) hash = (hash ^ ((word >> (8 * i)) & 0xff)) * 0x100000001b3ull;
  return hash;
}

// The bytes of [first, first + length) in whole 2 MiB pieces that are aligned in the file and, if so, on the device.
uint64_t AlignedBytes(const Extent& e) {
  if (((e.logical - e.physical) & (kHugePageBytes - 1)) != 0) return 0;
  uint64_t first = (e.logical + kHugePageBytes - 1) & ~uint64_t{kHugePageBytes - 1};
  uint64_t end = (e.logical + e.length) & ~uint64_t{kHugePageBytes - 1};
  return end > first ? end - first : 0;
}

Failure Impossible() { return SystemFailure("ioctl FIEMAP", EUCLEAN, "the extent map makes no sense"); }

}  // namespace

bool ExtentMerger::Add(const Extent& extent) {
  if (extent.length == 0 || extent.logical + extent.length < extent.logical || extent.logical < end_) return false;
  end_ = extent.logical + extent.length;
  if (extent.logical >= bytes_) return true;
  Extent clipped = extent;
  clipped.length = std::min(extent.length, bytes_ - extent.logical);
  if (holding_ && held_.flags == clipped.flags && held_.logical + held_.length == clipped.logical &&
      held_.physical + held_.length == clipped.physical) {
    held_.length += clipped.length;
    return true;
  }
  Finish();
  held_ = clipped;
  holding_ = true;
  return true;
}

void ExtentMerger::Finish() {
  if (holding_) visit_(held_);
  holding_ = false;
}

void ExtentAccumulator::Add(const Extent& extent) {
  summary_.extents += 1;
  hash_ = HashWord(HashWord(HashWord(hash_, extent.logical), extent.physical), extent.length);
  summary_.hole_bytes += extent.logical - next_;
  next_ = extent.logical + extent.length;
  if ((extent.flags & kExtentUnwritten) != 0) summary_.unwritten_bytes += extent.length;
  if ((extent.flags & kExtentShared) != 0) summary_.shared_bytes += extent.length;
  if ((extent.flags & kExtentOther) != 0) summary_.other_bytes += extent.length;
  if ((extent.flags & kExtentOther) == 0) summary_.aligned_bytes += AlignedBytes(extent);
}

ExtentSummary ExtentAccumulator::Finish() {
  if (bytes_ > next_) summary_.hole_bytes += bytes_ - next_;
  next_ = std::max(next_, bytes_);
  summary_.covers = summary_.hole_bytes == 0;
  summary_.digest = hash_;
  return summary_;
}

Failure VisitExtents(const File& file, uint64_t bytes, const std::function<void(const Extent&)>& visit) {
  std::vector<uint64_t> buffer((sizeof(fiemap) + kExtentsPerCall * sizeof(fiemap_extent) + 7) / 8);
  auto* map = reinterpret_cast<fiemap*>(buffer.data());
  ExtentMerger merger(bytes, visit);
  uint64_t position = 0;
  for (uint64_t calls = bytes / kSmallestExtent + 2; position < bytes; --calls) {
    if (calls == 0) return Impossible();
    std::fill(buffer.begin(), buffer.end(), 0);
    map->fm_start = position;
    map->fm_length = bytes - position;
    map->fm_flags = FIEMAP_FLAG_SYNC;
    map->fm_extent_count = kExtentsPerCall;
    if (internal::RestartedSyscall("ioctl FIEMAP", [&] { return ioctl(file.descriptor(), FS_IOC_FIEMAP, map); }) != 0) {
      return SystemFailure("ioctl FIEMAP", errno);
    }
    if (map->fm_mapped_extents > kExtentsPerCall) return Impossible();
    bool last = map->fm_mapped_extents == 0;
    for (uint32_t i = 0; i < map->fm_mapped_extents; ++i) {
      const fiemap_extent& e = map->fm_extents[i];
      uint64_t end = e.fe_logical + e.fe_length;
      // A batch may begin with the rest of an extent that the one before it ended in: ext4 then tells it whole again.
      uint64_t skip = e.fe_logical < position && end > position ? position - e.fe_logical : 0;
      if (!merger.Add({e.fe_logical + skip, e.fe_physical + skip, e.fe_length - skip, FlagsOf(e.fe_flags)})) {
        return Impossible();
      }
      position = end;
      last = last || (e.fe_flags & FIEMAP_EXTENT_LAST) != 0;
    }
    if (last) break;
  }
  merger.Finish();
  return {};
}

Failure SummarizeExtents(const File& file, uint64_t bytes, ExtentSummary* out) {
  ExtentAccumulator accumulator(bytes);
  Failure failure = VisitExtents(file, bytes, [&](const Extent& extent) { accumulator.Add(extent); });
  if (failure.ok()) *out = accumulator.Finish();
  return failure;
}

}  // namespace sealog
