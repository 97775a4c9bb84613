// When a checkpoint is taken, and what is done around writing it (store/checkpoint.h).
#include <algorithm>
#include <chrono>
#include <utility>

#include "platform/system.h"
#include "region/meta_writer.h"
#include "store/store.h"

namespace sealog {
namespace {

// Without writes for this long, what is in the log's tail is checkpointed, so that the next open has nothing to replay.
constexpr auto kIdle = std::chrono::milliseconds(1000);
// The same while reader processes are there, writes or not: it bounds how old the state is that they see.
constexpr auto kForReaders = std::chrono::milliseconds(100);
// Of log, between checkpoints that are taken because free segments are scarce.
constexpr uint64_t kScarceBytesMin = 64 << 10;

}  // namespace

SegmentHalf Store::EncodeHalf(uint32_t segment, uint64_t epoch) const {
  const Segment& s = space_->segment(segment);
  SegmentHalf half{};
  half.type = static_cast<uint8_t>(s.type);
  half.epoch = epoch;
  if (s.type != SegmentType::kFree) {
    half.flags = static_cast<uint8_t>(s.flags | (s.pending != 0 ? kHalfPending : 0));
    half.sequence = s.sequence;
    half.live = s.live;
    half.check = s.check;
  }
  Complete(&half, space_->store_seed(), segment);
  return half;
}

// Takes the newest state for a checkpoint. REQUIRES: the lock, inside a guard or not (it writes nothing to the region
// but the drain); no checkpoint in flight; everything logged is durable.
void Store::Freeze(uint32_t slot_flags) {
  ReleasePins();
  frozen_.filled = log_->TakeFilled();
  for (uint32_t segment : frozen_.filled) {
    cleaner_.Filled(segment);
    RetireIfEmpty(segment);
  }
  const uint64_t epoch = pool_->epoch();
  frozen_.nodes.nodes.clear();
  frozen_.nodes.bitmaps.clear();
  frozen_.halves.clear();
  pool_->Freeze(&frozen_.nodes);
  for (uint32_t segment : space_->TakeDirty()) {
    Segment& s = space_->segment(segment);
    s.half ^= 1;
    SegmentHalf half = EncodeHalf(segment, epoch);
    table_check_ ^= TableTerm(half_crc_[segment]) ^ TableTerm(half.crc);
    half_crc_[segment] = half.crc;
    frozen_.halves.push_back({segment, s.half, half});
  }
  CheckpointSlot& slot = frozen_.slot;
  slot = {};
  slot.sequence = ++slot_sequence_;
  slot.epoch = epoch;
  slot.lsn = log_->last_lsn();
  slot.hot = log_->position();
  slot.cold = log_->position(Head::kCold);
  for (uint32_t t = 0; t < kTreeCount; ++t) slot.roots[t] = {trees_[t].root().ref, trees_[t].root().count, 0};
  for (uint32_t i = 0; i < space_->count(); ++i) {
    if (space_->segment(i).type == SegmentType::kLog) slot.live_bytes += space_->segment(i).live;
  }
  slot.table_check = table_check_;
  slot.segment_count = space_->count();
  slot.next_log_sequence = log_->next_log_sequence();
  slot.flags = slot_flags;
  slot.time_unix_ms = UnixMillis();
  Complete(&slot, space_->store_seed());

  pool_->pins().Add(epoch);
  pool_->set_epoch(epoch + 1);
  dirty_ = false;
  log_bytes_at_freeze_ = log_->bytes_appended();
  in_flight_ = true;
}

// After a change: starts a checkpoint when the log's tail is long enough, and holds the writer back when the one before
// has not finished by the time the tail is twice that: it bounds what the next open replays.
void Store::MaybeFreeze(Guard& guard) {
  const uint64_t limit = plan_.header.checkpoint_bytes;
  // Where what was emptied is needed, after a segment.
  const uint64_t soon = std::min(limit, std::max<uint64_t>(space_->segment_bytes(), kScarceBytesMin));
  const uint64_t tail = log_->bytes_appended() - log_bytes_at_freeze_;
  if (tail < soon) [[likely]]
    return;
  if (tail < limit) {
    const bool scarce = space_->retired_count() != 0 && space_->free_count() < pay_level_ && Held() == 0;
    if (!scarce) return;
  }
  if (in_flight_) {
    if (tail < 2 * limit) return;
    done_.wait(guard, [this] { return !in_flight_ || stop_; });
  }
  // A store that was closed meanwhile keeps the checkpoint that says so.
  if (stop_ || !serving_ || poison_status_ != Status::kOk || (commit_in_flight_ && WaitForCommit(guard) != Status::kOk))
    return;
  Status status = Status::kMedia;
  if (!Shielded([&] { status = DrainLog(); })) Interrupted();
  if (status != Status::kOk || in_flight_) return;
  Freeze(0);
  wake_.notify_one();
}

// Freezes, and waits until it is durable.
Status Store::CheckpointLocked(Guard& guard, uint32_t slot_flags) {
  // Both at once: while one is waited for, the other may begin.
  done_.wait(guard, [this] { return (!in_flight_ && !commit_in_flight_) || stop_; });
  if (stop_) return Status::kClosed;
  if (poison_status_ != Status::kOk) return poison_status_;
  // One that says clean is not another's that was waited for.
  if (!dirty_ && slot_flags == 0) return Status::kOk;
  Status status = Status::kMedia;
  if (!Shielded([&] { status = DrainLog(); })) return Interrupted();
  if (status != Status::kOk) return status;
  Freeze(slot_flags);
  const uint64_t mine = slot_sequence_;
  wake_.notify_one();
  done_.wait(guard, [this, mine] { return !in_flight_ || slot_sequence_ != mine || stop_; });
  return poison_status_ == Status::kOk && in_flight_ && slot_sequence_ == mine ? Status::kClosed : poison_status_;
}

Status Store::Checkpoint() {
  Guard guard(lock_);
  if (Status status = Writable(); status != Status::kOk) return status;
  return CheckpointLocked(guard, 0);
}

void Store::CheckpointThread() {
  Guard guard(lock_);
  for (;;) {
    const auto pace = readers_ ? std::chrono::milliseconds(kForReaders) : kIdle;
    bool woken = wake_.wait_for(guard, pace, [this] { return stop_ || in_flight_; });
    if (stop_) return;
    ReleasePins();
    if (!woken) {
      LetGoOfReaders();
      readers_ = region_->IsPinned(0, Region::kCheckpointsMax);
      if (readers_) {
        CheckpointForReaders(guard);
        continue;
      }
      // Idle, or not worth a checkpoint by size. Deferred writes are somebody's to commit; then it is not idle.
      uint64_t appended = log_->bytes_appended();
      bool quiet = appended == appended_when_last_idle_;
      appended_when_last_idle_ = appended;
      if (!dirty_ || !quiet || Undrained() || commit_in_flight_ || poison_status_ != Status::kOk) continue;
      Freeze(0);
    }
    guard.unlock();
    Status status = Status::kMedia;
    const auto began = std::chrono::steady_clock::now();
    if (!Shielded([&] { status = WriteCheckpoint(*space_, &checkpoint_persister_, frozen_); })) status = Status::kMedia;
    const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - began;
    guard.lock();
    checkpoint_ms_ += took.count();
    if (status == Status::kOk && region_->domain() == Domain::kDisk) DropWritten(guard);
    FinishCheckpoint(status);
  }
}

// What was written up to now, for reader processes to see: they see checkpoints.
void Store::CheckpointForReaders(Guard& guard) {
  if (!dirty_ || !serving_ || poison_status_ != Status::kOk ||
      (commit_in_flight_ && WaitForCommit(guard) != Status::kOk))
    return;
  if (stop_ || in_flight_ || !serving_) return;
  Status status = Status::kMedia;
  if (!Shielded([&] { status = DrainLog(); })) Interrupted();
  if (status == Status::kOk && !in_flight_) Freeze(0);
}

// A checkpoint that this process does not need any more: kept for as long as a reader process has it.
void Store::LetGo(uint64_t sequence, uint64_t epoch) {
  if (region_->IsPinned(sequence, sequence + 1)) {
    readers_ = true;
    reader_pins_.push_back({sequence, epoch});
  } else {
    pool_->pins().Remove(epoch);
  }
}

void Store::LetGoOfReaders() {
  for (const ReaderPin& pin : std::exchange(reader_pins_, {})) LetGo(pin.sequence, pin.epoch);
}

void Store::FinishCheckpoint(Status status) {
  in_flight_ = false;
  if (status == Status::kOk) {
    ++checkpoints_;
    log_->SetStable(frozen_.slot.lsn);
    checkpoint_nodes_ += frozen_.nodes.nodes.size();
    checkpoint_lines_ = checkpoint_persister_.counters().lines;
    // Two durable checkpoints are kept whole, so that a rotten slot can fall back to the other.
    LetGoOfReaders();
    if (checkpoint_pins_[0] != 0) LetGo(checkpoint_sequences_[0], checkpoint_pins_[0]);
    checkpoint_pins_[0] = checkpoint_pins_[1];
    checkpoint_pins_[1] = frozen_.slot.epoch;
    checkpoint_sequences_[0] = checkpoint_sequences_[1];
    checkpoint_sequences_[1] = frozen_.slot.sequence;
  } else if (status == Status::kMedia) {
    Poison(Status::kMedia, {Status::kMedia, 0, "", 0, "a checkpoint could not touch the mapping: SIGBUS"});
  } else {
    Poison(status, checkpoint_persister_.failure());
  }
  done_.notify_all();
}

// In the disk domain the mapping is private: what was written through the descriptor need not be kept in memory twice.
void Store::DropWritten(Guard& guard) {
  constexpr uint64_t kPage = 4096;
  constexpr int kSlice = 64;
  // A page shows the same before and after.
  lock_.LetReadersIn();
  for (uint32_t segment : frozen_.filled) {
    // Drained before the freeze; and not in use again, since what is retired waits for pins that this checkpoint has
    // not released yet.
    static_cast<void>(region_->mapping().DropPrivate(space_->SegmentOffset(segment), space_->segment_bytes()));
  }
  uint64_t run = 0, run_bytes = 0, last = UINT64_MAX;
  auto drop = [&] {
    if (run_bytes != 0) static_cast<void>(region_->mapping().DropPrivate(run, run_bytes));
    run_bytes = 0;
  };
  int done = 0;
  for (uint64_t tagged : frozen_.nodes.nodes) {
    uint64_t page = tagged & ~(kPage - 1);
    if (page == last) continue;
    last = page;
    if (!pool_->PageIsClean(page)) continue;
    if (run_bytes != 0 && run + run_bytes == page) {
      run_bytes += kPage;
    } else {
      drop();
      run = page;
      run_bytes = kPage;
    }
    if (++done % kSlice == 0) {
      // Not under one hold of the lock: a writer is let in between slices. What it makes young is looked at again.
      drop();
      guard.unlock();
      guard.lock();
      lock_.LetReadersIn();
    }
  }
  drop();
  lock_.KeepReadersOut();
}

}  // namespace sealog
