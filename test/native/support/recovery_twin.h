// Opening a store without Node: META decoded the way src/recovery/ does it, only as far as native tests need. The
// product never uses this; test/api/native-twin.test.ts holds it against the TypeScript one.
#pragma once

#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "base/base.h"
#include "format/format.h"
#include "region/region.h"
#include "store/store.h"

namespace sealog::test {

template <class T>
uint32_t MetaCrc(const T& structure, uint32_t seed) {
  return Crc32c(seed, reinterpret_cast<const uint8_t*>(&structure) + 4, sizeof structure - 4);
}

inline bool ValidSuperblock(const Superblock& given) {
  Superblock s = given;
  s.crc = 0;
  return given.magic == kSuperblockMagic && given.format_version == kFormatVersion &&
         Crc32c(0, &s, sizeof s) == given.crc;
}

struct OpenResult {
  Failure failure;
  std::unique_ptr<Store> store;
  Store::ReplayResult replay;
  bool clean = false;
};

// The plan buffer for what the region holds; false if META does not hold.
inline bool MakePlan(const Region& region, uint64_t checkpoint_bytes, std::vector<uint8_t>* out) {
  auto at = [&](uint64_t offset) { return region.base() + offset; };
  const Superblock* superblock = nullptr;
  for (uint64_t offset : kSuperblockOffset) {
    auto* s = reinterpret_cast<const Superblock*>(at(offset));
    if (ValidSuperblock(*s) && (superblock == nullptr || s->sequence > superblock->sequence)) superblock = s;
  }
  if (superblock == nullptr) return false;
  uint32_t seed = StoreSeed(superblock->uuid);
  const CheckpointSlot* slot = nullptr;
  for (uint64_t offset : kCheckpointSlotOffset) {
    auto* s = reinterpret_cast<const CheckpointSlot*>(at(offset));
    if (s->magic == kSlotMagic && MetaCrc(*s, seed) == s->crc && (slot == nullptr || s->sequence > slot->sequence))
      slot = s;
  }
  if (slot == nullptr) return false;
  PlanHeader h{};
  h.version = kPlanVersion;
  h.flags = region.read_only() ? kPlanReadOnly : 0;
  memcpy(h.uuid, superblock->uuid, 16);
  h.segment_bytes_log2 = superblock->segment_bytes_log2;
  h.segment_count = superblock->segment_count;
  h.meta_segments = superblock->meta_segments;
  h.table_capacity = superblock->table_capacity;
  h.checkpoint_bytes = checkpoint_bytes;
  h.slot_sequence = slot->sequence;
  h.epoch = h.epoch_floor = slot->epoch;
  h.lsn = slot->lsn;
  h.hot = slot->hot;
  h.cold = slot->cold;
  memcpy(h.roots, slot->roots, sizeof h.roots);
  h.live_bytes = slot->live_bytes;
  h.next_log_sequence = slot->next_log_sequence;
  h.slot_flags = slot->flags;
  h.key_codec = superblock->key_codec;
  std::vector<PlanSegment> segments(h.segment_count);
  uint32_t check = 0;
  for (uint32_t i = 0; i < h.segment_count; ++i) {
    auto* halves = reinterpret_cast<const SegmentHalf*>(at(kSegmentTableOffset + uint64_t{i} * kSegmentEntryBytes));
    int chosen = -1;
    for (int k = 0; k < 2; ++k) {
      if (MetaCrc(halves[k], seed ^ i) != halves[k].crc) continue;
      if (halves[k].epoch > h.epoch_floor) h.epoch_floor = halves[k].epoch;
      if (halves[k].epoch > slot->epoch) {
        segments[i].stale = 1;
      } else if (chosen < 0 || halves[k].epoch > halves[chosen].epoch) {
        chosen = k;
      }
    }
    if (chosen < 0) return false;
    const SegmentHalf& half = halves[chosen];
    check ^= half.crc;
    PlanSegment& s = segments[i];
    s.type = half.type;
    s.flags = half.flags;
    s.half = static_cast<uint8_t>(chosen);
    s.live = half.live;
    s.check = half.check;
    s.sequence = half.sequence;
    s.epoch = half.epoch;
  }
  if (check != slot->table_check) return false;
  out->resize(sizeof h + segments.size() * sizeof(PlanSegment));
  memcpy(out->data(), &h, sizeof h);
  memcpy(out->data() + sizeof h, segments.data(), segments.size() * sizeof(PlanSegment));
  return true;
}

inline OpenResult OpenStore(const std::string& path, const RegionOptions& options = {},
                            FlushKind flush = BestFlush(false), uint64_t checkpoint_bytes = 1 << 20,
                            bool populate = false) {
  OpenResult result;
  std::unique_ptr<Region> region;
  result.failure = Region::Open(path, options, &region);
  if (!result.failure.ok()) return result;
  std::vector<uint8_t> buffer;
  if (!MakePlan(*region, checkpoint_bytes, &buffer)) {
    result.failure = {Status::kCorrupt, 0, "", 0, "META does not hold"};
    return result;
  }
  Plan plan;
  result.failure = ParsePlan(buffer.data(), buffer.size(), region->bytes(), &plan);
  if (!result.failure.ok()) return result;
  bool was_clean = (plan.header.slot_flags & kSlotClean) != 0;
  auto store = std::make_unique<Store>(std::move(region), flush);
  result.failure = store->Start(std::move(plan));
  if (!result.failure.ok()) return result;
  result.replay = store->Replay();
  result.failure = result.replay.failure;
  if (!result.failure.ok()) return result;
  if (result.replay.later.found) {
    result.failure = {Status::kCorrupt, 0, "", 0, "interior damage"};
    return result;
  }
  result.clean = was_clean && result.replay.end.frames == 0;
  result.failure = store->Serve({!result.clean, populate});
  if (result.failure.ok()) result.store = std::move(store);
  return result;
}

inline Bytes BytesOf(const std::string& s) { return {reinterpret_cast<const uint8_t*>(s.data()), s.size()}; }

}  // namespace sealog::test
