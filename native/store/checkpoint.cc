#include "store/checkpoint.h"

#include <cstring>

#include "region/meta_writer.h"

namespace sealog {

Status WriteCheckpoint(const Space& space, Persister* persister, const FrozenState& state) {
  for (uint64_t tagged : state.nodes.nodes) {
    uint64_t offset = tagged & ~uint64_t{1};
    auto* node = space.At<NodeHeader>(offset);
    SealNode(node, offset / kLeafBytes, space.store_seed());
    persister->Flush(node, (tagged & 1) != 0 ? kInnerBytes : kLeafBytes, Site::kNode);
  }
  for (const NodePool::FrozenBitmap& bitmap : state.nodes.bitmaps) {
    uint32_t which = bitmap.flags & kHalfBitmapB;
    persister->Copy(space.base() + space.SegmentOffset(bitmap.segment) + kBitmapOffset[which], bitmap.bits,
                    kBitmapBytes, Site::kBitmap);
  }
  for (const FrozenState::Half& half : state.halves) {
    // A line is both halves of the entry; the other one is written as it is.
    uint8_t* line = space.base() + kSegmentTableOffset + uint64_t{half.segment} * kSegmentEntryBytes;
    uint8_t both[kSegmentEntryBytes];
    memcpy(both, line, sizeof both);
    memcpy(both + half.which * kSegmentHalfBytes, &half.half, sizeof half.half);
    persister->Copy(line, both, sizeof both, Site::kTableHalf);
  }
  if (Status status = persister->Drain(Site::kNode); status != Status::kOk) return status;
  persister->Copy(space.base() + kCheckpointSlotOffset[state.slot.sequence & 1], &state.slot, sizeof state.slot,
                  Site::kSlot);
  return persister->Drain(Site::kSlot);
}

}  // namespace sealog
