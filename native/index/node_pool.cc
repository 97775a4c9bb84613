#include "index/node_pool.h"

#include <algorithm>
#include <cstring>

#include "base/crc32c.h"
#include "index/inner.h"
#include "index/leaf.h"

namespace sealog {
namespace {

constexpr uint64_t kSegmentThing = 1ull << 63;  // in Pins: a segment, not a unit
constexpr uint32_t kUnitShift = 9;
constexpr size_t kVerifiedTouchedBytes = size_t{4} << 20;
constexpr size_t kTouchBytes = 4096;

bool TestBit(const uint64_t* bits, uint32_t i) { return (bits[i >> 6] >> (i & 63)) & 1; }
void SetBit(uint64_t* bits, uint32_t i) { bits[i >> 6] |= 1ull << (i & 63); }
void ClearBit(uint64_t* bits, uint32_t i) { bits[i >> 6] &= ~(1ull << (i & 63)); }

uint32_t NodeCrc(const NodeHeader* node, uint64_t unit, uint32_t store_seed) {
  uint32_t bytes = node->level == 0 ? kLeafBytes : kInnerBytes;
  return Crc32c(store_seed ^ static_cast<uint32_t>(unit), reinterpret_cast<const uint8_t*>(node) + 4, bytes - 4);
}

}  // namespace

void SealNode(NodeHeader* node, uint64_t unit, uint32_t store_seed) { node->crc = NodeCrc(node, unit, store_seed); }

NodePool::NodePool(Space* space, uint64_t stamp_seed)
    : space_(space), pins_(Reclaim, this), units_(space->bytes() / kLeafBytes), stamp_state_(stamp_seed) {
  for (int i = 0; i < 2; ++i) {
    kinds_[i].type = i == 0 ? SegmentType::kLeaf : SegmentType::kInner;
    kinds_[i].unit_bytes = i == 0 ? kLeafBytes : kInnerBytes;
    kinds_[i].per_segment = space->segment_bytes() / kinds_[i].unit_bytes;
    kinds_[i].reserved = kNodeFirstByte / kinds_[i].unit_bytes;
  }
  segments_.resize(space->count());
  if (!verified_memory_.Allocate(VerifiedBytes(space->capacity()))) return;
  verified_ = reinterpret_cast<std::atomic<uint8_t>*>(verified_memory_.data());
  TouchVerified(0, VerifiedBytes(space->count()));
}

size_t NodePool::VerifiedBytes(uint32_t segment_count) const {
  return size_t{segment_count} * (space_->segment_bytes() >> kUnitShift) / 8;
}

// Up to 16 GiB of region they are touched before they are used, so that no put takes a page fault for them.
void NodePool::TouchVerified(size_t begin, size_t end) {
  for (size_t at = begin; end <= kVerifiedTouchedBytes && at < end; at += kTouchBytes) verified_[at].store(0);
}

void NodePool::PrepareGrowth(uint32_t segment_count) {
  // From the next page on: the bits of this one are in use.
  TouchVerified(RoundUp(units_ / 8, kTouchBytes), VerifiedBytes(segment_count));
}

void NodePool::Grow() {
  segments_.resize(space_->count());
  units_ = space_->bytes() / kLeafBytes;
}

const NodeHeader* NodePool::Fail(uint64_t ref) {
  failure_offset_.store(NodeRefIndex(ref) * kLeafBytes, std::memory_order_relaxed);
  return nullptr;
}

bool NodePool::Verify(uint64_t ref) {
  uint64_t unit = NodeRefIndex(ref);
  uint64_t offset = unit << kUnitShift;
  SegmentType type = space_->segment(space_->SegmentOf(offset)).type;
  uint64_t in_segment = offset & (space_->segment_bytes() - 1);
  auto* node = space_->At<const NodeHeader>(offset);
  if (in_segment < kNodeFirstByte) return false;
  if (type == SegmentType::kInner ? (in_segment % kInnerBytes != 0 || node->level == 0)
                                  : (type != SegmentType::kLeaf || node->level != 0)) {
    return false;
  }
  if (BirthStamp(node->birth) != NodeRefStamp(ref) || node->crc != NodeCrc(node, unit, space_->store_seed()))
    return false;
  // Nothing that is read from the file was born in this epoch, or it would be changed in place.
  if (BirthEpoch(node->birth) >= epoch()) return false;
  // What is free may be overwritten at any time. Until the bitmap is read, BitmapHolds looks from the other side.
  if (const Units* u = segments_[space_->SegmentOf(offset)].get();
      u != nullptr && u->loaded &&
      !TestBit(u->busy, static_cast<uint32_t>(in_segment / KindOf(node->level).unit_bytes))) {
    return false;
  }
  if (node->level == 0 ? !CheckLeaf(*reinterpret_cast<const LeafNode*>(node))
                       : !CheckInner(*reinterpret_cast<const InnerNode*>(node))) {
    return false;
  }
  SetVerified(unit);
  return true;
}

// splitmix64 (Steele et al., 2014); 24 bits of it, so that a node left over from an earlier use of the place is not
// taken for the one that a reference means.
uint32_t NodePool::NextStamp() {
  uint64_t z = (stamp_state_ += 0x9e3779b97f4a7c15ull);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
  return static_cast<uint32_t>(z >> 40);
}

void NodePool::Restore(uint32_t segment) {
  Kind& kind = KindOfSegment(segment);
  segments_[segment] = std::make_unique<Units>();
  kind.unloaded.push_back(segment);
  (kind.type == SegmentType::kLeaf ? stats_.leaves : stats_.inners) += space_->segment(segment).live;
}

// Whether units that are no nodes are set, and those that were met in a tree: the others will be overwritten.
bool NodePool::BitmapHolds(const Kind& kind, uint32_t segment, const uint64_t* live) const {
  const uint64_t first = space_->SegmentOffset(segment) >> kUnitShift;
  const uint32_t step = kind.unit_bytes >> kUnitShift;
  for (uint32_t i = 0; i < kBitmapBytes * 8; ++i) {
    if (TestBit(live, i)) continue;
    if (i < kind.reserved || i >= kind.per_segment) return false;
    const uint64_t unit = first + uint64_t{i} * step;
    if ((verified_[unit >> 3].load(std::memory_order_relaxed) & (1u << (unit & 7))) != 0) return false;
  }
  return true;
}

// A bitmap that does not hold is no loss of data: its segment is left alone, nothing is allocated there again.
bool NodePool::LoadBitmap(uint32_t segment) {
  if (segments_[segment] == nullptr) return false;
  Units& u = *segments_[segment];
  if (u.loaded) return !u.damaged;
  Kind& kind = KindOfSegment(segment);
  const Segment& s = space_->segment(segment);
  const uint8_t* media =
      space_->At<const uint8_t>(space_->SegmentOffset(segment) + kBitmapOffset[s.flags & kHalfBitmapB]);
  memcpy(u.live, media, kBitmapBytes);
  u.loaded = true;  // not before: a SIGBUS may have ended it
  memset(u.dirty, 0, sizeof u.dirty);
  uint32_t used = 0;
  for (uint32_t i = kind.reserved; i < kind.per_segment; ++i) used += TestBit(u.live, i);
  if (Crc32c(space_->store_seed() ^ segment, u.live, kBitmapBytes) != s.check || used != s.live ||
      !BitmapHolds(kind, segment, u.live)) {
    memset(u.busy, 0xff, sizeof u.busy);
    memset(u.live, 0xff, sizeof u.live);
    u.free = 0;
    u.damaged = true;
    return false;
  }
  memcpy(u.busy, u.live, sizeof u.busy);
  u.free = kind.per_segment - kind.reserved - used;
  kind.free += u.free;
  if (u.free != 0) kind.partial.push_back(segment);
  return true;
}

void NodePool::AddSegment(Kind& kind, uint32_t segment) {
  auto units = std::make_unique<Units>();
  units->loaded = true;
  units->changed = true;
  memset(units->busy, 0, sizeof units->busy);
  memset(units->dirty, 0, sizeof units->dirty);
  for (uint32_t i = 0; i < kind.reserved; ++i) SetBit(units->busy, i);
  for (uint32_t i = kind.per_segment; i < kBitmapBytes * 8; ++i) SetBit(units->busy, i);
  memcpy(units->live, units->busy, sizeof units->live);
  units->free = kind.per_segment - kind.reserved;
  kind.free += units->free;
  kind.partial.push_back(segment);
  segments_[segment] = std::move(units);
}

bool NodePool::Ensure(uint32_t leaves, uint32_t inners, Reserve who) {
  const uint64_t wanted[2] = {leaves, inners};
  for (int i = 0; i < 2; ++i) {
    Kind& kind = kinds_[i];
    while (kind.free < wanted[i]) [[unlikely]] {
        if (!kind.unloaded.empty()) {
          uint32_t segment = kind.unloaded.back();
          kind.unloaded.pop_back();
          LoadBitmap(segment);
          continue;
        }
        uint32_t segment = space_->Allocate(kind.type, who);
        if (segment == kSegmentNone) return false;
        AddSegment(kind, segment);
      }
  }
  return true;
}

uint64_t NodePool::Take(Kind& kind) {
  for (;;) {
    if (kind.current != kSegmentNone) {
      Units& u = *segments_[kind.current];
      for (uint32_t words = (kind.per_segment + 63) / 64; kind.cursor < words; ++kind.cursor) {
        uint64_t word = ~u.busy[kind.cursor];
        if (word == 0) continue;
        uint32_t i = kind.cursor * 64 + static_cast<uint32_t>(__builtin_ctzll(word));
        SetBit(u.busy, i);
        SetBit(u.live, i);
        SetBit(u.dirty, i);
        u.changed = u.has_dirty = true;
        --u.free;
        --kind.free;
        space_->AddLive(kind.current, 1);
        return (space_->SegmentOffset(kind.current) + uint64_t{i} * kind.unit_bytes) >> kUnitShift;
      }
      // Units that were freed behind the cursor meanwhile are found on the next visit.
      if (u.free != 0) kind.partial.insert(kind.partial.begin(), kind.current);
    }
    kind.current = kind.partial.back();  // Ensure has seen to it that there is one
    kind.partial.pop_back();
    kind.cursor = 0;
  }
}

uint64_t NodePool::Make(uint8_t level) {
  uint64_t unit = Take(KindOf(level));
  auto* node = space_->At<NodeHeader>(unit << kUnitShift);
  memset(node, 0, level == 0 ? kLeafBytes : kInnerBytes);
  uint32_t stamp = NextStamp();
  node->level = level;
  node->birth = MakeBirth(epoch(), stamp);
  SetVerified(unit);
  ++stats_.made;
  ++(level == 0 ? stats_.leaves : stats_.inners);
  return MakeNodeRef(unit, stamp);
}

uint64_t NodePool::Copy(uint64_t ref, const NodeHeader* from) {
  uint64_t unit = Take(KindOf(from->level));
  auto* node = space_->At<NodeHeader>(unit << kUnitShift);
  // All but the checksum, which the checkpointer may be writing just now.
  memcpy(reinterpret_cast<uint8_t*>(node) + 4, reinterpret_cast<const uint8_t*>(from) + 4,
         (from->level == 0 ? kLeafBytes : kInnerBytes) - 4);
  uint32_t stamp = NextStamp();
  node->birth = MakeBirth(epoch(), stamp);
  SetVerified(unit);
  ++stats_.made;
  ++stats_.copied;
  ++(from->level == 0 ? stats_.leaves : stats_.inners);
  Retire(ref, from);
  return MakeNodeRef(unit, stamp);
}

void NodePool::Retire(uint64_t ref, const NodeHeader* node) {
  uint64_t unit = NodeRefIndex(ref);
  uint32_t segment = space_->SegmentOf(unit << kUnitShift);
  --(node->level == 0 ? stats_.leaves : stats_.inners);
  if (LoadBitmap(segment)) {
    Units& u = *segments_[segment];
    uint32_t shift = node->level == 0 ? 0 : 3;
    uint32_t i = static_cast<uint32_t>(((unit << kUnitShift) & (space_->segment_bytes() - 1)) >> (kUnitShift + shift));
    ClearBit(u.live, i);
    u.changed = true;
    space_->AddLive(segment, -1);
  }
  pins_.Retire(unit, BirthEpoch(node->birth));
}

void NodePool::RetireSegment(uint32_t segment, uint64_t floor) {
  space_->Retire(segment);
  pins_.Retire(kSegmentThing | segment, std::min(space_->segment(segment).birth, floor));
}

void NodePool::Reclaim(void* self, uint64_t id) {
  auto* pool = static_cast<NodePool*>(self);
  if ((id & kSegmentThing) != 0) {
    pool->space_->Release(static_cast<uint32_t>(id));
  } else {
    pool->FreeUnit(id);
  }
}

void NodePool::FreeUnit(uint64_t unit) {
  uint64_t offset = unit << kUnitShift;
  uint32_t segment = space_->SegmentOf(offset);
  if (segments_[segment] == nullptr) return;  // only in a file that was made to mislead
  Units& u = *segments_[segment];
  Kind& kind = KindOfSegment(segment);
  uint32_t i = static_cast<uint32_t>((offset & (space_->segment_bytes() - 1)) / kind.unit_bytes);
  if (!TestBit(u.busy, i) || TestBit(u.live, i)) return;  // in a segment whose bitmap was damaged
  ClearBit(u.busy, i);
  ClearBit(u.dirty, i);
  verified_[unit >> 3].fetch_and(static_cast<uint8_t>(~(1u << (unit & 7))), std::memory_order_relaxed);
  if (u.free++ == 0 && segment != kind.current) kind.partial.push_back(segment);
  ++kind.free;
}

bool NodePool::PageIsClean(uint64_t offset) const {
  uint32_t segment = space_->SegmentOf(offset);
  const Units* u = segments_[segment].get();
  if (u == nullptr || !u->loaded) return false;
  auto in_segment = static_cast<uint32_t>(offset & (space_->segment_bytes() - 1));
  if (space_->segment(segment).type == SegmentType::kInner) return !TestBit(u->dirty, in_segment / kInnerBytes);
  uint32_t first = in_segment / kLeafBytes;  // 8 leaves to a page, 8 bits in one word
  return ((u->dirty[first >> 6] >> (first & 63)) & 0xff) == 0;
}

void NodePool::Freeze(Frozen* out) {
  for (uint32_t segment = 0; segment < segments_.size(); ++segment) {
    Units* u = segments_[segment].get();
    if (u == nullptr || !u->loaded) continue;
    Kind& kind = KindOfSegment(segment);
    if (u->free == kind.per_segment - kind.reserved && segment != kind.current) {
      // Nothing lives here in any pinned state. Only now, with no checkpoint under way that would still write its
      // bitmap.
      std::erase(kind.partial, segment);
      std::erase(kind.unloaded, segment);
      kind.free -= u->free;
      space_->Retire(segment);
      space_->Release(segment);
      segments_[segment].reset();
      // Whatever comes to lie here is to be verified anew.
      const uint64_t first = space_->SegmentOffset(segment) >> kUnitShift;
      for (uint64_t unit = first; unit < first + (space_->segment_bytes() >> kUnitShift); unit += 8)
        verified_[unit >> 3].store(0);
      continue;
    }
    if (u->has_dirty) {
      uint64_t still_dirty = 0;
      for (uint32_t w = 0; w < kBitmapBytes / 8; ++w) {
        for (uint64_t bits = u->dirty[w] & u->live[w]; bits != 0; bits &= bits - 1) {
          uint32_t i = w * 64 + static_cast<uint32_t>(__builtin_ctzll(bits));
          out->nodes.push_back((space_->SegmentOffset(segment) + uint64_t{i} * kind.unit_bytes) |
                               (kind.type == SegmentType::kInner ? 1 : 0));
        }
        // What is retired but pinned was never written and never will be: it stays dirty, lest its page be dropped.
        u->dirty[w] &= ~u->live[w];
        still_dirty |= u->dirty[w];
      }
      u->has_dirty = still_dirty != 0;
    }
    if (u->changed) {
      Segment& s = space_->segment(segment);
      s.flags ^= kHalfBitmapB;
      s.check = Crc32c(space_->store_seed() ^ segment, u->live, kBitmapBytes);
      space_->MarkDirty(segment);
      out->bitmaps.emplace_back();
      out->bitmaps.back().segment = segment;
      out->bitmaps.back().flags = s.flags;
      memcpy(out->bitmaps.back().bits, u->live, kBitmapBytes);
      u->changed = false;
    }
  }
}

void NodePool::LoadBitmaps() {
  for (uint32_t i = 0; i < space_->count(); ++i) {
    if (segments_[i] != nullptr) static_cast<void>(LoadBitmap(i));
  }
}

void NodePool::CopyBitmap(uint32_t segment, uint8_t out[kBitmapBytes]) const {
  const Units* u = segments_[segment].get();
  // One that is not loaded nobody has changed; one that is damaged is what it is.
  const void* from = u != nullptr && u->loaded && !u->damaged
                         ? static_cast<const void*>(u->live)
                         : space_->At<const void>(space_->SegmentOffset(segment) +
                                                  kBitmapOffset[space_->segment(segment).flags & kHalfBitmapB]);
  memcpy(out, from, kBitmapBytes);
}

}  // namespace sealog
