// Cleaning: live records are moved out of segments that are mostly dead, which thereby become free (store/cleaner.h
// chooses them). A moved entry keeps its version; replay applies the move only to an entry that still has it.
//
// Who does it: a write, for as much as it has written, once free segments get scarce, so that writing and cleaning keep
// the same pace and no write waits for a whole segment; a thread of its own before that, when writers leave it time;
// and whoever finds the store full.
#include <algorithm>
#include <chrono>
#include <cstring>

#include "platform/system.h"
#include "store/store.h"

namespace sealog {
namespace {

constexpr uint32_t kLooksPerMove = 4;  // records looked at for each that may be moved

constexpr int kSlicesPerWrite = 8;
constexpr uint64_t kDebtMinBytes = 1 << 10;
constexpr uint64_t kDebtMaxBytes = 64 << 10;
constexpr uint32_t kVictimsPerRelief = 24;
// A snapshot that is younger is taken for one that ends soon.
constexpr uint64_t kBriefMs = 1000;
constexpr auto kBesideWriters = std::chrono::milliseconds(1);

// Less than a sixteenth of a segment is not worth moving the rest; in the background, less than a quarter.
constexpr uint32_t kWorthwhile = 16, kWorthwhileAtLeisure = 4, kWorthwhileInCompact = 64;

}  // namespace

const Store::CleanBudget Store::kPaying{16, 4096};
const Store::CleanBudget Store::kAtLeisure{32, 16384};

// The newest epoch that a backup holds, or a snapshot of at least that age; 0: none.
uint64_t Store::Held(uint64_t age_ms) const {
  const uint64_t held = pinned_.empty() ? 0 : pinned_.rbegin()->second.state->epoch;
  if (snapshots_.empty()) return held;
  const uint64_t now = age_ms == 0 ? UINT64_MAX : MonotonicMillis();
  const auto newest = std::find_if(snapshots_.rbegin(), snapshots_.rend(),
                                   [=](const auto& s) { return now - s.second.taken_ms >= age_ms; });
  return newest == snapshots_.rend() ? held : std::max(held, newest->second.epoch);
}

// Free segments, counting those that come free with the next checkpoints.
uint32_t Store::Reclaimable() const { return space_->free_count() + (Held() == 0 ? space_->retired_count() : 0); }

// As late as can be: the longer a segment is left, the less of it is alive. Below the first level a write pays for what
// it takes, above the second nothing is cleaned.
void Store::SetLevels() {
  if ((plan_.header.flags & kPlanCleaning) == 0) return;
  pay_level_ = space_->reserve(Reserve::kPut) + 2 + space_->count() / 64;
  leisure_level_ = pay_level_ + 2 + space_->count() / 32;
}

void Store::AfterWrite(Guard& guard) {
  MaybeFreeze(guard);
  const uint32_t left = Reclaimable();
  if (left >= leisure_level_) [[likely]]
    return;
  if (left < pay_level_) {
    PayForCleaning(guard);
  } else {
    paid_at_ = log_->bytes_appended(Head::kHot);
  }
  if (clean_behind_ && !cleaner_wanted_ && log_->bytes_appended() >= nothing_to_clean_until_) WakeCleaner();
}

// Most stores never need the thread, so it is made at the first need. Without it writers pay for all.
void Store::WakeCleaner() {
  if (stop_) return;
  if (!cleaner_thread_.running() && !cleaner_thread_.Start("sealog-clean", [this] { CleanerThread(); }).ok()) {
    clean_behind_ = false;
    return;
  }
  cleaner_wanted_ = true;
  cleaner_wake_.notify_one();
}

bool Store::NextVictim(uint32_t worthwhile) {
  // Looking costs a walk over the table: not again before something can have changed.
  if (log_->bytes_appended() < nothing_to_clean_until_) return false;
  const uint32_t dead_min = space_->segment_bytes() / worthwhile;
  if (cleaner_.Choose(dead_min, Held())) return true;
  // For room that is needed now: where there is always some reader with a snapshot, what is moved away comes free as
  // these end.
  if (worthwhile == kWorthwhile && !snapshots_.empty() && cleaner_.Choose(dead_min, Held(kBriefMs))) return true;
  nothing_to_clean_until_ = log_->bytes_appended() + space_->segment_bytes() / 8;
  return false;
}

// The next record of the victim. False at its end, which is the LINK to the next segment, or what makes no sense.
// Frames are not verified here: what is not alive is not touched, and what is alive is verified by itself.
bool Store::NextInVictim(Cleaner::Cursor* at, Record* record, uint64_t* offset) const {
  const uint32_t segment_bytes = space_->segment_bytes();
  for (;;) {
    if (at->batch_end != 0 && at->offset >= at->batch_end) {
      at->offset = static_cast<uint32_t>(RoundUp(at->batch_end, kLineBytes));
      at->batch_end = 0;
    }
    const uint32_t end = at->batch_end != 0 ? at->batch_end : segment_bytes;
    if (at->offset + sizeof(RecordHeader) > end) return false;
    *offset = space_->SegmentOffset(at->segment) + at->offset;
    const auto* here = space_->At<const uint8_t>(*offset);
    const uint8_t kind = reinterpret_cast<const RecordHeader*>(here)->kind;
    if (at->batch_end == 0 && kind == kFrameLink) {
      LinkFrame link;
      if (end - at->offset < sizeof link) return false;
      memcpy(&link, here, sizeof link);
      const bool same = link.segment == at->segment && link.offset > at->offset && link.offset < segment_bytes &&
                        link.offset % kLineBytes == 0;
      if (!same && (link.flags & kLinkCold) == 0) return false;
      at->offset = same ? link.offset : at->offset + kLineBytes;
      continue;
    }
    if (at->batch_end == 0 && kind == kFrameBatch) {
      BatchHeader batch;
      if (end - at->offset < sizeof batch) return false;
      memcpy(&batch, here, sizeof batch);
      if (batch.body_bytes > end - at->offset - sizeof batch || batch.body_bytes == 0) return false;
      at->offset += sizeof batch;
      at->batch_end = at->offset + batch.body_bytes;
      continue;
    }
    if (!ParseRecord(here, end - at->offset, record)) return false;
    const uint64_t step = RoundUp(record->bytes, at->batch_end != 0 ? kRecordAlign : kLineBytes);
    at->offset = static_cast<uint32_t>(std::min<uint64_t>(at->offset + step, end));
    return true;
  }
}

// What moving a record would change. kNotFound: it is dead. kCorrupt: it stays where it is. A piece of a large value
// answers with the entry that it belongs to.
Status Store::LiveChange(const Record& record, uint64_t offset, Change* change) {
  if (record.kind == kRecordDel) return Status::kNotFound;
  const Found found = Find(*pool_, *space_, trees_[record.tree].root(), record.key);
  if (found.lookup == Lookup::kDamaged) return Status::kCorrupt;
  if (found.lookup == Lookup::kAbsent) return Status::kNotFound;
  const Record& entry = found.record;
  if (record.kind == kRecordChunk) {
    if ((entry.flags & kRecordExtents) == 0) return Status::kNotFound;
  } else if (RecordRefOffset(found.ref) != offset) {
    return Status::kNotFound;
  }
  if (!VerifyRecord(*space_, offset, record) || !VerifyRecord(*space_, RecordRefOffset(found.ref), entry))
    return Status::kCorrupt;
  const auto flags = static_cast<uint8_t>((entry.flags & (kRecordExtents | kRecordExpires)) | kRecordMoved);
  *change = {kRecordPut, flags, record.tree, record.key, entry.value, entry.expires, entry.lsn};
  if (record.kind == kRecordPut) return Status::kOk;
  for (size_t at = 0; at + sizeof(ValueExtent) <= entry.value.size; at += sizeof(ValueExtent)) {
    ValueExtent extent;
    memcpy(&extent, entry.value.data + at, sizeof extent);
    if (extent.offset == offset) return Status::kOk;
  }
  return Status::kNotFound;
}

// A piece of a large value: itself as a frame, and its entry anew with the piece's new place.
Status Store::MovePiece(const Record& piece, uint64_t offset, Change change) {
  std::vector<uint8_t>& list = cleaning_.list;
  list.assign(change.value.data, change.value.data + change.value.size);
  change.value = {list.data(), list.size()};
  Place* place = &batch_place_;
  Tree& tree = trees_[change.tree];
  if (Status s = tree.Locate(change.key, place); s != Status::kOk) return s;
  const Change moved{kRecordChunk, 0, piece.tree, piece.key, piece.value};
  const uint64_t frames[2] = {RoundUp(LogWriter::RecordBytes(moved), kLineBytes),
                              RoundUp(LogWriter::BatchBytes(&change, 1), kLineBytes)};
  if (Status s = Ensure(1, 0, tree, frames, 2, Reserve::kClean, Head::kCold); s != Status::kOk) return s;
  dirty_ = true;
  phase_ = Phase::kLogging;
  const uint64_t to = log_->Append(moved, Head::kCold);
  if (to == kNoOffset) return OutOfLog();
  for (size_t at = 0; at + sizeof(ValueExtent) <= list.size(); at += sizeof(ValueExtent)) {
    ValueExtent extent;
    memcpy(&extent, list.data() + at, sizeof extent);
    if (extent.offset != offset) continue;
    extent.offset = to;
    extent.crc = space_->At<const RecordHeader>(to)->crc;
    memcpy(list.data() + at, &extent, sizeof extent);
  }
  uint64_t at = 0;
  if (!log_->AppendBatch(&change, 1, false, &at, Head::kCold)) return OutOfLog();
  phase_ = Phase::kIndexing;
  if (Status s = tree.Locate(change.key, place); s != Status::kOk) return Behind(s);
  if (Status s = Index(place, change, at); s != Status::kOk) return Behind(s);
  return Status::kOk;
}

// One look into the victim. REQUIRES: inside a guard; there is a victim.
Status Store::MoveSome(const CleanBudget& budget, CleanSliceResult* result) {
  if (log_->session_pending()) {
    if (Status s = EnsureLog(nullptr, 0, Reserve::kRemove); s != Status::kOk) return s;
  }
  if (log_->position(Head::kCold).segment == kSegmentNone) {
    if (Status s = log_->BeginCold(Reserve::kClean); s != Status::kOk) return s;
    dirty_ = true;
  }
  BatchWork& work = cleaning_.work;
  work.changes.clear();
  work.extents.clear();
  work.groups.clear();
  Cleaner::Cursor next = cleaner_.cursor();
  const uint32_t from = next.offset;
  uint32_t moved = 0;
  bool piece = false;
  for (uint32_t looks = 0; looks < budget.records * kLooksPerMove && work.changes.size() < budget.records; ++looks) {
    const Cleaner::Cursor before = next;
    Record record;
    uint64_t offset = 0;
    if (!NextInVictim(&next, &record, &offset)) {
      result->ended = true;
      break;
    }
    Change change;
    if (LiveChange(record, offset, &change) != Status::kOk) continue;
    const uint32_t bytes = record.FootprintBytes();
    // Large ones by themselves, and a piece in a frame of its own.
    if (!work.changes.empty() && (record.kind == kRecordChunk || moved + bytes > budget.bytes)) {
      next = before;
      break;
    }
    moved += bytes;
    if (record.kind == kRecordChunk) {
      if (Status s = MovePiece(record, offset, change); s != Status::kOk) return s;
      piece = true;
      break;
    }
    work.changes.push_back(change);
  }
  result->records = piece ? 1 : static_cast<uint32_t>(work.changes.size());
  if (!work.changes.empty()) {
    uint64_t version = 0;
    if (Status s = LogAndIndex(&work, true, Reserve::kClean, Head::kCold, &version); s != Status::kOk) return s;
  }
  result->moved = moved;
  result->dead = next.offset - from > moved ? next.offset - from - moved : 0;
  cleaner_.cursor() = next;
  return Status::kOk;
}

Store::Slice Store::CleanSlice(Guard& guard, const CleanBudget& budget, uint32_t worthwhile, uint64_t* dead) {
  *dead = 0;
  if (leisure_level_ == 0 || Writable() != Status::kOk) return Slice::kNothing;
  // A commit that another thread is syncing comes first where the window is nearly used up.
  if (commit_in_flight_ && log_->window() + kWindowSlack >= kWindowFramesMax) return Slice::kNothing;
  if (cleaner_.busy() && !cleaner_.VictimHolds()) cleaner_.Finish();
  if (!cleaner_.busy() && !NextVictim(worthwhile)) return Slice::kNothing;
  CleanSliceResult result;
  Status status = Status::kMedia;
  if (!Shielded([&] {
        if ((status = BoundWindow()) == Status::kOk) status = MoveSome(budget, &result);
      })) {
    status = Interrupted();
  }
  phase_ = Phase::kLooking;
  RetireEmptied();
  if (status == Status::kFull) return Slice::kNoRoom;
  if (status != Status::kOk) {
    cleaner_.GiveUp();
    return poison_status_ == Status::kOk ? Slice::kDone : Slice::kNothing;
  }
  cleaner_.figures().records += result.records;
  cleaner_.figures().bytes += result.moved;
  *dead = result.dead;
  if (result.ended || !cleaner_.VictimHolds()) cleaner_.Finish();
  return Slice::kDone;
}

// After a write, when free segments are scarce: so much of what is dead is passed over as was written.
void Store::PayForCleaning(Guard& guard) {
  const uint64_t written = log_->bytes_appended(Head::kHot);
  const uint32_t left = Reclaimable();
  // Where writers run ahead of the checkpoints that give segments back, up to three times as much.
  const uint64_t urgency = 1 + 2 * uint64_t{pay_level_ - std::min(pay_level_, left)} / pay_level_;
  owed_bytes_ = std::min(owed_bytes_ + std::min(written - paid_at_, kDebtMaxBytes) * urgency, kDebtMaxBytes);
  paid_at_ = written;
  for (int i = 0; i < kSlicesPerWrite && owed_bytes_ >= kDebtMinBytes; ++i) {
    uint64_t dead = 0;
    if (CleanSlice(guard, kPaying, kWorthwhile, &dead) != Slice::kDone) {
      owed_bytes_ = 0;
      return;
    }
    owed_bytes_ -= std::min(owed_bytes_, dead);
  }
}

// There was no room to move to: what was emptied comes free by checkpoints. False if that is of no use, as where all
// that they give back is what the attempt itself has taken: nothing was `moved` since the last time.
bool Store::RoomToMove(Guard& guard, uint64_t* moved) {
  if (*moved == cleaner_.figures().records || !CheckpointsForRoom(guard)) return false;
  *moved = cleaner_.figures().records;
  return true;
}

// Cleans until `segments` more than now will be free, as far as it can.
void Store::CleanForRoom(Guard& guard, uint32_t segments) {
  nothing_to_clean_until_ = 0;
  const uint32_t wanted = Reclaimable() + segments;
  const uint64_t victims = cleaner_.figures().segments + kVictimsPerRelief;
  uint64_t moved = UINT64_MAX;
  while (Reclaimable() < wanted && cleaner_.figures().segments < victims) {
    uint64_t dead = 0;
    const Slice slice = CleanSlice(guard, kAtLeisure, kWorthwhile, &dead);
    if (slice == Slice::kNothing || (slice == Slice::kNoRoom && !RoomToMove(guard, &moved))) break;
  }
}

void Store::CleanerThread() {
  Guard guard(lock_);
  uint64_t appended = 0;
  for (;;) {
    cleaner_wake_.wait(guard, [this] { return stop_ || cleaner_wanted_; });
    if (stop_) return;
    uint64_t dead = 0;
    const uint64_t written = log_->bytes_appended(Head::kHot);
    const bool writers = written != appended || relieving_ != 0;
    appended = written;
    Slice slice = Slice::kDone;
    const bool enough = Reclaimable() >= leisure_level_;
    // Below that level writers pay by themselves, and a thread beside them would only be in their way.
    if (!enough && relieving_ == 0 && (!writers || Reclaimable() >= pay_level_))
      slice = CleanSlice(guard, kAtLeisure, kWorthwhileAtLeisure, &dead);
    if (enough || (slice != Slice::kDone && !writers)) {
      cleaner_wanted_ = false;
      // Moves that no commit has made durable: with them done, nothing keeps the store from an idle checkpoint.
      if (cleaner_.figures().records != 0 && Undrained() && Writable() == Status::kOk)
        static_cast<void>(CheckpointLocked(guard, 0));
      continue;
    }
    if (slice == Slice::kDone) MaybeFreeze(guard);
    if (writers) {
      cleaner_wake_.wait_for(guard, kBesideWriters, [this] { return stop_; });
    } else {
      LetOthers(guard);
    }
  }
}

// Between slices.
void Store::LetOthers(Guard& guard) {
  guard.unlock();
  lock_.GiveWay();
  guard.lock();
}

Status Store::CleanSome(uint32_t slices) {
  Guard guard(lock_);
  nothing_to_clean_until_ = 0;
  uint64_t dead = 0;
  for (uint32_t i = 0; i < slices && CleanSlice(guard, kPaying, kWorthwhileInCompact, &dead) == Slice::kDone; ++i)
    AfterWrite(guard);
  return Writable();
}

Status Store::Compact(const std::atomic<bool>& stop) {
  Guard guard(lock_);
  if (Status status = Writable(); status != Status::kOk) return status;
  if (leisure_level_ == 0) return Status::kUnsupported;
  nothing_to_clean_until_ = 0;
  // Each segment once or twice: what is written meanwhile is not waited for.
  const uint64_t most = cleaner_.figures().segments + 2 * uint64_t{space_->count()};
  uint64_t moved = UINT64_MAX;
  Slice slice = Slice::kDone;
  while (slice != Slice::kNothing && cleaner_.figures().segments < most) {
    if (stop_compacting_.load(std::memory_order_relaxed) || stop.load(std::memory_order_relaxed))
      return Status::kAborted;
    if (relieving_ != 0) {
      done_.wait_for(guard, kBesideWriters);
      continue;
    }
    uint64_t dead = 0;
    slice = CleanSlice(guard, kAtLeisure, kWorthwhileInCompact, &dead);
    if (Status status = Writable(); status != Status::kOk) return status;
    if (slice == Slice::kNoRoom && !RoomToMove(guard, &moved)) break;
    if (slice == Slice::kDone) MaybeFreeze(guard);
    LetOthers(guard);
  }
  CheckpointsForRoom(guard);
  return Writable();
}

}  // namespace sealog
