// Completes META structures: the caller fills the fields, this fills magic and checksum. Decoding is TypeScript's
// alone.
#pragma once

#include <cstdint>

#include "format/log_format.h"
#include "format/meta.h"

namespace sealog {

// `store_seed` is StoreSeed(uuid). Reserved fields are written as they are: value-initialise the structure first.
void Complete(Superblock* superblock);
void Complete(CheckpointSlot* slot, uint32_t store_seed);
void Complete(SegmentHalf* half, uint32_t store_seed, uint32_t segment);  // seeded with store_seed ^ segment
void Complete(SealRecord* record, uint32_t store_seed);
void Complete(LogSegmentHeader* header, uint32_t store_seed);

// Where half `which` (0 or 1) of a segment's table entry is in the file.
constexpr uint64_t SegmentHalfOffset(uint32_t segment, uint32_t which) {
  return kSegmentTableOffset + uint64_t{segment} * kSegmentEntryBytes + uint64_t{which} * kSegmentHalfBytes;
}

}  // namespace sealog
