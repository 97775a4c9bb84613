// The region as segments: where each one is, what it holds, how much of it is live. Kept in DRAM; a checkpoint writes
// what changed into the segment table (store/checkpoint.h).
//
// Not thread-safe: owned by the writer's lock.
#pragma once

#include <cstdint>
#include <vector>

#include "format/format.h"

namespace sealog {

struct Segment {
  SegmentType type = SegmentType::kFree;
  uint8_t flags = 0;      // of its table half: kHalfBitmapB
  uint8_t half = 0;       // which half of its table entry is current
  bool dirty = false;     // differs from that half
  bool retired = false;   // free, but a pinned state still refers to it
  uint32_t live = 0;      // LOG: bytes; LEAF, INNER: units
  uint32_t pending = 0;   // LOG: bytes of pieces that nothing refers to yet; never part of `live`
  uint32_t check = 0;     // LOG: frame seed; LEAF, INNER: checksum of the bitmap
  uint64_t sequence = 0;  // LOG: log sequence
  uint64_t birth = 0;     // epoch in which it was taken into use; 0: before open
};

// Who may take the last free segments. A put leaves a reserve to the cleaner, both leave one to removes and to the
// index, so that a full store can be cleaned and emptied, and what was committed to the log can always be applied.
enum class Reserve : uint8_t { kPut, kClean, kRemove, kIndex };

class Space {
 public:
  // `capacity`: segments that it may grow to; 0: none more.
  Space(uint8_t* base, uint32_t segment_bytes_log2, uint32_t segment_count, const uint8_t uuid[16],
        uint32_t capacity = 0);

  uint8_t* base() const { return base_; }
  uint64_t bytes() const { return uint64_t{count()} << shift_; }
  uint32_t segment_bytes() const { return 1u << shift_; }
  uint32_t count() const { return static_cast<uint32_t>(segments_.size()); }
  uint32_t capacity() const { return capacity_; }
  uint32_t store_seed() const { return store_seed_; }

  Segment& segment(uint32_t index) { return segments_[index]; }
  const Segment& segment(uint32_t index) const { return segments_[index]; }
  uint64_t SegmentOffset(uint32_t index) const { return uint64_t{index} << shift_; }
  // REQUIRES: offset < bytes().
  uint32_t SegmentOf(uint64_t offset) const { return static_cast<uint32_t>(offset >> shift_); }

  template <class T>
  T* At(uint64_t offset) const {
    return reinterpret_cast<T*>(base_ + offset);
  }

  // The segment as recorded by the current checkpoint. Called once for each segment before the first Allocate.
  void Restore(uint32_t index, const Segment& state);

  // More segments, all free, whose table entries say so in half 0. REQUIRES: count() <= segment_count <= capacity().
  void Grow(uint32_t segment_count);

  // Free segments that may be used now.
  uint32_t free_count() const { return free_count_; }
  // Those that will be free once no pinned state refers to them.
  uint32_t retired_count() const { return retired_count_; }
  // Segments taken into use from now on are born in this epoch.
  void set_epoch(uint64_t epoch) { epoch_ = epoch; }
  uint32_t reserve(Reserve who) const;
  bool CanAllocate(Reserve who, uint32_t segments = 1) const { return free_count_ >= reserve(who) + segments; }

  // kSegmentNone if `who` must not take one.
  uint32_t Allocate(SegmentType type, Reserve who);
  // Takes the named segment out of the free ones: replay finds segments that the log had taken after the checkpoint.
  // False if it is not free.
  bool Adopt(uint32_t index, SegmentType type);
  // The segment holds nothing current any more. It may be used again after Release.
  void Retire(uint32_t index);
  void Release(uint32_t index);

  void MarkDirty(uint32_t index);
  void AddLive(uint32_t index, int64_t delta);
  void AddPending(uint32_t index, int64_t delta);
  // Segments that differ from the table, each once; the caller writes them and clears `dirty`.
  std::vector<uint32_t> TakeDirty();

 private:
  uint8_t* base_;
  uint32_t shift_;
  uint32_t store_seed_;
  uint32_t capacity_;
  uint32_t free_count_ = 0;
  uint32_t retired_count_ = 0;
  uint64_t epoch_ = 0;
  uint32_t cursor_ = 0;  // next-fit
  std::vector<Segment> segments_;
  std::vector<uint32_t> dirty_;
};

}  // namespace sealog
