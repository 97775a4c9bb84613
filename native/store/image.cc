#include "store/image.h"

#include <algorithm>
#include <cstring>

#include "region/create.h"
#include "region/meta_writer.h"

namespace sealog {

Image::Image(const PinnedState* state) : state_(state) {
  const Space& space = state_->space;
  for (uint32_t i = 0; i < space.count(); ++i) {
    if (space.segment(i).type == SegmentType::kMeta) meta_segments_ = i + 1;
    if (Used(i)) segments_ = i + 1;
  }
  // No store is smaller.
  segments_ = std::min(std::max(segments_, meta_segments_ + kFreeSegmentsMin), space.count());
  MakeMeta();
}

bool Image::Used(uint32_t segment) const {
  const Segment& s = state_->space.segment(segment);
  uint32_t end;
  return s.type == SegmentType::kMeta || (s.type != SegmentType::kFree && s.live != 0) ||
         state_->CursorIn(segment, &end);
}

void Image::MakeMeta() {
  const Space& space = state_->space;
  meta_.assign(kSegmentTableOffset + uint64_t{segments_} * kSegmentEntryBytes, 0);
  for (int i = 0; i < 2; ++i) memcpy(&meta_[kSuperblockOffset[i]], state_->superblocks[i], kSuperblockBytes);
  CheckpointSlot slot = state_->slot;
  slot.segment_count = segments_;
  slot.flags = kSlotClean;  // nothing is in flight here
  slot.live_bytes = 0;
  slot.table_check = 0;
  for (uint32_t i = 0; i < segments_; ++i) {
    const Segment& s = space.segment(i);
    SegmentHalf half{};
    half.epoch = slot.epoch;
    if (Used(i)) {
      half.type = static_cast<uint8_t>(s.type);
      half.flags = s.flags;
      half.sequence = s.sequence;
      half.live = s.live;
      half.check = s.check;
      if (s.type == SegmentType::kLog) slot.live_bytes += s.live;
    }
    Complete(&half, space.store_seed(), i);
    slot.table_check ^= TableTerm(half.crc);
    memcpy(&meta_[SegmentHalfOffset(i, 0)], &half, sizeof half);
  }
  Complete(&slot, space.store_seed());
  memcpy(&meta_[kCheckpointSlotOffset[slot.sequence & 1]], &slot, sizeof slot);
}

void Image::Read(uint64_t offset, uint8_t* out, size_t bytes) const {
  const uint64_t segment_bytes = state_->space.segment_bytes();
  while (bytes != 0) {
    const uint64_t from = offset & (segment_bytes - 1);
    const uint64_t piece = std::min<uint64_t>(bytes, segment_bytes - from);
    ReadSegment(state_->space.SegmentOf(offset), static_cast<uint32_t>(from), out, static_cast<uint32_t>(piece));
    offset += piece;
    out += piece;
    bytes -= piece;
  }
}

void Image::ReadSegment(uint32_t segment, uint32_t from, uint8_t* out, uint32_t bytes) const {
  const Space& space = state_->space;
  const Segment& s = space.segment(segment);
  const uint64_t offset = space.SegmentOffset(segment) + from;
  if (segment < meta_segments_) {
    const uint64_t there = offset < meta_.size() ? std::min<uint64_t>(bytes, meta_.size() - offset) : 0;
    if (there != 0) memcpy(out, &meta_[offset], there);
    memset(out + there, 0, bytes - there);
    return;
  }
  if (!Used(segment)) {
    memset(out, 0, bytes);
    return;
  }
  memcpy(out, space.base() + offset, bytes);
  if (s.type == SegmentType::kLog) {
    // What comes behind the cursor is not part of this state, and would be replayed.
    uint32_t end;
    if (state_->CursorIn(segment, &end) && end < from + bytes) {
      const uint32_t keep = end > from ? end - from : 0;
      memset(out + keep, 0, bytes - keep);
    }
    return;
  }
  const uint8_t* bitmap = state_->BitmapOf(segment);
  const uint32_t unit_bytes = s.type == SegmentType::kLeaf ? kLeafBytes : kInnerBytes;
  for (uint32_t at = from; at < from + bytes; at += unit_bytes) {
    const uint32_t unit = at / unit_bytes;
    if (at < kNodeFirstByte || (bitmap[unit / 8] >> (unit % 8) & 1) == 0) memset(out + (at - from), 0, unit_bytes);
  }
  if (from == 0) memcpy(out + kBitmapOffset[s.flags & kHalfBitmapB], bitmap, kBitmapBytes);
}

}  // namespace sealog
