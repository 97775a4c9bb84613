// META: superblock, checkpoint slot, segment table, seal record. Written here, decoded in TypeScript only
// (src/layout/). A field is never given a second meaning: what is reserved is zero and stays zero until the format
// version says more.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "format/layout.h"

namespace sealog {

// Checksums of META are CRC-32C over everything behind the `crc` field. The superblock is seeded with 0, since the UUID
// comes from it; all the others are seeded with StoreSeed(uuid) (and a segment half with its index as well), so that a
// piece of another store, or another entry of this one, never validates.

enum FeatureIncompat : uint64_t {
  kFeatureExpiry = 1,    // records with kRecordExpires, kTreeExpiry
  kFeatureCleaning = 2,  // a cold head, kLinkCold, records with kRecordMoved
};

// Written twice, so that one can rot: both alike at creation; growth and upgrade write first the one that is not
// current. Invariant I-META-1: the valid superblock with the greatest sequence is current, A if both have the same.
struct Superblock {
  uint64_t magic;
  uint32_t format_version;
  uint32_t crc;                // over the 4096 bytes with this field as zero
  uint64_t features_compat;    // unknown bits: open as usual
  uint64_t features_ro;        // unknown bits: open read-only
  uint64_t features_incompat;  // unknown bits: refuse; FeatureIncompat
  uint8_t uuid[16];
  uint64_t sequence;
  uint64_t created_unix_ms;
  uint64_t region_bytes;  // == segment_count << segment_bytes_log2
  uint32_t segment_bytes_log2;
  uint32_t segment_count;
  uint32_t meta_segments;
  uint32_t table_capacity;  // segments that the table has room for
  uint8_t key_codec;        // 1 ordered, 2 utf8, 3 binary
  uint8_t value_codec;      // 1 msgpack, 2 json, 3 string, 4 binary, 255 custom
  uint8_t reserved0[6];
  char created_by[32];  // NUL-padded program and version
  uint8_t reserved[kSuperblockBytes - 136];
};
static_assert(sizeof(Superblock) == kSuperblockBytes);
static_assert(offsetof(Superblock, uuid) == 40);
static_assert(offsetof(Superblock, sequence) == 56);
static_assert(offsetof(Superblock, region_bytes) == 72);
static_assert(offsetof(Superblock, key_codec) == 96);
static_assert(offsetof(Superblock, created_by) == 104);

// Where a log cursor stands: the next frame goes to `offset` bytes into `segment`.
struct LogPosition {
  uint32_t segment;       // kSegmentNone: no such cursor
  uint32_t offset;        // bytes into the segment, a multiple of 64
  uint64_t log_sequence;  // which log segment this is, counted over the life of the store
  uint32_t seed;          // what frames in this segment are checksummed with
  uint32_t reserved;
};
static_assert(sizeof(LogPosition) == 24);

struct TreeRoot {
  uint64_t ref;  // node reference; 0: empty tree
  uint64_t count;
  uint64_t reserved;
};
static_assert(sizeof(TreeRoot) == 24);

inline constexpr uint32_t kSlotClean = 1;  // flags: written by close, nothing was in flight

// A checkpoint. Written whole into slot `sequence & 1`, fenced after everything that it refers to.
// Invariant I-META-2: the other slot stays intact until this one is durable.
struct CheckpointSlot {
  uint32_t crc;
  uint32_t magic;
  uint64_t sequence;
  uint64_t epoch;    // every node and table half of this checkpoint has an epoch <= this
  uint64_t lsn;      // the last log sequence number whose effect is in the trees
  LogPosition hot;   // replay starts here, expecting lsn + 1
  LogPosition cold;  // the cleaner's cursor; segment == kSegmentNone: none in this session
  TreeRoot roots[kTreeCount];
  uint64_t live_bytes;   // sum over log segments
  uint32_t table_check;  // XOR of TableTerm(crc) of the current half of every segment
  uint32_t segment_count;
  uint64_t next_log_sequence;
  uint32_t flags;
  uint32_t reserved0;
  uint64_t time_unix_ms;
  uint8_t reserved[40];
};
static_assert(sizeof(CheckpointSlot) == kCheckpointSlotBytes);
static_assert(offsetof(CheckpointSlot, hot) == 32);
static_assert(offsetof(CheckpointSlot, roots) == 80);
static_assert(offsetof(CheckpointSlot, live_bytes) == 176);
static_assert(offsetof(CheckpointSlot, next_log_sequence) == 192);

inline constexpr uint8_t kHalfBitmapB = 1;  // flags: the current allocation bitmap is B
// flags, LOG: it has pieces of a value whose PUT had not been written yet. A PUT in the log's tail may refer to them,
// so the segment is not free before replay, whatever `live` says.
inline constexpr uint8_t kHalfPending = 2;

// Half of a segment's table entry; the two halves are written alternately.
// Invariant I-META-3: the current half is the valid one with the greatest epoch <= the slot's epoch.
struct SegmentHalf {
  uint32_t crc;  // seeded with StoreSeed(uuid) ^ segment index
  uint8_t type;  // SegmentType
  uint8_t flags;
  uint16_t reserved;
  uint64_t epoch;     // of the checkpoint that wrote it
  uint64_t sequence;  // LOG: its log sequence
  uint32_t live;      // LOG: live bytes; LEAF, INNER: live units
  uint32_t check;     // LOG: frame seed; LEAF, INNER: CRC-32C of the current bitmap
};
static_assert(sizeof(SegmentHalf) == kSegmentHalfBytes);

// What a half adds to the slot's table_check. Not the checksum itself: CRC-32C is linear, and a slot torn between the
// lines that hold live_bytes and those that do not would keep a right checksum, as the change of live_bytes and that of
// a XOR of checksums over the same change cancel out (Appleby's MurmurHash3 finalizer; found by a crash image).
constexpr uint32_t TableTerm(uint32_t crc) {
  crc = (crc ^ crc >> 16) * 0x85ebca6bu;
  crc = (crc ^ crc >> 13) * 0xc2b2ae35u;
  return crc ^ crc >> 16;
}

// What the block map looked like when it was sealed; two copies, the valid one with the greatest sequence is current.
struct SealRecord {
  uint32_t crc;
  uint32_t magic;
  uint64_t sequence;
  uint64_t device;  // st_dev
  uint64_t inode;
  uint64_t generation;  // FS_IOC_GETVERSION, 0 where there is none
  uint64_t region_bytes;
  uint64_t extent_digest;  // 64-bit FNV-1a over (logical, physical, length) of every extent, little-endian
  uint32_t extent_count;
  uint32_t level;  // SealLevel
  uint64_t time_unix_ms;
  uint64_t aligned_bytes;  // in 2 MiB pieces that are aligned physically
  uint8_t fs_uuid[16];     // zeros where unknown
  char fs_name[16];
  char kernel_release[64];
  uint8_t reserved[80];
};
static_assert(sizeof(SealRecord) == kSealRecordBytes);

}  // namespace sealog
