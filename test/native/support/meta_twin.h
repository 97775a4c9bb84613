// What src/layout/ and src/recovery/ decide from META, once more in C++: native tests open stores without Node. The
// product never uses this; `npm run test:recovery` holds it against TypeScript, plan for plan and refusal for refusal.
#pragma once

#include <algorithm>
#include <cstring>
#include <optional>
#include <vector>

#include "base/crc32c.h"
#include "base/status.h"
#include "format/format.h"
#include "store/plan.h"

namespace sealog::test {

template <class T>
uint32_t MetaCrc(const T& structure, uint32_t seed) {
  return Crc32c(seed, reinterpret_cast<const uint8_t*>(&structure) + 4, sizeof structure - 4);
}

struct MetaPlan {
  Status status = Status::kOk;
  std::vector<uint8_t> bytes;     // the plan buffer of docs/boundary.md
  bool older_checkpoint = false;  // the newest valid slot's table does not hold
  uint32_t superblock = 0;        // which one is current
  bool settled = true;            // the other one is like it, and the file ends where it says
};

// The file's beginning: at least META, or all of a shorter file.
class MetaTwin {
 public:
  MetaTwin(const uint8_t* data, uint64_t bytes, uint64_t file_bytes) : data_(data), bytes_(bytes), file_(file_bytes) {}

  MetaPlan Plan(bool read_only, uint64_t checkpoint_bytes) {
    MetaPlan plan;
    plan.status = ChooseSuperblock(read_only);
    if (plan.status != Status::kOk) return plan;
    plan.superblock = current_;
    plan.settled = file_ == superblock_.region_bytes &&
                   memcmp(data_ + kSuperblockOffset[0], data_ + kSuperblockOffset[1], kSuperblockBytes) == 0;
    ChooseSlots();
    plan.status = Status::kCorrupt;
    for (const CheckpointSlot& slot : slots_) {
      if (PlanTable(slot, read_only, checkpoint_bytes, &plan.bytes)) {
        plan.status = Status::kOk;
        return plan;
      }
      plan.older_checkpoint = true;
    }
    return plan;
  }

 private:
  // A JavaScript number holds it exactly.
  static bool Safe(uint64_t n) { return n < 1ull << 53; }

  template <class T>
  bool Read(uint64_t offset, T* out) const {
    if (offset > bytes_ || bytes_ - offset < sizeof *out) return false;
    memcpy(out, data_ + offset, sizeof *out);
    return true;
  }

  static bool Sensible(const Superblock& s) {
    return Safe(s.sequence) && Safe(s.created_unix_ms) && s.segment_bytes_log2 >= 14 && s.segment_bytes_log2 <= 21 &&
           s.segment_count <= 1u << 22 && s.segment_count <= s.table_capacity &&
           s.meta_segments == MetaSegments(1u << s.segment_bytes_log2, s.table_capacity) &&
           s.meta_segments < s.segment_count && s.region_bytes == uint64_t{s.segment_count} << s.segment_bytes_log2 &&
           s.key_codec >= 1 && s.key_codec <= 3 && ((s.value_codec >= 1 && s.value_codec <= 4) || s.value_codec == 255);
  }

