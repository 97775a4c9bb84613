// Where nodes live: allocation in LEAF and INNER segments, first-use verification, and the list of what a checkpoint
// has to write. One pool serves all trees of a store.
//
// For every unit three bits in DRAM: busy (must not be allocated), live (part of the newest state; this is what a
// checkpoint writes as the segment's bitmap) and dirty (made since the last freeze). A retired unit is busy but not
// live.
//
// Not thread-safe, except Load and LevelOf, beside each other and on a frozen tree beside the writer: owned by the
// writer's lock.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/status.h"
#include "format/node_format.h"
#include "platform/zeroed_memory.h"
#include "region/pins.h"
#include "region/space.h"

namespace sealog {

struct PoolStats {
  uint64_t leaves = 0;  // live
  uint64_t inners = 0;
  uint64_t made = 0;    // nodes allocated since open
  uint64_t copied = 0;  // of these, copies of an older epoch's
};

// Fills in the checksum of a node that will not change any more.
void SealNode(NodeHeader* node, uint64_t unit, uint32_t store_seed);

class NodePool {
 public:
  NodePool(Space* space, uint64_t stamp_seed);
  NodePool(const NodePool&) = delete;
  NodePool& operator=(const NodePool&) = delete;

  // False: there was no memory for the bits of all nodes. Then nothing else may be called.
  bool ready() const { return verified_ != nullptr; }

  // The space has grown, or is about to: Grow under the lock, PrepareGrowth before, without it.
  void PrepareGrowth(uint32_t segment_count);
  void Grow();

  Pins& pins() { return pins_; }
  uint64_t epoch() const { return epoch_.load(std::memory_order_relaxed); }
  void set_epoch(uint64_t epoch) {
    epoch_.store(epoch, std::memory_order_relaxed);
    space_->set_epoch(epoch);
  }

  // The node that `ref` names, which must be at this level. The first time since open that a node is met its checksum,
  // its stamp and every bound in it are checked; null if they do not hold (failure_offset() then says where).
  const NodeHeader* Load(uint64_t ref, uint8_t level) {
    uint64_t unit = NodeRefIndex(ref);
    if (unit >= units_) return Fail(ref);
    auto* node = space_->At<const NodeHeader>(unit * kLeafBytes);
    if ((verified_[unit >> 3].load(std::memory_order_relaxed) & (1u << (unit & 7))) == 0) [[unlikely]] {
      if (!Verify(ref)) return Fail(ref);
    }
    return node->level == level ? node : Fail(ref);
  }
  // Of several threads that fail at once: the last one's.
  uint64_t failure_offset() const { return failure_offset_.load(std::memory_order_relaxed); }
  // The level of a root; 0xff, which Load refuses, if it does not hold (failure_offset() then says where).
  uint8_t LevelOf(uint64_t ref) {
    uint64_t unit = NodeRefIndex(ref);
    if (unit >= units_ ||
        ((verified_[unit >> 3].load(std::memory_order_relaxed) & (1u << (unit & 7))) == 0 && !Verify(ref))) {
      Fail(ref);
      return 0xff;
    }
    return space_->At<const NodeHeader>(unit * kLeafBytes)->level;
  }

  // True if the node may be changed in place.
  bool Young(const NodeHeader* node) const { return BirthEpoch(node->birth) == epoch(); }

  // Makes sure that `leaves` and `inners` allocations will succeed. False: the store is full for `who`.
  bool Ensure(uint32_t leaves, uint32_t inners, Reserve who);
  // A new, empty node of the current epoch. REQUIRES: ensured.
  uint64_t Make(uint8_t level);
  // A copy of `node` in the current epoch; the old one is retired.
  uint64_t Copy(uint64_t ref, const NodeHeader* node);
  // The node is no longer part of the newest state.
  void Retire(uint64_t ref, const NodeHeader* node);
  template <class Node>
  Node* Mutable(uint64_t ref) const {
    return space_->At<Node>(NodeRefIndex(ref) * kLeafBytes);
  }

