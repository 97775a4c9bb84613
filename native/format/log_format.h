// The log: segments, frames, records. Shared by writer, reader and replay; nothing else knows these bytes.
//
//   segment  := LogSegmentHeader (line 0) LogSuccessor (line 1) frame*        frames start at kLogFirstFrame
//   frame    := record | batch | LINK        each starts on a line; what is behind it up to the next line is not read
//   record   := RecordHeader [ext] key value                  kinds PUT, DEL, CHUNK
//   batch    := BatchHeader (record, padded to 16 bytes)*     kind BATCH; the records carry the batch's LSN
//
// A frame is valid at a place if its crc, seeded with PlaceSeed of that place, is right and its LSN is the expected
// one. Seeds are drawn anew each time a segment enters the log, so nothing left over from an earlier use validates; and
// what is valid at one offset is not at another, so a write that went astray is noticed.
#pragma once

#include <cstddef>
#include <cstdint>

#include "format/layout.h"

namespace sealog {

constexpr uint32_t PlaceSeed(uint32_t segment_seed, uint64_t offset_in_segment) {
  return segment_seed ^ static_cast<uint32_t>(offset_in_segment);
}

struct LogSegmentHeader {
  uint32_t crc;  // over the rest of the line, seeded with StoreSeed(uuid)
  uint32_t magic;
  uint32_t segment;
  uint32_t seed;
  uint64_t log_sequence;
  uint8_t reserved[40];
};
static_assert(sizeof(LogSegmentHeader) == kLineBytes);

// Names the segment that will follow, before the first frame behind it is acknowledged, so that recovery can look past
// a damaged end of this segment.
struct LogSuccessor {
  uint32_t crc;  // over the rest of the line, seeded with this segment's seed
  uint32_t segment;
  uint64_t log_sequence;
  uint32_t seed;
  uint8_t reserved[44];
};
static_assert(sizeof(LogSuccessor) == kLineBytes);

inline constexpr uint32_t kLogFirstFrame = 2 * kLineBytes;

enum RecordKind : uint8_t {
  kRecordPut = 1,
  kRecordDel = 2,
  kRecordChunk = 3,  // a piece of a large value; referred to by a PUT with kRecordExtents
  kFrameBatch = 16,
  kFrameLink = 17,
};

enum RecordFlags : uint8_t {
  kRecordTree = 1,        // ext: u32 tree, u32 zero
  kRecordExtents = 2,     // the value is a list of ValueExtent
  kRecordExpires = 4,     // of a PUT; ext, behind that of the tree: u64 Unix milliseconds
  kRecordMoved = 8,       // in a batch: moved by the cleaner; `lsn` is still that of the commit that wrote the entry
  kRecordInBatch = 0x80,  // not a frame of its own: covered by a BATCH frame
};
inline constexpr uint8_t kRecordFlagsKnown =
    kRecordTree | kRecordExtents | kRecordExpires | kRecordMoved | kRecordInBatch;

// `window`: how many frames, this one included, were not yet known to be durable when it was written; the frame
// `window` LSNs earlier was. So a valid frame that counts an invalid one as durable proves damage, and any other is
// just the rest of what was in flight at the crash.
struct RecordHeader {
  uint32_t crc;  // over [4, 24 + ext + key + value), seeded with PlaceSeed
  uint8_t kind;
  uint8_t flags;
  uint16_t key_bytes;
  uint32_t value_bytes;  // stored bytes: of the extent list where kRecordExtents
  uint32_t window;       // 0 in a batch
  uint64_t lsn;          // of its frame: the entry's version. Of a moved one: as it was
};
static_assert(sizeof(RecordHeader) == 24);

inline constexpr uint8_t kBatchMore = 1;  // flags: the transaction goes on in the next BATCH frame

struct BatchHeader {
  uint32_t crc;  // over [4, 32) and then the crc of each record, seeded with PlaceSeed
  uint8_t kind;  // kFrameBatch
  uint8_t flags;
  uint16_t reserved;
  uint32_t body_bytes;  // records with their padding
  uint32_t window;
  uint64_t lsn;
  uint32_t record_count;
  uint32_t reserved1;
};
static_assert(sizeof(BatchHeader) == 32);

inline constexpr uint8_t kLinkSession = 1;  // flags: a writer's first frame after open; ends an unfinished transaction
inline constexpr uint8_t kLinkCold = 2;     // flags: names where the cold head begins; the hot one goes on behind it

// The log has two heads: what is written goes to the hot one, what the cleaner moves to the cold one. Both take their
// LSNs from one sequence, so that replay knows the order: the frame with the next LSN is at either head.
// A LINK: its head goes on at `offset` of `segment` with LSN `next_lsn`. At the end of a segment, and at the start of
// each writer's session (over whatever the last one left torn). With kLinkCold it is the cold head that goes on there,
// from then on; a session's cold head begins in a segment of its own.
struct LinkFrame {
  uint32_t crc;  // over the rest of the line, seeded with PlaceSeed
  uint8_t kind;  // kFrameLink
  uint8_t flags;
  uint16_t reserved;
  uint32_t segment;
  uint32_t window;
  uint64_t lsn;
  uint64_t next_lsn;
  uint64_t log_sequence;
  uint32_t offset;
  uint32_t seed;
  uint8_t reserved1[16];
};
static_assert(sizeof(LinkFrame) == kLineBytes);
static_assert(offsetof(RecordHeader, kind) == offsetof(LinkFrame, kind));
static_assert(offsetof(RecordHeader, window) == offsetof(LinkFrame, window));
static_assert(offsetof(RecordHeader, lsn) == offsetof(LinkFrame, lsn));
static_assert(offsetof(RecordHeader, kind) == offsetof(BatchHeader, kind));
static_assert(offsetof(RecordHeader, window) == offsetof(BatchHeader, window));
static_assert(offsetof(RecordHeader, lsn) == offsetof(BatchHeader, lsn));

// A piece of a large value: a CHUNK record at `ref`.
struct ValueExtent {
  uint64_t offset;  // of the record, from the start of the file
  uint32_t bytes;   // of the value in this piece
  uint32_t crc;     // of the record
};
static_assert(sizeof(ValueExtent) == 16);

inline constexpr uint32_t kRecordAlign = 16;
inline constexpr uint32_t kTreeExtBytes = 8;
inline constexpr uint32_t kExpiresExtBytes = 8;

// Bytes between a record's header and its key.
constexpr uint32_t ExtBytes(uint8_t flags) {
  return ((flags & kRecordTree) != 0 ? kTreeExtBytes : 0) + ((flags & kRecordExpires) != 0 ? kExpiresExtBytes : 0);
}
inline constexpr uint32_t kWindowFramesMax = 65535;
// A session that follows an unclean end starts this many LSNs later, so that no frame left over from what was in flight
// can ever be the expected one.
inline constexpr uint64_t kSessionLsnJump = 65536;

}  // namespace sealog
