// The damaged store as salvage reads it: by copies out of the mapping, each inside a guard. What cannot be read there
// comes as zeros. Knows the seeds of log segments from wherever they can be had.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <vector>

#include "format/format.h"
#include "log/log_reader.h"
#include "log/record.h"
#include "region/region.h"
#include "store/salvage.h"

namespace sealog {

// The checksum's start that makes `bytes` have `crc`: CRC-32C run backwards.
uint32_t Crc32cStart(uint32_t crc, const uint8_t* bytes, size_t size);

// A record in memory of its own.
struct OwnRecord {
  std::unique_ptr<uint8_t[]> memory;
  Record record;
};

class SalvageSource {
 public:
  SalvageSource(const Region& region, const SalvagePlan& plan);
  SalvageSource(const SalvageSource&) = delete;
  SalvageSource& operator=(const SalvageSource&) = delete;

  uint32_t segment_bytes() const { return 1u << plan_.header.segment_bytes_log2; }
  uint32_t segment_count() const { return plan_.header.segment_count; }
  uint64_t bytes() const { return region_.bytes(); }
  // Pages that the media refused, by offset.
  const std::set<uint64_t>& bad_pages() const { return bad_pages_; }

  // False if some of it could not be read, or lies outside; that is zeros then.
  bool Copy(uint64_t offset, size_t bytes, void* out);

  // Reads what the log segments say of themselves.
  void ReadHeaders();
  // Sequence of the older of the checkpoint's two heads.
  uint64_t HeadSequence() const;
  // Whether the segment was in the log at `sequence` or later, or may have been.
  bool UsedSince(uint32_t segment, uint64_t sequence) const;
  // True if the checkpoint says that nothing in it is live and the log did not come back to it.
  bool IsDead(uint32_t segment) const;
  // False if it is known, or makes no sense.
  bool AddSeed(uint32_t segment, uint32_t seed, uint64_t sequence);

  // The node, verified: its checksum, its stamp, its level (0xff: any), its bounds. `out` has room for kInnerBytes.
  bool ReadNode(uint64_t ref, uint8_t level, uint8_t* out);

  // The record at `offset`, verified with a seed of its segment. Without: kCorrupt, and then `out` has what its header
  // claims, if that makes sense (`out->memory` is null otherwise). kNoMemory.
  Status ReadRecord(uint64_t offset, OwnRecord* out);

  // What a scan of a log segment meets.
  struct Met {
    const Record* record = nullptr;  // null: the frame itself, before its records
    const LinkFrame* link = nullptr;
    uint64_t offset = 0;  // of the record or frame, in the file
    uint32_t bytes = 0;   // frame: to the next one
    uint32_t window = 0;
    uint8_t kind = 0;
    uint8_t flags = 0;
    uint64_t lsn = 0;   // of the frame: not of a record that the cleaner has moved
    bool whole = true;  // false: a record of a batch that does not hold
  };
  // Every frame that holds, and its records; between them, records of damaged batches. In the order of their places.
  // Not those that lie behind one with a greater LSN: they are left over from before the session that wrote it. False
  // if it was given up: more that looks like records than there is room for.
  bool Scan(uint32_t segment, const std::function<void(const Met&)>& on);

 private:
  struct Seed {
    uint32_t seed;
    uint64_t sequence;
  };
  static constexpr uint32_t kSeedsMax = 4;
  struct Segment {
    Seed seeds[kSeedsMax];
    uint8_t seed_count = 0;
    bool derived = false;  // seeds were looked for in its records
  };

  const uint8_t* LoadSegment(uint32_t segment);
  void DeriveSeeds(uint32_t segment);
  bool ScanWith(uint32_t segment, const uint8_t* base, const std::function<void(const Met&)>& on, uint64_t* met);

  const Region& region_;
  const SalvagePlan& plan_;
  std::vector<Segment> segments_;
  std::set<uint64_t> bad_pages_;
  std::unique_ptr<uint8_t[]> buffer_;  // a segment
  uint32_t buffered_ = kSegmentNone;
};

}  // namespace sealog
