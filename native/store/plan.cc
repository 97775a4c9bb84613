#include "store/plan.h"

#include <algorithm>
#include <cstring>
#include <string>

namespace sealog {
namespace {

Failure Refuse(const char* what, uint64_t offset = 0) { return Refusal(Status::kCorrupt, what, offset); }

}  // namespace

Failure ParsePlan(const void* data, size_t bytes, uint64_t region_bytes, Plan* out) {
  PlanHeader& h = out->header;
  if (bytes < sizeof h) return {Status::kInvalid, 0, "", 0, "the plan is too short"};
  memcpy(&h, data, sizeof h);
  if (h.version != kPlanVersion) return {Status::kInvalid, 0, "", 0, "the plan has another version"};
  if (h.segment_bytes_log2 > 21 || (1u << h.segment_bytes_log2) < kSegmentBytesMin)
    return Refuse("the segment size is out of range");
  const uint32_t segment_bytes = 1u << h.segment_bytes_log2;
  // The file may be longer: growth that was cut off.
  if (h.segment_count == 0 || uint64_t{h.segment_count} << h.segment_bytes_log2 > region_bytes) {
    return Refuse("the segments do not fit the file");
  }
  if (h.table_capacity < h.segment_count || h.meta_segments >= h.segment_count ||
      h.meta_segments != MetaSegments(segment_bytes, h.table_capacity)) {
    return Refuse("the segment table does not fit its segments");
  }
  if (bytes != sizeof h + uint64_t{h.segment_count} * sizeof(PlanSegment)) {
    return {Status::kInvalid, 0, "", 0, "the plan has another length than its segment count asks for"};
  }
  if (h.epoch == 0 || std::max(h.epoch, h.epoch_floor) > kEpochMax - (1ull << 32))
    return Refuse("the epoch is out of range");
  out->segments.resize(h.segment_count);
  memcpy(out->segments.data(), static_cast<const uint8_t*>(data) + sizeof h,
         out->segments.size() * sizeof(PlanSegment));
  for (uint32_t i = 0; i < h.segment_count; ++i) {
    const PlanSegment& s = out->segments[i];
    bool meta = s.type == static_cast<uint8_t>(SegmentType::kMeta);
    if (s.type > static_cast<uint8_t>(SegmentType::kInner) || meta != (i < h.meta_segments) || s.half > 1 ||
        s.live > segment_bytes) {
      return Refuse("a segment's table entry makes no sense", kSegmentTableOffset + uint64_t{i} * kSegmentEntryBytes);
    }
  }
  for (const LogPosition& at : {h.hot, h.cold}) {
    if (at.segment == kSegmentNone) continue;
    if (at.segment >= h.segment_count || at.offset < kLogFirstFrame || at.offset % kLineBytes != 0 ||
        at.offset > segment_bytes - kLineBytes) {
      return Refuse("the log position is outside of the region");
    }
    const PlanSegment& s = out->segments[at.segment];
    if (s.type != static_cast<uint8_t>(SegmentType::kLog) || s.sequence != at.log_sequence || s.check != at.seed) {
      return Refuse("the log position is not in a log segment", uint64_t{at.segment} << h.segment_bytes_log2);
    }
  }
  if (h.cold.segment != kSegmentNone && h.hot.segment == h.cold.segment)
    return Refuse("the log's heads are in one segment");
  return {};
}

}  // namespace sealog
