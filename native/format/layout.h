// Where things are in a store file, and what every structure shares: sizes, alignments, reference encodings.
// docs/format.md is the prose; src/layout/constants.ts holds the TypeScript side, compared at load
// (addon/layout_table.h). Everything is little-endian. Offsets are bytes from the start of the file unless a name says
// otherwise.
#pragma once

#include <cstddef>
#include <cstdint>

namespace sealog {

inline constexpr uint32_t kFormatVersion = 1;

inline constexpr uint32_t kLineBytes = 64;         // what one flush writes back
inline constexpr uint32_t kSlotAlignBytes = 4096;  // META structures that are rewritten get a page each

// META: fixed offsets.
inline constexpr uint64_t kSuperblockOffset[2] = {0, 4096};
inline constexpr uint32_t kSuperblockBytes = 4096;
inline constexpr uint64_t kCheckpointSlotOffset[2] = {8192, 12288};
inline constexpr uint32_t kCheckpointSlotBytes = 256;
inline constexpr uint64_t kSealRecordOffset[2] = {16384, 20480};
inline constexpr uint32_t kSealRecordBytes = 256;
inline constexpr uint64_t kSegmentTableOffset = 32768;
inline constexpr uint32_t kSegmentEntryBytes = 64;
inline constexpr uint32_t kSegmentHalfBytes = 32;

// Segments. The size is a power of two recorded in the superblock; small ones exist for tests.
inline constexpr uint32_t kSegmentBytesDefault = 2u << 20;
inline constexpr uint32_t kSegmentBytesMin = 16u << 10;
inline constexpr uint32_t kSegmentBytesMax = 2u << 20;
inline constexpr uint32_t kSegmentNone = 0xffffffffu;

enum class SegmentType : uint8_t { kFree = 0, kMeta = 1, kLog = 2, kLeaf = 3, kInner = 4 };

// Trees: roots in a checkpoint slot.
inline constexpr uint32_t kTreeCount = 4;
inline constexpr uint32_t kTreeUser = 0;    // the default namespace
inline constexpr uint32_t kTreeSystem = 1;  // codec structures, the catalogue of namespaces
inline constexpr uint32_t kTreeSpaces = 2;  // all namespaces but the default one: each key behind the id of its own
inline constexpr uint32_t kTreeExpiry = 3;  // by time, then tree and key: what is to be removed when

// Bytes of a namespace's id, big-endian, before its keys.
inline constexpr uint32_t kSpaceIdBytes = 4;
// Keys of kTreeExpiry begin with the time in Unix milliseconds, big-endian, and the tree.
inline constexpr uint32_t kExpiryHeadBytes = 9;

// Keys and values.
inline constexpr uint32_t kKeyBytesMax = 1984;
inline constexpr uint64_t kValueBytesMax = 1ull << 30;

// Integer codes in the superblock; 0 means unspecified.
inline constexpr uint64_t kSuperblockMagic = 0x0a0d474f4c414553ull;  // "SEALOG\r\n"
inline constexpr uint32_t kSlotMagic = 0x544f4c53u;                  // "SLOT"
inline constexpr uint32_t kSealMagic = 0x4c414553u;                  // "SEAL"
inline constexpr uint32_t kLogSegmentMagic = 0x53474f4cu;            // "LOGS"

constexpr uint64_t RoundUp(uint64_t n, uint64_t alignment) { return (n + alignment - 1) & ~(alignment - 1); }

// META takes whole segments at the start of the file: the fixed part and a table entry for each segment that the store
// may ever grow to.
constexpr uint32_t MetaSegments(uint32_t segment_bytes, uint32_t table_capacity) {
  uint64_t bytes = kSegmentTableOffset + uint64_t{table_capacity} * kSegmentEntryBytes;
  return static_cast<uint32_t>((bytes + segment_bytes - 1) / segment_bytes);
}

}  // namespace sealog
