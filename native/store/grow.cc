// Growth. Invariant I-GROW-1: a segment is used only when both superblocks know it, and these only when its bytes, its
// table entry and its mapping are there. So a crash at any point leaves the old size or the new one, and nothing in
// what the old one does not have.
//
//   file longer, zeros, fsync -> mapped -> seal record -> table entries, drain -> superblock B, drain -> A, drain
//   -> under the lock: in use -> the next checkpoint knows them
#include <algorithm>
#include <cstring>

#include "platform/system.h"
#include "region/meta_writer.h"
#include "store/store.h"

namespace sealog {
namespace {

constexpr uint64_t kRetryMs = 1000;  // after a growth by itself that failed
constexpr uint32_t kLowSegmentsMin = 2;
constexpr uint32_t kLowShare = 8;  // of the segments
constexpr uint64_t kCleanedBelowPercent = 60;
constexpr uint32_t kEntriesPerDrain = 16384;

DrainKind GrowthDrain(Domain domain) {
  if (domain == Domain::kDisk) return DrainKind::kWriteThrough;
  return domain == Domain::kOs ? DrainKind::kFenceAndSync : DrainKind::kFence;
}

uint32_t SegmentsFor(uint64_t bytes, uint32_t segment_bytes) {
  return static_cast<uint32_t>(std::min<uint64_t>((bytes + segment_bytes - 1) / segment_bytes, kSegmentNone - 1));
}

bool IsWhole(const Superblock& superblock) {
  Superblock whole = superblock;
  Complete(&whole);
  return superblock.magic == whole.magic && superblock.crc == whole.crc;
}

}  // namespace

Failure Store::Settle(uint32_t current) {
  if (!space_ || serving_ || region_->read_only() || current > 1) {
    return {Status::kInvalid, 0, "", 0, "a store is settled once, between its start and its service"};
  }
  if (Failure failure = region_->Trim(space_->bytes()); !failure.ok()) return failure;
  Persister persister(region_->base(), &region_->file(), flush_, GrowthDrain(region_->domain()));
  Superblock superblock;
  Status status = Status::kMedia;
  if (!Shielded([&] {
        memcpy(&superblock, region_->base() + kSuperblockOffset[current], sizeof superblock);
        status = Status::kCorrupt;
        if (!IsWhole(superblock) || superblock.region_bytes != space_->bytes()) return;
        // It may only be in a cache, left there by a process that was killed: durable before the other one is torn.
        persister.Flush(region_->base() + kSuperblockOffset[current], sizeof superblock, Site::kSuperblock);
        status = persister.Drain(Site::kSuperblock);
        if (status != Status::kOk) return;
        persister.Copy(region_->base() + kSuperblockOffset[current ^ 1], &superblock, sizeof superblock,
                       Site::kSuperblock);
        status = persister.Drain(Site::kSuperblock);
      })) {
    status = Status::kMedia;
  }
  if (status == Status::kOk) return {};
  return {status, persister.failure().error_number, persister.failure().syscall, kSuperblockOffset[current ^ 1],
          "a superblock could not be written again"};
}

// Half 0 of the entries [first, end): free. In a table that was all zeros there; or alike, of a growth that was cut
// off.
Status Store::WriteNewEntries(Persister* persister, uint32_t first, uint32_t end) {
  uint8_t line[kSegmentEntryBytes] = {};
  for (uint32_t i = first; i < end; ++i) {
    SegmentHalf half{};
    half.type = static_cast<uint8_t>(SegmentType::kFree);
    half.epoch = 1;
    Complete(&half, space_->store_seed(), i);
    grown_crc_[i - first] = half.crc;
    memcpy(line, &half, sizeof half);
    persister->Copy(region_->base() + SegmentHalfOffset(i, 0), line, sizeof line, Site::kGrownTable);
    if ((i - first) % kEntriesPerDrain == kEntriesPerDrain - 1 || i + 1 == end) {
      if (Status status = persister->Drain(Site::kGrownTable); status != Status::kOk) return status;
    }
  }
  return Status::kOk;
}

// What the superblocks will say. False if A, which both were like when the store was opened, is not whole any more.
bool Store::NextSuperblock(uint32_t segment_count, Superblock* next) const {
  memcpy(next, region_->base() + kSuperblockOffset[0], sizeof *next);
  const PlanHeader& h = plan_.header;
  if (!IsWhole(*next) || next->segment_bytes_log2 != h.segment_bytes_log2 || next->table_capacity != h.table_capacity ||
      next->table_capacity < segment_count || memcmp(next->uuid, h.uuid, sizeof h.uuid) != 0) {
    return false;
  }
  ++next->sequence;
  next->segment_count = segment_count;
  next->region_bytes = uint64_t{segment_count} * space_->segment_bytes();
  Complete(next);
  return true;
}

// Invariant I-META-1: A is current as long as B is not whole, and both are alike when this is done.
Status Store::WriteSuperblocks(Persister* persister, const Superblock& superblock) {
  for (uint32_t which : {1, 0}) {
    persister->Copy(region_->base() + kSuperblockOffset[which], &superblock, sizeof superblock, Site::kSuperblock);
    if (Status status = persister->Drain(Site::kSuperblock); status != Status::kOk) return status;
  }
  return Status::kOk;
}

// All that is done without the lock.
Failure Store::Extend(uint32_t before, uint32_t segment_count, int64_t* progress, Extended* out) {
  Superblock superblock;
  bool whole = false;
  if (!Shielded([&] { whole = NextSuperblock(segment_count, &superblock); }) || !whole) {
    return {Status::kCorrupt, 0, "", kSuperblockOffset[0], "its first superblock was damaged since it was opened"};
  }
  Region::Extension extension;
  extension.bytes = superblock.region_bytes;
  extension.uuid = plan_.header.uuid;
  extension.seal_sequence = ++growth_options_.seal_sequence;
  extension.populate = populate_;
  extension.progress = progress;
  extension.stop = &stop_growing_;
  if (Failure failure = region_->Extend(extension, &out->seal, &out->populated); !failure.ok()) return failure;
  pool_->PrepareGrowth(segment_count);
  grown_crc_.assign(segment_count - before, 0);

  Persister persister(region_->base(), &region_->file(), flush_, GrowthDrain(region_->domain()));
  Status status = Status::kMedia;
  out->tried_meta = true;
  if (!Shielded([&] {
        // A, likewise, before B is torn; with the entries' drain.
        persister.Flush(region_->base() + kSuperblockOffset[0], sizeof superblock, Site::kSuperblock);
        status = WriteNewEntries(&persister, before, segment_count);
        if (status == Status::kOk) status = WriteSuperblocks(&persister, superblock);
      })) {
    status = Status::kMedia;
  }
  if (status == Status::kOk) return {};
  return {status, persister.failure().error_number, persister.failure().syscall, 0,
          "growth could not be written to META; the store has its old size or the new one when it is opened again"};
}

Failure Store::GrowTo(Guard& guard, uint32_t segment_count, int64_t* progress) {
  const uint32_t before = space_->count();
  growing_ = true;
  guard.unlock();
  Extended extended;
  Failure failure = Extend(before, segment_count, progress, &extended);
  guard.lock();
  growing_ = false;
  if (failure.ok()) {
    space_->Grow(segment_count);
    pool_->Grow();
    for (uint32_t crc : grown_crc_) {
      half_crc_.push_back(crc);
      table_check_ ^= TableTerm(crc);
    }
    dirty_ = true;  // for a checkpoint that knows them
    SetLevels();
    if (extended.populated) grown_populated_bytes_ += uint64_t{segment_count - before} * space_->segment_bytes();
    grown_unpopulated_ = grown_unpopulated_ || !extended.populated;
    growth_.seal = extended.seal;
    ++growth_.count;
    growth_.failure = {};
  } else if (extended.tried_meta) {
    Poison(failure.status, failure);
  }
  done_.notify_all();
  return failure;
}

Failure Store::Grow(uint64_t capacity_bytes, int64_t* progress) {
  Guard guard(lock_);
  done_.wait(guard, [this] { return !growing_; });
  if (Status status = stop_growing_ ? Status::kClosed : Writable(); status != Status::kOk)
    return {status, 0, "", 0, ""};
  const uint32_t segment_bytes = space_->segment_bytes();
  if (capacity_bytes > uint64_t{space_->capacity()} * segment_bytes) {
    const uint64_t room = uint64_t{space_->capacity()} * segment_bytes;
    const bool table = space_->capacity() == plan_.header.table_capacity;
    return {Status::kCapacity, 0, "", room,
            table ? "its segment table has room for " + std::to_string(room) + " bytes"
                  : "addresses for " + std::to_string(room) + " bytes were reserved when it was opened"};
  }
  const uint32_t segments = SegmentsFor(capacity_bytes, segment_bytes);
  return segments <= space_->count() ? Failure{} : GrowTo(guard, segments, progress);
}

void Store::Growth(GrowthReport* out) {
  Guard guard(lock_);
  *out = growth_;
  out->running = growing_;
  out->bytes = space_->bytes();
  out->bytes_max = uint64_t{space_->capacity()} * space_->segment_bytes();
}

// --- by itself

// Segments after the next step; what there are, if there is none.
uint32_t Store::NextSize() const {
  const uint32_t segment_bytes = space_->segment_bytes();
  const uint64_t next = uint64_t{space_->count()} + SegmentsFor(growth_options_.step_bytes, segment_bytes);
  const uint64_t max = std::min<uint64_t>(growth_options_.max_bytes / segment_bytes, space_->capacity());
  return static_cast<uint32_t>(std::max<uint64_t>(std::min(next, max), space_->count()));
}

bool Store::MayGrow() const {
  return growth_options_.step_bytes != 0 && NextSize() > space_->count() &&
         (growth_.failure.ok() || MonotonicMillis() - growth_failed_ms_ >= kRetryMs);
}

void Store::StartGrowing() {
  // Without the thread it grows when it is full.
  if (growth_options_.step_bytes != 0) {
    static_cast<void>(growth_thread_.Start("sealog-grow", [this] { GrowthThread(); }));
  }
}

// Ends a growth under way: taken back, or completed if it has come as far as META. Later ones are refused.
// REQUIRES: nothing is served from now on.
void Store::StopGrowing(Guard& guard) {
  stop_growing_ = true;
  done_.wait(guard, [this] { return !growing_; });
}

void Store::GrowthThread() {
  Guard guard(lock_);
  for (;;) {
    grow_.wait(guard, [this] { return stop_growing_ || (growth_wanted_ && !growing_); });
    if (stop_growing_) return;
    growth_wanted_ = false;
    if (Writable() != Status::kOk || !MayGrow()) continue;
    growth_.failure = GrowTo(guard, NextSize(), nullptr);
    growth_failed_ms_ = MonotonicMillis();
  }
}

// The store is full, and nothing comes back. True if it has become larger.
bool Store::GrowForWriter(Guard& guard) {
  if (growth_options_.step_bytes == 0) return false;
  const uint32_t before = space_->count();
  if (growing_) done_.wait(guard, [this] { return !growing_; });
  if (space_->count() == before && Writable() == Status::kOk && MayGrow()) {
    growth_.failure = GrowTo(guard, NextSize(), nullptr);
    growth_failed_ms_ = MonotonicMillis();
  }
  return space_->count() > before;
}

// After a change: begins to grow before anyone has to wait for it.
void Store::GrowAhead() {
  if (growth_options_.step_bytes == 0 || growing_ || growth_wanted_) [[likely]]
    return;
  // Cleaning makes room as long as not too much is alive, as the last checkpoint counted it.
  if (leisure_level_ != 0 && frozen_.slot.live_bytes < space_->bytes() / 100 * kCleanedBelowPercent) return;
  const uint32_t step = SegmentsFor(growth_options_.step_bytes, space_->segment_bytes());
  const uint32_t low = std::min(step, std::max(kLowSegmentsMin, space_->count() / kLowShare));
  if (space_->free_count() >= space_->reserve(Reserve::kPut) + low || !MayGrow()) return;
  growth_wanted_ = true;
  grow_.notify_one();
}

}  // namespace sealog
