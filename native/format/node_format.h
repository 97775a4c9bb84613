// Nodes of the index: leaves of 512 bytes, inner nodes of 4 KiB, each in segments of their own kind.
//
//   segment := a first page with bitmap A at 512, bitmap B at 1024; units from kNodeFirstByte on
//   bitmap  := one bit per unit of the segment, set = in use; the units of the first page are always set
//
// Leaf after FPTree (Oukid et al., SIGMOD 2016): one line of one-byte fingerprints answers most lookups, entries are
// unsorted behind the first `sorted` ones. Inner nodes hold truncated separators (Bayer and Unterauer, 1977) as 8-byte
// heads behind the node's common prefix, and the number of entries under each child, for counting and skipping.
#pragma once

#include <cstddef>
#include <cstdint>

#include "format/layout.h"

namespace sealog {

inline constexpr uint32_t kLeafBytes = 512;
inline constexpr uint32_t kInnerBytes = 4096;
inline constexpr uint32_t kLeafEntriesMax = 48;
inline constexpr uint32_t kNodeFirstByte = 4096;  // of a LEAF or INNER segment: units before it hold the bitmaps
inline constexpr uint32_t kBitmapOffset[2] = {512, 1024};
inline constexpr uint32_t kBitmapBytes = 512;  // covers 4096 units; kSegmentBytesMax for node segments is 2 MiB

// Node reference: the place in units of 512 bytes, and the stamp that the node found there must carry.
inline constexpr uint32_t kNodeRefIndexBits = 40;
constexpr uint64_t NodeRefIndex(uint64_t ref) { return ref & ((1ull << kNodeRefIndexBits) - 1); }
constexpr uint32_t NodeRefStamp(uint64_t ref) { return static_cast<uint32_t>(ref >> kNodeRefIndexBits); }
constexpr uint64_t MakeNodeRef(uint64_t index, uint32_t stamp) {
  return index | (uint64_t{stamp} << kNodeRefIndexBits);
}

// Record reference, in leaves: the place in units of 16 bytes, flags, and 16 bits of the key's hash.
inline constexpr uint32_t kRecordRefIndexBits = 44;
constexpr uint64_t RecordRefOffset(uint64_t ref) { return (ref & ((1ull << kRecordRefIndexBits) - 1)) * 16; }
constexpr uint32_t RecordRefTag(uint64_t ref) { return static_cast<uint32_t>(ref >> 48); }
constexpr uint64_t MakeRecordRef(uint64_t offset, uint32_t tag) {
  return (offset / 16) | (uint64_t{tag & 0xffff} << 48);
}

// The first 16 bytes of either node.
struct NodeHeader {
  uint32_t
      crc;  // over the rest of the node, seeded with StoreSeed(uuid) ^ low bits of its index; set by the checkpoint
  uint8_t level;   // 0: leaf
  uint8_t count;   // entries
  uint8_t sorted;  // leaf: this many entries at the front are in key order
  uint8_t reserved;
  uint64_t birth;  // low 40 bits: epoch in which it was made; high 24: its stamp
};
static_assert(sizeof(NodeHeader) == 16);

inline constexpr uint64_t kEpochMax = (1ull << 40) - 1;
constexpr uint64_t BirthEpoch(uint64_t birth) { return birth & kEpochMax; }
constexpr uint32_t BirthStamp(uint64_t birth) { return static_cast<uint32_t>(birth >> 40); }
constexpr uint64_t MakeBirth(uint64_t epoch, uint32_t stamp) { return epoch | (uint64_t{stamp} << 40); }

struct LeafNode {
  NodeHeader header;
  uint8_t fingerprints[kLeafEntriesMax];  // with the header: exactly the first line
  uint64_t refs[kLeafEntriesMax];
  uint8_t reserved[64];
};
static_assert(sizeof(LeafNode) == kLeafBytes);
static_assert(offsetof(LeafNode, refs) == kLineBytes);

// Child i holds the keys k with separator(i) <= k < separator(i + 1); entry 0 has no separator (its suffix is empty).
struct InnerEntry {
  uint64_t head;          // the first 8 bytes of the separator behind the prefix, as a big-endian number, zero-padded
  uint64_t child;         // node reference
  uint32_t count;         // entries under the child
  uint16_t tail_offset;   // in the node: suffix bytes from the ninth on; 0 if there are none
  uint16_t suffix_bytes;  // of the separator behind the prefix
};
static_assert(sizeof(InnerEntry) == 24);

inline constexpr uint32_t kInnerEntriesMax = 168;

struct InnerNode {
  NodeHeader header;
  uint16_t prefix_bytes;  // the prefix ends the node: [4096 - prefix_bytes, 4096)
  uint16_t heap_begin;    // lowest byte in use by tails and prefix
  uint8_t reserved[44];
  InnerEntry entries[kInnerEntriesMax];
};
static_assert(sizeof(InnerNode) == kInnerBytes);
static_assert(offsetof(InnerNode, entries) == 64);

// Two separators of the greatest length fit beside entry 0, so a split always succeeds.
static_assert(64 + 3 * sizeof(InnerEntry) + 2 * (kKeyBytesMax - 8) <= kInnerBytes);

}  // namespace sealog