  Status ChooseSuperblock(bool read_only) {
    const Superblock* newest = nullptr;
    bool damaged = false;
    Superblock copies[2];
    for (int i = 0; i < 2; ++i) {
      Superblock& s = copies[i];
      if (!Read(kSuperblockOffset[i], &s) || s.magic != kSuperblockMagic) continue;
      const uint32_t crc = s.crc;
      s.crc = 0;
      const bool other_version = s.format_version != kFormatVersion;
      if (Crc32c(0, &s, sizeof s) != crc || (!other_version && !Sensible(s))) {
        damaged = true;
      } else if (newest == nullptr || static_cast<double>(s.sequence) > static_cast<double>(newest->sequence)) {
        newest = &s;
      }
    }
    if (newest == nullptr) {
      for (uint64_t offset : kCheckpointSlotOffset) {
        uint32_t magic = 0;
        damaged = damaged || (Read(offset + 4, &magic) && magic == kSlotMagic);
      }
      return damaged ? Status::kCorrupt : Status::kNotAStore;
    }
    superblock_ = *newest;
    current_ = static_cast<uint32_t>(newest - copies);
    if (newest->format_version != kFormatVersion ||
        (newest->features_incompat & ~uint64_t{kFeatureExpiry | kFeatureCleaning}) != 0)
      return Status::kVersion;
    if (newest->features_ro != 0 && !read_only) return Status::kVersion;
    seed_ = StoreSeed(newest->uuid);
    return file_ < newest->region_bytes ? Status::kTruncated : Status::kOk;
  }

  bool Fits(const LogPosition& p, uint32_t segment_count) const {
    if (p.segment == kSegmentNone) return true;
    return p.offset % kLineBytes == 0 && p.offset >= kLogFirstFrame &&
           p.offset <= (1u << superblock_.segment_bytes_log2) - kLineBytes && Safe(p.log_sequence) &&
           p.segment >= superblock_.meta_segments && p.segment < segment_count;
  }

  void ChooseSlots() {
    for (uint32_t i = 0; i < 2; ++i) {
      CheckpointSlot s;
      if (!Read(kCheckpointSlotOffset[i], &s) || s.magic != kSlotMagic || MetaCrc(s, seed_) != s.crc) continue;
      bool fits = s.sequence % 2 == i && s.epoch <= kEpochMax && Safe(s.sequence) && Safe(s.lsn) &&
                  Safe(s.live_bytes) && Safe(s.next_log_sequence) && Safe(s.time_unix_ms) &&
                  s.segment_count > superblock_.meta_segments && s.segment_count <= superblock_.segment_count &&
                  Fits(s.hot, s.segment_count) && Fits(s.cold, s.segment_count) &&
                  s.live_bytes <= superblock_.region_bytes;
      for (const TreeRoot& root : s.roots) {
        const uint64_t index = root.ref & ((1ull << kNodeRefIndexBits) - 1);
        fits = fits && Safe(root.count) && (index != 0 || (root.ref == 0 && root.count == 0)) &&
               index * kLeafBytes < superblock_.region_bytes;
      }
      if (fits) slots_.push_back(s);
    }
    if (slots_.size() == 2 && slots_[1].sequence > slots_[0].sequence) std::swap(slots_[0], slots_[1]);
  }

  std::optional<SegmentHalf> Half(uint32_t segment, uint64_t k) const {
    SegmentHalf half;
    if (!Read(kSegmentTableOffset + uint64_t{segment} * kSegmentEntryBytes + k * kSegmentHalfBytes, &half)) return {};
    if (MetaCrc(half, seed_ ^ segment) != half.crc || half.type > static_cast<uint8_t>(SegmentType::kInner)) return {};
    if (half.epoch == 0 || half.epoch > kEpochMax || !Safe(half.sequence)) return {};
    return half;
  }

  bool Possible(const SegmentHalf& half, uint32_t segment) const {
    const auto type = static_cast<SegmentType>(half.type);
    const uint32_t segment_bytes = 1u << superblock_.segment_bytes_log2;
    const uint32_t unit = type == SegmentType::kLeaf ? kLeafBytes : type == SegmentType::kInner ? kInnerBytes : 1;
    return (type == SegmentType::kMeta) == (segment < superblock_.meta_segments) && half.live <= segment_bytes / unit;
  }

  static bool Holds(const PlanSegment& s, const LogPosition& cursor) {
    return s.type == static_cast<uint8_t>(SegmentType::kLog) && s.sequence == cursor.log_sequence &&
           s.check == cursor.seed;
  }