  // Retiring a log segment goes by the same pins. `floor` is the epoch of the oldest checkpoint that is kept: its
  // replay needs segments that are younger than it, too.
  void RetireSegment(uint32_t segment, uint64_t floor);

  // What a checkpoint writes: the live nodes made since the last freeze, and the bitmaps of segments that changed.
  struct FrozenBitmap {
    uint32_t segment;
    uint8_t flags;  // kHalfBitmapB: which of the two places
    uint8_t bits[kBitmapBytes];
  };
  struct Frozen {
    std::vector<uint64_t> nodes;  // offsets, ascending; bit 0 set: an inner node
    std::vector<FrozenBitmap> bitmaps;
  };
  void Freeze(Frozen* out);
  // The bitmap of a node segment as of the last freeze. REQUIRES: nothing changed since. Reads the region.
  void CopyBitmap(uint32_t segment, uint8_t out[kBitmapBytes]) const;

  // True if nothing in the page of 4 KiB at `offset` was made since the last freeze: what it shows is on media.
  bool PageIsClean(uint64_t offset) const;

  // Takes over a LEAF or INNER segment from the checkpoint; its bitmap is read when it is first needed.
  void Restore(uint32_t segment);
  // Those of all segments, now rather than when they are needed. May fault.
  void LoadBitmaps();

  const PoolStats& stats() const { return stats_; }

 private:
  struct Units {  // of one segment
    bool loaded = false;
    bool damaged = false;  // its bitmap did not hold
    bool changed = false;  // live differs from the bitmap on media
    bool has_dirty = false;
    uint32_t free = 0;  // units not busy
    uint64_t busy[kBitmapBytes / 8];
    uint64_t live[kBitmapBytes / 8];
    uint64_t dirty[kBitmapBytes / 8];
  };
  struct Kind {  // leaves or inner nodes
    SegmentType type;
    uint32_t unit_bytes;
    uint32_t per_segment;  // units, first page included
    uint32_t reserved;     // units of the first page
    uint32_t current = kSegmentNone;
    uint32_t cursor = 0;             // word in the current segment's bitmap
    uint64_t free = 0;               // in loaded segments of this kind
    std::vector<uint32_t> partial;   // segments that may have free units, besides the current one
    std::vector<uint32_t> unloaded;  // from the checkpoint, bitmap not yet read
  };

  const NodeHeader* Fail(uint64_t ref);
  bool Verify(uint64_t ref);
  Kind& KindOf(uint8_t level) { return kinds_[level == 0 ? 0 : 1]; }
  Kind& KindOfSegment(uint32_t segment) { return kinds_[space_->segment(segment).type == SegmentType::kLeaf ? 0 : 1]; }
  bool LoadBitmap(uint32_t segment);
  bool BitmapHolds(const Kind& kind, uint32_t segment, const uint64_t* live) const;
  void AddSegment(Kind& kind, uint32_t segment);
  uint64_t Take(Kind& kind);
  static void Reclaim(void* self, uint64_t id);
  void FreeUnit(uint64_t unit);
  void SetVerified(uint64_t unit) { verified_[unit >> 3].fetch_or(1u << (unit & 7), std::memory_order_relaxed); }
  uint32_t NextStamp();
  size_t VerifiedBytes(uint32_t segment_count) const;
  void TouchVerified(size_t begin, size_t end);

  Space* space_;
  Pins pins_;
  std::atomic<uint64_t> epoch_{1};
  uint64_t units_;  // of 512 bytes in the region
  uint64_t stamp_state_;
  std::atomic<uint64_t> failure_offset_{0};
  Kind kinds_[2];
  std::vector<std::unique_ptr<Units>> segments_;  // by segment index; null unless LEAF or INNER
  ZeroedMemory verified_memory_;
  std::atomic<uint8_t>* verified_ = nullptr;  // a bit per unit that there may ever be; in the memory above
  PoolStats stats_;
};

}  // namespace sealog
