// Everything readable out of a damaged store, into another one. Where recovery refuses, this notes what it could not
// use and goes on. The source is only read: through guarded copies, nothing in it is trusted.
//
// What is copied, in this order: what the log's tail says last of each key; by the index, what it does not speak of;
// where the index is damaged, what the log has of those keys, newest first.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"
#include "format/format.h"
#include "region/region.h"
#include "store/store.h"

namespace sealog {

inline constexpr uint32_t kSalvagePlanVersion = 1;

// What TypeScript made of META, as one buffer: this, then two halves for each segment (src/recovery/salvage-plan.ts).
struct SalvagePlanHeader {
  uint32_t version;
  uint32_t store_seed;
  uint32_t segment_bytes_log2;
  uint32_t segment_count;
  uint32_t meta_segments;
  uint32_t has_slot;  // 0: there is no checkpoint, and what follows is zero
  uint64_t epoch;
  uint64_t lsn;
  LogPosition hot;
  LogPosition cold;
  TreeRoot roots[kTreeCount];
};
static_assert(sizeof(SalvagePlanHeader) == 184);

// A half of a segment's table entry. The first of a segment's two is the one that the checkpoint means.
struct SalvageHalf {
  uint8_t valid;
  uint8_t type;
  uint16_t trusted;  // it is the one that the checkpoint means, and not only the one that is left
  uint32_t live;
  uint32_t check;
  uint32_t zero1;
  uint64_t sequence;
};
static_assert(sizeof(SalvageHalf) == 24);

struct SalvagePlan {
  SalvagePlanHeader header;
  std::vector<SalvageHalf> halves;  // two for each segment
};

// Copies the plan out of `data` and checks its numbers.
Failure ParseSalvagePlan(const void* data, size_t bytes, SalvagePlan* out);

// Something that could not be used.
struct SalvageLoss {
  const char* what = "";  // record, piece, node, frame, segment, page
  uint64_t where = 0;     // bytes into the file
  uint32_t tree = kTreeUser;
  bool has_key = false;  // `key` is the entry's
  bool has_high = false;
  bool is_range = false;  // of keys: from `low` (empty: the bottom) to below `high` (without has_high: the top)
  std::string key;
  std::string low, high;
  uint64_t lsn = 0;  // frame: the first that is missing
  uint64_t lsn_last = 0;
  uint64_t entries = 0;  // how many are lost with it, or may be
  std::string detail;
};

struct SalvageReport {
  uint64_t by_index = 0;  // entries copied
  uint64_t from_tail = 0;
  uint64_t from_scan = 0;
  uint64_t bytes = 0;                 // of their keys and values
  uint64_t lost_entries = 0;          // known to be lost; not those of `unknown`
  uint64_t losses = 0;                // in all; `listed` has the first ones
  bool unknown = false;               // there are losses of which nobody can say how many entries they were
  uint64_t frames_behind_damage = 0;  // applied, where recovery would have refused
  uint64_t last_lsn = 0;
  std::vector<SalvageLoss> listed;
  std::vector<uint32_t> spaces;  // ids of namespaces that entries were copied of, ascending
};

inline constexpr size_t kSalvageLossesListed = 1000;
// Of the keys that are kept in memory: those of the log's tail, and of damaged parts of the index.
inline constexpr uint64_t kSalvageKeyBytesMax = uint64_t{4} << 30;

// `progress`: [0] done, [1] in all, [2] set to non-zero by the caller to abort. Accessed atomically.
// kFull: `out` is too small. kAborted. Else as Store::Batch and Store::Commit fail.
// Everything is durable in `out` when it returns ok.
Failure SalvageStore(const Region& source, const SalvagePlan& plan, Store* out, int64_t* progress,
                     SalvageReport* report);

// Geometry and seed of a store whose superblocks are gone, from the headers of its log segments: what most of them
// agree on. False: fewer than two agree.
struct SalvageGuess {
  uint32_t segment_bytes = 0;
  uint32_t store_seed = 0;
  uint32_t headers = 0;  // that agree
};
bool GuessStore(const Region& source, SalvageGuess* out);

}  // namespace sealog