  bool PlanTable(const CheckpointSlot& slot, bool read_only, uint64_t checkpoint_bytes, std::vector<uint8_t>* out) {
    std::vector<PlanSegment> segments(superblock_.segment_count);
    uint64_t epoch_floor = 0;
    for (const CheckpointSlot& each : slots_) epoch_floor = std::max(epoch_floor, each.epoch);
    uint32_t check = 0;
    for (uint32_t i = 0; i < segments.size(); ++i) {
      std::optional<SegmentHalf> current;
      PlanSegment s{};
      for (uint8_t k = 0; k < 2; ++k) {
        const std::optional<SegmentHalf> half = Half(i, k);
        if (!half) continue;
        epoch_floor = std::max(epoch_floor, half->epoch);
        if (half->epoch > slot.epoch) {
          s.stale = 1;
        } else if (!current || half->epoch > current->epoch) {
          current = half;
          s.half = k;
        }
      }
      if (i >= slot.segment_count) continue;  // the checkpoint does not know it yet: free
      if (!current || !Possible(*current, i)) return false;
      check ^= TableTerm(current->crc);
      s.type = current->type;
      s.flags = current->flags;
      s.live = current->live;
      s.check = current->check;
      s.sequence = current->sequence;
      s.epoch = current->epoch;
      segments[i] = s;
    }
    if (check != slot.table_check) return false;
    for (const LogPosition* cursor : {&slot.hot, &slot.cold}) {
      if (cursor->segment != kSegmentNone && !Holds(segments[cursor->segment], *cursor)) return false;
    }
    if (slot.hot.segment != kSegmentNone && slot.hot.segment == slot.cold.segment) return false;
    Encode(slot, epoch_floor, segments, read_only, checkpoint_bytes, out);
    return true;
  }

  // Without what is reserved.
  static LogPosition Plain(const LogPosition& p) {
    if (p.segment == kSegmentNone) return {kSegmentNone, 0, 0, 0, 0};
    return {p.segment, p.offset, p.log_sequence, p.seed, 0};
  }

  void Encode(const CheckpointSlot& slot, uint64_t epoch_floor, const std::vector<PlanSegment>& segments,
              bool read_only, uint64_t checkpoint_bytes, std::vector<uint8_t>* out) const {
    PlanHeader h{};
    h.version = kPlanVersion;
    h.flags = read_only ? kPlanReadOnly : 0;
    if ((superblock_.features_incompat & kFeatureCleaning) != 0) h.flags |= kPlanCleaning;
    memcpy(h.uuid, superblock_.uuid, sizeof h.uuid);
    h.segment_bytes_log2 = superblock_.segment_bytes_log2;
    h.segment_count = superblock_.segment_count;
    h.meta_segments = superblock_.meta_segments;
    h.table_capacity = superblock_.table_capacity;
    h.checkpoint_bytes = checkpoint_bytes;
    h.slot_sequence = slot.sequence;
    h.epoch = slot.epoch;
    h.lsn = slot.lsn;
    h.hot = Plain(slot.hot);
    h.cold = Plain(slot.cold);
    for (uint32_t t = 0; t < kTreeCount; ++t) h.roots[t] = {slot.roots[t].ref, slot.roots[t].count, 0};
    h.live_bytes = slot.live_bytes;
    h.next_log_sequence = slot.next_log_sequence;
    h.slot_flags = slot.flags;
    h.key_codec = superblock_.key_codec;
    h.epoch_floor = epoch_floor;
    out->resize(sizeof h + segments.size() * sizeof(PlanSegment));
    memcpy(out->data(), &h, sizeof h);
    memcpy(out->data() + sizeof h, segments.data(), segments.size() * sizeof(PlanSegment));
  }

  const uint8_t* data_;
  uint64_t bytes_;
  uint64_t file_;
  Superblock superblock_{};
  uint32_t current_ = 0;
  uint32_t seed_ = 0;
  std::vector<CheckpointSlot> slots_;  // valid ones, the newest first
};

}  // namespace sealog::test
