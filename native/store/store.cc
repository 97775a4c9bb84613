#include "store/store.h"

#include <algorithm>
#include <cstring>
#include <new>

#include "platform/system.h"
#include "platform/usage.h"
#include "region/meta_writer.h"

namespace sealog {
namespace {

DrainKind LogDrain(Domain domain) { return domain == Domain::kDisk ? DrainKind::kWriteThrough : DrainKind::kFence; }

DrainKind CheckpointDrain(Domain domain) {
  switch (domain) {
    case Domain::kDisk:
      return DrainKind::kWriteThrough;
    case Domain::kOs:
      return DrainKind::kFenceAndSync;
    default:
      return DrainKind::kFence;
  }
}

}  // namespace

Store::Store(std::unique_ptr<Region> region, FlushKind flush)
    : region_(std::move(region)),
      flush_(flush),
      persister_(region_->base(), &region_->file(), flush, LogDrain(region_->domain())),
      checkpoint_persister_(region_->base(), &region_->file(), flush, CheckpointDrain(region_->domain())) {}

Store::~Store() { Release(); }

// In a forked child: the locks as nobody holds them, and nothing to wait for.
void Store::GiveUp() {
  new (&lock_) WriterLock;
  new (&pins_lock_) std::mutex;
  for (std::condition_variable_any* each : {&wake_, &done_, &cleaner_wake_, &grow_})
    new (each) std::condition_variable_any;
  forked_ = stop_ = true;
  serving_ = in_flight_ = commit_in_flight_ = growing_ = false;
  pinned_readers_ = 0;
  if (view_mapping_) view_mapping_->Abandon();
}

void Store::Release() {
  if (!forked_) {
    Guard guard(lock_);
    static_cast<void>(WaitForCommit(guard));
    serving_ = false;
    stop_ = true;
    wake_.notify_all();
    cleaner_wake_.notify_all();
    done_.notify_all();
    StopGrowing(guard);
    grow_.notify_all();
    done_.wait(guard, [this] { return pinned_readers_ == 0; });
  }
  thread_.Join();
  cleaner_thread_.Join();
  growth_thread_.Join();
  populator_.Stop();
  view_mapping_.reset();
  region_.reset();
}

Failure Store::Start(Plan plan) {
  if (space_) return {Status::kInvalid, 0, "", 0, "the store was started already"};
  plan_ = std::move(plan);
  const PlanHeader& h = plan_.header;
  // What belongs to an older checkpoint and not to this one is not known any more, so it cannot be kept.
  if (!region_->read_only() &&
      (region_->IsPinned(0, h.slot_sequence) || region_->IsPinned(h.slot_sequence + 1, Region::kCheckpointsMax))) {
    return {Status::kLocked, 0, "", 0, "a reader process reads a state from before the last checkpoint"};
  }
  uint64_t seeds[2];
  if (Failure failure = RandomBytes(seeds, sizeof seeds); !failure.ok()) return failure;

  const uint64_t reserved = region_->mapping().reserved_bytes() >> h.segment_bytes_log2;
  const auto capacity = static_cast<uint32_t>(std::min<uint64_t>({h.table_capacity, reserved, kSegmentCountMax}));
  space_ = std::make_unique<Space>(region_->base(), h.segment_bytes_log2, h.segment_count, h.uuid, capacity);
  half_crc_.reserve(capacity);
  half_crc_.resize(h.segment_count);
  for (uint32_t i = 0; i < h.segment_count; ++i) {
    const PlanSegment& from = plan_.segments[i];
    Segment s;
    s.type = static_cast<SegmentType>(from.type);
    const bool pending = (from.flags & kHalfPending) != 0;
    s.flags = static_cast<uint8_t>(from.flags & ~kHalfPending);
    s.half = from.half;
    s.live = from.live;
    s.check = from.check;
    s.sequence = from.sequence;
    // The checksum of its current half, for the sum over the table that the next checkpoint writes.
    SegmentHalf half{};
    half.type = from.type;
    half.flags = from.flags;
    half.epoch = from.epoch;
    half.sequence = from.sequence;
    half.live = from.live;
    half.check = from.check;
    Complete(&half, space_->store_seed(), i);
    // Since the checkpoint the store has grown: it has no entry of this one, and nothing in its sum.
    const bool unknown = from.epoch == 0;
    half_crc_[i] = unknown ? 0 : half.crc;
    table_check_ ^= TableTerm(half_crc_[i]);
    // With nothing live in it a segment is free, whatever it was: a session that was cut off may have reused it
    // already.
    // Not one with pieces of a value: their PUT may be in the log's tail. What stays empty is retired behind replay.
    bool empty = s.live == 0 && !pending && s.type != SegmentType::kMeta && i != h.hot.segment && i != h.cold.segment;
    if (empty) s.type = SegmentType::kFree;
    space_->Restore(i, s);
    // A half that a cut-off checkpoint left would be taken for current once the epoch has passed it.
    // And one that the checkpoint does not know has none at all.
    if (unknown || from.stale != 0 || pending || (empty && from.type != static_cast<uint8_t>(SegmentType::kFree)))
      space_->MarkDirty(i);
  }
  pool_ = std::make_unique<NodePool>(space_.get(), seeds[0]);
  log_ = std::make_unique<LogWriter>(space_.get(), &persister_, seeds[1]);
  cleaner_ = Cleaner(space_.get(), log_.get());
  SetLevels();
  if (!pool_->ready() || !log_->ready()) return {Status::kNoMemory, 0, "", 0, "no memory for the store's tables"};
  for (uint32_t i = 0; i < h.segment_count; ++i) {
    SegmentType type = space_->segment(i).type;
    if (type == SegmentType::kLeaf || type == SegmentType::kInner) pool_->Restore(i);
  }
  pool_->pins().Add(h.epoch);
  pool_->set_epoch(std::max(h.epoch, h.epoch_floor) + 1);
  checkpoint_pins_[1] = h.epoch;
  checkpoint_sequences_[1] = h.slot_sequence;
  slot_sequence_ = h.slot_sequence;

  if (Failure failure = EnsureGuardHandler(); !failure.ok()) return failure;
  if (!Shielded([&] {
        for (uint32_t t = 0; t < kTreeCount; ++t) {
          trees_.emplace_back(pool_.get(), space_.get());
          trees_.back().set_root({h.roots[t].ref, h.roots[t].count});
        }
      })) {
    return {Status::kMedia, 0, "", 0, "the file could not be read"};
  }
  return {};
}

Store::ReplayResult Store::Replay() {
  ReplayResult result;
  if (!space_ || reader_ || serving_) {
    result.failure = {Status::kInvalid, 0, "", 0, "the log is replayed once, after the store was started"};
    return result;
  }
  const PlanHeader& h = plan_.header;
  reader_ = std::make_unique<LogReader>(space_.get(), h.hot, h.cold, h.lsn + 1);
  if (h.hot.segment == kSegmentNone) {
    result.end = reader_->end();
    return result;
  }
  Status status = Status::kMedia;
  if (!Shielded([&] {
        status = reader_->Verify();
        damaged_offset_ = reader_->damaged_offset();
        if (status == Status::kOk) result.later = reader_->LookPast();
        // Reader processes that have replayed this tail pin the checkpoint before it, and read records in these as
        // well.
        for (const LogReader::Roll& roll : reader_->rolls()) space_->segment(roll.to.segment).birth = h.epoch;
        if (status == Status::kOk && !result.later.found) {
          status = reader_->Apply([this](const Record& record, uint64_t offset) { return Applied(record, offset); });
        }
      })) {
    status = Status::kMedia;
  }
  result.end = reader_->end();
  if (status != Status::kOk) {
    result.failure = {status, 0, "", damaged_offset_,
                      status == Status::kFull ? "the log cannot be replayed: no free segment for the index"
                                              : "the log or the index that it applies to is damaged"};
  }
  return result;
}

// Replay of one record: the same index change as when it was committed.
Status Store::Applied(const Record& record, uint64_t offset) {
  if (record.kind == kRecordChunk) return Status::kOk;
  Tree& tree = trees_[record.tree];
  Place place;
  if (Status status = tree.Locate(record.key, &place); status != Status::kOk) {
    damaged_offset_ = tree.damaged_offset();
    return status;
  }
  // What was moved: to where the entry is that it was copied from, and nothing else.
  if ((record.flags & kRecordMoved) != 0 && (!place.found || place.record.lsn != record.lsn)) return Status::kOk;
  return Index(&place, {record.kind, record.flags, record.tree, record.key, record.value}, offset);
}

Failure Store::Serve(const ServeOptions& options) {
  const PlanHeader& h = plan_.header;
  if (!space_ || serving_) return {Status::kInvalid, 0, "", 0, "a store is served once, after it was started"};
  // A new store has no log yet, and so nothing to replay.
  if (!reader_) {
    if (h.hot.segment != kSegmentNone && !(options.as_checkpointed && region_->read_only()))
      return {Status::kInvalid, 0, "", 0, "the log was not replayed"};
    reader_ = std::make_unique<LogReader>(space_.get(), h.hot, h.cold, h.lsn + 1);
  }
  const LogReader::End end = reader_->end();
  if (region_->read_only()) {
    // While they are sure to be those of the checkpoint: a writer changes them behind it.
    if (!Shielded([this] { pool_->LoadBitmaps(); })) return {Status::kMedia, 0, "", 0, "the file could not be read"};
    serving_ = true;
    return {};
  }
  bool fresh = h.hot.segment == kSegmentNone;
  Status status = Status::kOk;
  Failure os_sync;
  if (!Shielded([&] {
        if (fresh) {
          status = log_->Begin(h.lsn + 1, h.next_log_sequence) ? persister_.Drain(Site::kSegmentHeader) : Status::kFull;
          return;
        }
        log_->Resume(end.position, end.next_lsn, h.next_log_sequence, options.lsn_jump ? kSessionLsnJump : 0);
        // What was found valid may only be in a cache, left there by a process that was killed. It must be durable
        // before anyone is told of it; the slot, before the next checkpoint overwrites what only the slot before it
        // needs.
        persister_.Flush(region_->base() + kCheckpointSlotOffset[h.slot_sequence & 1], sizeof(CheckpointSlot),
                         Site::kReplayed);
        for (const LogReader::Extent& e : reader_->extents()) {
          persister_.Flush(region_->base() + e.offset, e.bytes, Site::kReplayed);
        }
        WipeTornSlot();
        for (const LogReader::Roll& roll : reader_->rolls()) log_->Reannounce(roll.from, roll.to);
        status = persister_.Drain(Site::kReplayed);
        if (status == Status::kOk && region_->domain() == Domain::kOs) os_sync = region_->file().Fdatasync();
      })) {
    status = Status::kMedia;
  }
  if (!os_sync.ok()) return os_sync;
  reader_.reset();
  // A session that only began left a frame: the slot says clean of what was before it.
  if (end.frames != 0) dirty_ = true;
  drained_lsn_ = indexed_lsn_ = log_->last_lsn();
  RetireEmptySegments();
  if (status == Status::kFull) return {status, 0, "", 0, "the store has no free segment for its log"};
  if (status != Status::kOk)
    return {status, persister_.failure().error_number, persister_.failure().syscall, 0,
            "recovery could not make the log's tail durable"};
  if (Failure failure = thread_.Start("sealog-ckpt", [this] { CheckpointThread(); }); !failure.ok()) return failure;
  clean_behind_ = options.clean_behind;
  serving_ = true;
  if (fresh) {
    // The first log segment becomes known by a checkpoint, before anything is acknowledged.
    dirty_ = true;
    Guard guard(lock_);
    status = CheckpointLocked(guard, 0);
    if (status != Status::kOk) return poison_;
  }
  if (dirty_) log_bytes_at_freeze_ = log_->bytes_appended() - end.bytes;  // may wrap: only differences are used
  Domain domain = region_->domain();
  populate_ = options.populate && (domain == Domain::kPmem || domain == Domain::kMemory);
  StartGrowing();
  if (populate_) {
    uint64_t first = space_->SegmentOffset(log_->position().segment);
    // Without it pages fault when they are first stored to; nothing else depends on it.
    static_cast<void>(populator_.Start(region_->mapping(), first));
  }
  return {};
}

// The next checkpoint goes where a slot may lie torn, and could complete it, torn itself: they have lines in common,
// and the table that the older one was for is gone by then. So its first line goes, durably, before anything else is
// written.
void Store::WipeTornSlot() {
  uint8_t* at = region_->base() + kCheckpointSlotOffset[(slot_sequence_ + 1) & 1];
  CheckpointSlot there, whole;
  memcpy(&there, at, sizeof there);
  whole = there;
  Complete(&whole, space_->store_seed());
  if (there.magic != kSlotMagic || there.crc == whole.crc) return;
  const uint8_t zeros[kLineBytes] = {};
  persister_.Copy(at, zeros, sizeof zeros, Site::kReplayed);
}

Status Store::Writable() const {
  if (!serving_) return gone();
  return region_->read_only() ? Status::kReadOnly : poison_status_;
}

Failure Store::poison() {
  Guard guard(lock_);
  return poison_;
}

Status Store::Poison(Status status, const Failure& failure) {
  if (poison_status_ == Status::kOk) {
    poison_status_ = Status::kPoisoned;
    poison_ = failure;
    poison_.status = status;
    done_.notify_all();
  }
  return Status::kPoisoned;
}

// A SIGBUS cut a change off. What it was doing decides what can still be trusted.
Status Store::Interrupted() {
  lock_.KeepReadersOut();  // it may have ended a wait beside them
  if (phase_ == Phase::kLooking) return Status::kMedia;
  if (phase_ == Phase::kIndexing) broken_ = true;
  Poison(Status::kMedia, {Status::kMedia, 0, "", 0, "the mapping could not be written: SIGBUS"});
  return Status::kMedia;
}

void Store::AddLiveBytes(uint64_t offset, int64_t delta) {
  uint32_t segment = space_->SegmentOf(offset);
  space_->AddLive(segment, delta);
  // Retired when the change is whole: a later record of the same batch may be counted into it. In replay not at all:
  // the log's own chain is still being read.
  if (delta < 0 && space_->segment(segment).live == 0 && !reader_) emptied_.push_back(segment);
}

// Counts a record that holds, and the pieces of a large value, into (sign 1) or out of (-1) their segments. Pieces
// count as their list says: their own headers may be damaged.
void Store::AddLive(uint64_t offset, const Change& change, int sign) {
  auto footprint = [&](uint8_t flags, size_t value_bytes) {
    const uint32_t bytes = LogWriter::RecordBytes(change.tree, flags, change.key.size, value_bytes);
    return int64_t{sign} * static_cast<int64_t>(RoundUp(bytes, kRecordAlign));
  };
  AddLiveBytes(offset, footprint(change.flags, change.value.size));
  if ((change.flags & kRecordExtents) == 0) return;
  for (size_t at = 0; at + sizeof(ValueExtent) <= change.value.size; at += sizeof(ValueExtent)) {
    ValueExtent extent;
    memcpy(&extent, change.value.data + at, sizeof extent);
    if (extent.offset >= space_->bytes() || extent.bytes > space_->segment_bytes() ||
        space_->segment(space_->SegmentOf(extent.offset)).type != SegmentType::kLog)
      continue;
    AddLiveBytes(extent.offset, footprint(0, extent.bytes));
  }
}

// A log segment that was left behind with nothing live in it: removes only, or pieces of values that never got whole.
void Store::RetireIfEmpty(uint32_t segment) {
  const Segment& s = space_->segment(segment);
  if (s.type != SegmentType::kLog || s.live != 0 || s.pending != 0 || log_->Uses(segment)) return;
  pool_->RetireSegment(segment, checkpoint_pins_[0] != 0 ? checkpoint_pins_[0] : checkpoint_pins_[1]);
}

void Store::RetireEmptied() {
  for (uint32_t segment : emptied_) RetireIfEmpty(segment);
  emptied_.clear();
}

void Store::RetireEmptySegments() {
  for (uint32_t i = 0; i < space_->count(); ++i) RetireIfEmpty(i);
}

Status Store::Close() {
  if (forked_) return Status::kOk;
  stop_compacting_ = true;
  Guard guard(lock_);
  Status status = Status::kOk;
  StopGrowing(guard);
  AbortValues();
  if (serving_ && !region_->read_only()) {
    status = WaitForCommit(guard);
    if (status == Status::kOk) status = DrainLog();
    // Nothing is written if nothing changed and the file says already that it was closed cleanly.
    bool clean = !dirty_ && !in_flight_ && checkpoints_ == 0 && (plan_.header.slot_flags & kSlotClean) != 0;
    if (status == Status::kOk && !clean) {
      // The slot carries the jump of a session that never began: the next open finds it clean, and will not jump again.
      log_->SkipSession();
      drained_lsn_ = log_->last_lsn();
      dirty_ = true;
      // While that is waited for, nothing is to be moved behind it.
      serving_ = false;
      status = CheckpointLocked(guard, kSlotClean);
    }
  }
  serving_ = false;
  return status;
}

// A reader's log is what was replayed.
uint64_t Store::LastLsn() const {
  return reader_ ? std::max(reader_->end().next_lsn, plan_.header.lsn + 1) - 1 : log_->last_lsn();
}

void Store::Stats(StoreStats* out) {
  Guard guard(lock_);
  ReleasePins();
  const PersistCounters& w = persister_.counters();
  const PersistCounters& c = checkpoint_persister_.counters();
  out->fences = static_cast<double>(w.fences + c.fences + background_commits_);
  out->lines = static_cast<double>(w.lines + c.lines);
  out->bytes = static_cast<double>(w.bytes + c.bytes);
  out->syncs = static_cast<double>(w.syncs + c.syncs);
  out->checkpoint_fences = static_cast<double>(c.fences);
  out->checkpoint_lines = static_cast<double>(c.lines);
  out->entries = static_cast<double>(trees_[kTreeUser].root().count);
  out->lsn = static_cast<double>(LastLsn());
  out->durable_lsn = static_cast<double>(reader_ ? LastLsn() : log_->stable_lsn());
  out->log_bytes = static_cast<double>(log_->bytes_appended());
  out->log_frames = static_cast<double>(log_->frames_appended());
  out->segments = space_->count();
  out->free_segments = space_->free_count();
  for (uint32_t i = 0; i < space_->count(); ++i) {
    const Segment& s = space_->segment(i);
    if (s.type == SegmentType::kLog) {
      ++out->log_segments;
      out->live_bytes += s.live;
    } else if (s.type == SegmentType::kLeaf) {
      ++out->leaf_segments;
    } else if (s.type == SegmentType::kInner) {
      ++out->inner_segments;
    }
  }
  const PoolStats& p = pool_->stats();
  out->leaves = static_cast<double>(p.leaves);
  out->inners = static_cast<double>(p.inners);
  out->nodes_made = static_cast<double>(p.made);
  out->nodes_copied = static_cast<double>(p.copied);
  out->checkpoints = static_cast<double>(checkpoints_);
  out->checkpoint_nodes = static_cast<double>(checkpoint_nodes_);
  out->epoch = static_cast<double>(pool_->epoch());
  out->oldest_pin = pool_->pins().empty() ? 0 : static_cast<double>(pool_->pins().oldest());
  out->waiting = static_cast<double>(pool_->pins().waiting());
  out->snapshots = static_cast<double>(snapshots_.size());
  if (!snapshots_.empty()) {
    const Snapshot& oldest = snapshots_.begin()->second;
    out->oldest_snapshot_lsn = static_cast<double>(oldest.lsn);
    out->oldest_snapshot_ms = static_cast<double>(MonotonicMillis() - oldest.taken_ms);
  }
  out->tail_bytes = static_cast<double>(log_->bytes_appended() - log_bytes_at_freeze_);
  out->populated_bytes = static_cast<double>(populator_.done_bytes() + grown_populated_bytes_);
  out->populate_complete = populator_.complete() && !grown_unpopulated_ ? 1 : 0;
  ProcessFaults(&out->minor_faults, &out->major_faults);
  out->cold_bytes = static_cast<double>(log_->bytes_appended(Head::kCold));
  out->cleaned_segments = static_cast<double>(cleaner_.figures().emptied);
  out->cleaned_records = static_cast<double>(cleaner_.figures().records);
  out->cleaned_bytes = static_cast<double>(cleaner_.figures().bytes);
  out->retired_segments = space_->retired_count();
  out->cleanable = leisure_level_ != 0 ? 1 : 0;
  out->checkpoint_sequence = static_cast<double>(checkpoint_sequences_[1]);
  out->checkpoint_bytes = static_cast<double>(checkpoint_lines_ * kLineBytes);
  out->checkpoint_ms = checkpoint_ms_;
  out->checkpoint_due = dirty_ || in_flight_ ? 1 : 0;
  out->reader_pins = static_cast<double>(reader_pins_.size());
  for (const ReaderPin& pin : reader_pins_) {
    const auto sequence = static_cast<double>(pin.sequence);
    if (out->oldest_reader_pin == 0 || sequence < out->oldest_reader_pin) out->oldest_reader_pin = sequence;
  }
  out->tree_height = trees_[kTreeUser].root().ref == 0 ? 0 : trees_[kTreeUser].height() + 1;
}

}  // namespace sealog
