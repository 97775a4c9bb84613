// A record as it lies in the region, seen through checked bounds. Everything that reads the log or follows a reference
// from a leaf goes through here.
#pragma once

#include <cstdint>
#include <cstring>

#include "base/crc32c.h"
#include "format/log_format.h"
#include "region/space.h"

namespace sealog {

struct Bytes {
  const uint8_t* data = nullptr;
  size_t size = 0;
};

// The first `n` bytes; both may be null if there are none.
inline int CompareFirst(const uint8_t* a, const uint8_t* b, size_t n) { return n == 0 ? 0 : memcmp(a, b, n); }

inline int Compare(Bytes a, Bytes b) {
  int c = CompareFirst(a.data, b.data, a.size < b.size ? a.size : b.size);
  if (c != 0) return c;
  return a.size < b.size ? -1 : a.size > b.size ? 1 : 0;
}

struct Record {
  const RecordHeader* header = nullptr;
  uint32_t tree = kTreeUser;
  uint32_t bytes = 0;  // header, ext, key and value; not the padding
  Bytes key;
  Bytes value;
  uint64_t lsn = 0;
  uint64_t expires = 0;  // Unix milliseconds; 0: never
  uint8_t kind = 0;
  uint8_t flags = 0;

  bool ExpiredAt(uint64_t unix_ms) const { return (flags & kRecordExpires) != 0 && expires <= unix_ms; }

  // What it counts for in its segment's live bytes.
  uint32_t FootprintBytes() const { return static_cast<uint32_t>(RoundUp(bytes, kRecordAlign)); }
};

// Reads the header at `at`, of which `room` bytes may be touched. False if it cannot be a record: the lengths are
// overflow-checked against `room`, kinds and flags against what this version knows. Says nothing about the checksum.
inline bool ParseRecord(const uint8_t* at, uint64_t room, Record* out) {
  if (room < sizeof(RecordHeader)) return false;
  RecordHeader h;
  memcpy(&h, at, sizeof h);
  if (h.kind < kRecordPut || h.kind > kRecordChunk || (h.flags & ~kRecordFlagsKnown) != 0) return false;
  if ((h.flags & kRecordExpires) != 0 && h.kind != kRecordPut) return false;
  if ((h.flags & kRecordMoved) != 0 && (h.flags & kRecordInBatch) == 0) return false;
  const uint32_t ext = ExtBytes(h.flags);
  uint64_t bytes = sizeof(RecordHeader) + ext + uint64_t{h.key_bytes} + uint64_t{h.value_bytes};
  if (bytes > room || h.key_bytes == 0 || h.key_bytes > kKeyBytesMax) return false;
  out->tree = kTreeUser;
  out->expires = 0;
  if ((h.flags & kRecordTree) != 0) {
    memcpy(&out->tree, at + sizeof(RecordHeader), sizeof out->tree);
    if (out->tree >= kTreeCount) return false;
  }
  if ((h.flags & kRecordExpires) != 0) {
    memcpy(&out->expires, at + sizeof(RecordHeader) + ext - kExpiresExtBytes, sizeof out->expires);
  }
  out->header = reinterpret_cast<const RecordHeader*>(at);
  out->bytes = static_cast<uint32_t>(bytes);
  out->key = {at + sizeof(RecordHeader) + ext, h.key_bytes};
  out->value = {out->key.data + h.key_bytes, h.value_bytes};
  out->lsn = h.lsn;
  out->kind = h.kind;
  out->flags = h.flags;
  return true;
}

// `seed` is PlaceSeed of where it lies.
inline uint32_t RecordCrc(const uint8_t* at, uint32_t bytes, uint32_t seed) {
  return Crc32c(seed, at + sizeof(uint32_t), bytes - sizeof(uint32_t));
}

// The record that a reference names; its segment's seed is what it must be checksummed with. False: the reference or
// the header is damaged.
inline bool RecordAt(const Space& space, uint64_t offset, Record* out) {
  if (offset >= space.bytes() || offset % kRecordAlign != 0) return false;
  const Segment& segment = space.segment(space.SegmentOf(offset));
  if (segment.type != SegmentType::kLog && !segment.retired) return false;
  uint64_t in_segment = offset & (space.segment_bytes() - 1);
  return ParseRecord(space.At<const uint8_t>(offset), space.segment_bytes() - in_segment, out);
}

}  // namespace sealog
