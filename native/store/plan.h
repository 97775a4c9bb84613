// What TypeScript's recovery decided from META, as one buffer (docs/boundary.md). Nothing in it is trusted.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/status.h"
#include "format/format.h"

namespace sealog {

inline constexpr uint32_t kPlanVersion = 1;
inline constexpr uint32_t kPlanReadOnly = 1;
inline constexpr uint32_t kPlanCleaning = 2;  // the store has kFeatureCleaning

struct PlanHeader {
  uint32_t version;
  uint32_t flags;
  uint8_t uuid[16];
  uint32_t segment_bytes_log2;
  uint32_t segment_count;
  uint32_t meta_segments;
  uint32_t table_capacity;
  uint64_t checkpoint_bytes;
  uint64_t slot_sequence;
  uint64_t epoch;
  uint64_t lsn;
  LogPosition hot;
  LogPosition cold;
  TreeRoot roots[kTreeCount];
  uint64_t live_bytes;
  uint64_t next_log_sequence;
  uint32_t slot_flags;
  uint32_t key_codec;
  uint64_t reserved;
  uint64_t epoch_floor;  // the greatest epoch of any valid table half, also of a checkpoint that was cut off
};
static_assert(sizeof(PlanHeader) == 256);
static_assert(offsetof(PlanHeader, hot) == 72);
static_assert(offsetof(PlanHeader, roots) == 120);
static_assert(offsetof(PlanHeader, slot_flags) == 232);

struct PlanSegment {
  uint8_t type;
  uint8_t flags;
  uint8_t half;
  uint8_t stale;  // 1: the other half is valid and newer than the slot; it must be overwritten
  uint32_t live;
  uint32_t check;
  uint32_t zero1;
  uint64_t sequence;
  uint64_t epoch;
};
static_assert(sizeof(PlanSegment) == 32);

struct Plan {
  PlanHeader header;
  std::vector<PlanSegment> segments;
};

// Copies the plan out of `data` and checks it against a region of `region_bytes`: geometry, types, the log's position.
Failure ParsePlan(const void* data, size_t bytes, uint64_t region_bytes, Plan* out);

}  // namespace sealog
