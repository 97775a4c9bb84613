#include "region/space.h"

#include <algorithm>

#include "base/crc32c.h"

namespace sealog {

Space::Space(uint8_t* base, uint32_t segment_bytes_log2, uint32_t segment_count, const uint8_t uuid[16],
             uint32_t capacity)
    : base_(base),
      shift_(segment_bytes_log2),
      store_seed_(StoreSeed(uuid)),
      capacity_(std::max(capacity, segment_count)),
      segments_(segment_count) {}

void Space::Restore(uint32_t index, const Segment& state) {
  segments_[index] = state;
  if (state.type == SegmentType::kFree) ++free_count_;
}

void Space::Grow(uint32_t segment_count) {
  free_count_ += segment_count - count();
  segments_.resize(segment_count);
}

uint32_t Space::reserve(Reserve who) const {
  // Removes need one for leaves, one for inner nodes and one for the log at worst, before any comes back.
  constexpr uint32_t kForRemoves = 3;
  // A put leaves a twentieth, 64 at most: for these, for the cleaner's copies, and for those of nodes that a checkpoint
  // has not given back yet. Of the smallest stores that would be too much.
  constexpr uint32_t kForCleaning = 2, kCleanable = 24, kMost = 64;
  const uint32_t least = kForRemoves + (count() >= kCleanable ? kForCleaning : 0);
  switch (who) {
    case Reserve::kPut:
      return std::clamp<uint32_t>(count() / 20, least, kMost);
    case Reserve::kClean:
      return kForRemoves;
    default:
      return 0;
  }
}

uint32_t Space::Allocate(SegmentType type, Reserve who) {
  if (!CanAllocate(who)) return kSegmentNone;
  for (uint32_t i = 0; i < count(); ++i) {
    uint32_t index = cursor_;
    cursor_ = cursor_ + 1 == count() ? 0 : cursor_ + 1;
    if (Adopt(index, type)) return index;
  }
  return kSegmentNone;
}

bool Space::Adopt(uint32_t index, SegmentType type) {
  Segment& s = segments_[index];
  if (s.type != SegmentType::kFree || s.retired) return false;
  s.type = type;
  s.flags = 0;
  s.live = 0;
  s.check = 0;
  s.sequence = 0;
  s.birth = epoch_;
  --free_count_;
  MarkDirty(index);
  return true;
}

void Space::Retire(uint32_t index) {
  Segment& s = segments_[index];
  s.type = SegmentType::kFree;
  s.retired = true;
  ++retired_count_;
  s.live = 0;
  s.flags = 0;
  MarkDirty(index);  // `check` stays: a snapshot may still read records here
}

void Space::Release(uint32_t index) {
  segments_[index].retired = false;
  --retired_count_;
  ++free_count_;
}

void Space::MarkDirty(uint32_t index) {
  if (segments_[index].dirty) return;
  segments_[index].dirty = true;
  dirty_.push_back(index);
}

void Space::AddLive(uint32_t index, int64_t delta) {
  segments_[index].live = static_cast<uint32_t>(segments_[index].live + delta);
  MarkDirty(index);
}

void Space::AddPending(uint32_t index, int64_t delta) {
  segments_[index].pending = static_cast<uint32_t>(segments_[index].pending + delta);
  MarkDirty(index);
}

std::vector<uint32_t> Space::TakeDirty() {
  std::vector<uint32_t> taken;
  taken.swap(dirty_);
  for (uint32_t index : taken) segments_[index].dirty = false;
  return taken;
}

}  // namespace sealog
