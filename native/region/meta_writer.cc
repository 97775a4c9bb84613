#include "region/meta_writer.h"

#include "base/crc32c.h"

namespace sealog {
namespace {

// Of everything behind the leading crc field.
template <class T>
uint32_t CrcBehind(const T& structure, uint32_t seed) {
  static_assert(offsetof(T, crc) == 0);
  return Crc32c(seed, reinterpret_cast<const uint8_t*>(&structure) + sizeof structure.crc,
                sizeof structure - sizeof structure.crc);
}

}  // namespace

void Complete(Superblock* superblock) {
  superblock->magic = kSuperblockMagic;
  superblock->format_version = kFormatVersion;
  superblock->crc = 0;
  superblock->crc = Crc32c(0, superblock, sizeof *superblock);
}

void Complete(CheckpointSlot* slot, uint32_t store_seed) {
  slot->magic = kSlotMagic;
  slot->crc = CrcBehind(*slot, store_seed);
}

void Complete(SegmentHalf* half, uint32_t store_seed, uint32_t segment) {
  half->crc = CrcBehind(*half, store_seed ^ segment);
}

void Complete(SealRecord* record, uint32_t store_seed) {
  record->magic = kSealMagic;
  record->crc = CrcBehind(*record, store_seed);
}

void Complete(LogSegmentHeader* header, uint32_t store_seed) {
  header->magic = kLogSegmentMagic;
  header->crc = CrcBehind(*header, store_seed);
}

}  // namespace sealog
