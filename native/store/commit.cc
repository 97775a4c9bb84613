// Changes. The order is what durability rests on: look (nothing can fail behind this), log, drain - the durability
// point - index. See docs/design.md, "the walk of one put".
#include <algorithm>
#include <cstring>
#include <utility>

#include "platform/system.h"
#include "store/store.h"

namespace sealog {
namespace {

constexpr int kRelievingCheckpoints = 3;
constexpr int kReliefs = 3;

}  // namespace

template <class Attempt>
Status Store::Attempted(Guard& guard, bool deferred, Reserve last, Attempt&& attempt) {
  Status status;
  Reserve who = Reserve::kPut;
  for (int relieved = 0;;) {
    if (status = Writable(); status != Status::kOk) return status;
    if (!given_back_.empty()) [[unlikely]]
      ReleasePins();
    // A commit that another thread is syncing: what comes before must be durable first, or, where the window is nearly
    // used up, soon.
    if (commit_in_flight_ && (!deferred || log_->window() + kWindowSlack >= kWindowFramesMax)) {
      if (status = WaitForCommit(guard); status != Status::kOk) return status;
    }
    phase_ = Phase::kLooking;
    status = Status::kMedia;
    if (!Shielded([&] {
          if ((status = BoundWindow()) == Status::kOk) status = attempt(who);
        })) {
      return Interrupted();
    }
    phase_ = Phase::kLooking;
    if (status != Status::kFull) break;
    // Bounded, since an attempt may use up what comes back: pieces of values that do not all fit. Each time for more.
    if (relieved++ < kReliefs && Relieve(guard, last == Reserve::kPut ? 1u << (2 * relieved - 2) : 0)) continue;
    // The reserve is for what nothing else gives room to.
    if (who == last && !GrowForWriter(guard)) break;
    who = last;
  }
  RetireEmptied();
  if (status == Status::kOk) {
    AfterWrite(guard);
    GrowAhead();
  }
  return status;
}

// Room for `changes` in the index and for the frames in the log, so that nothing fails for lack of space once a frame
// is written.
Status Store::Ensure(uint32_t changes, uint32_t puts, const Tree& tree, const uint64_t* frame_bytes, size_t frames,
                     Reserve who, Head head) {
  if (!pool_->Ensure(tree.LeavesFor(changes, puts), tree.InnersFor(changes, puts), who)) return Status::kFull;
  return EnsureLog(frame_bytes, frames, who, head);
}

Status Store::EnsureLog(const uint64_t* frame_bytes, size_t frames, Reserve who, Head head) {
  if (log_->session_pending()) [[unlikely]] {
    Status status = log_->BeginSession(who, [this] { return DrainBesideReaders(Site::kSession); });
    if (status == Status::kPoisoned) return Poison(Status::kIo, persister_.failure());
    // It may have begun, and be full all the same: the frames of later changes rely on its LINK.
    if (!log_->session_pending()) {
      dirty_ = true;
      if (Status synced = SyncInOsDomain(); synced != Status::kOk) return synced;
    }
    if (status != Status::kOk) return status;
  }
  return log_->Ensure(head, frame_bytes, frames, who);
}

// Waits for the device: readers need not. REQUIRES: the lock; the index is whole.
template <class Wait>
auto Store::BesideReaders(Wait&& wait) {
  lock_.LetReadersIn();
  auto result = wait();
  lock_.KeepReadersOut();
  return result;
}

Status Store::DrainBesideReaders(Site site) {
  const auto drain = [this, site] { return persister_.Drain(site); };
  return needs_device_sync() ? BesideReaders(drain) : drain();
}

// What a fence does not do in the os domain: puts what was written so far on the device.
Status Store::SyncInOsDomain() {
  if (region_->domain() != Domain::kOs) return Status::kOk;
  const Failure failure = BesideReaders([this] { return region_->file().Fdatasync(); });
  return failure.ok() ? Status::kOk : Poison(Status::kIo, failure);
}

// Three checkpoints give back all that can come back: the first retires log segments in which nothing is live, the
// second passes what was retired, the third frees node segments that this has emptied. False if no segment comes.
bool Store::CheckpointsForRoom(Guard& guard) {
  const Pins& pins = pool_->pins();
  const uint32_t free = space_->free_count();
  for (int i = 0; i < kRelievingCheckpoints; ++i) {
    dirty_ = true;
    if (CheckpointLocked(guard, 0) != Status::kOk) return false;
    if (space_->retired_count() == 0 && pins.waiting() == 0) break;
  }
  return space_->free_count() > free;
}

// The store is full: checkpoints, and then cleaning, if `segments` are asked for, make room. False if there is nothing
// to be had; then again at once until something has changed: snapshots may hold it. A remove has the reserve, and is
// not made to clean.
bool Store::Relieve(Guard& guard, uint32_t segments) {
  const Pins& pins = pool_->pins();
  if (!dirty_ && pool_->epoch() == futile_epoch_ && pins.waiting() == futile_waiting_) return false;
  const uint32_t free = space_->free_count();
  const uint64_t waiting = pins.waiting();
  // Whoever cleans in the background would take what comes free, and leave it waiting for further checkpoints.
  ++relieving_;
  CheckpointsForRoom(guard);
  if (leisure_level_ != 0 && space_->free_count() < free + segments && log_->bytes_appended() >= futile_until_) {
    CleanForRoom(guard, segments);
    CheckpointsForRoom(guard);
    // Not again for each write that is refused.
    if (space_->free_count() <= free) futile_until_ = log_->bytes_appended() + space_->segment_bytes() / 4;
  }
  --relieving_;
  if (poison_status_ != Status::kOk) return false;
  if (space_->free_count() > free || pins.waiting() < waiting) return true;
  futile_epoch_ = pool_->epoch();
  futile_waiting_ = pins.waiting();
  return false;
}

Status Store::DrainLog() {
  if (poison_status_ != Status::kOk) return poison_status_;
  if (!Undrained()) return Status::kOk;
  const Status drained = DrainBesideReaders(Site::kCommit);
  if (drained != Status::kOk) return Poison(Status::kIo, persister_.failure());
  drained_lsn_ = log_->last_lsn();
  // In the os domain a drain survives the process, not the machine: frames count as durable from the next checkpoint
  // on.
  if (region_->domain() != Domain::kOs) log_->SetStable(drained_lsn_);
  return Status::kOk;
}

// Keeps the number of frames in flight within what a session's LSN jump covers.
Status Store::BoundWindow() {
  if (log_->window() + kWindowSlack < kWindowFramesMax) return Status::kOk;
  // Not behind the back of a commit under way: Attempted has waited for it where that mattered.
  if (commit_in_flight_) return Status::kOk;
  if (Status status = DrainLog(); status != Status::kOk) return status;
  if (Status status = SyncInOsDomain(); status != Status::kOk) return status;
  log_->SetStable(drained_lsn_);
  return Status::kOk;
}

// The log has what the index could not take: looked at a moment ago and rotten now, or the index's reserve used up.
Status Store::Behind(Status status) {
  broken_ = true;
  return Poison(status, {status, 0, "", damaged_offset_, "the index in memory is behind the log; reopen the store"});
}

// A frame without a place, though room was made for it: a mistake of ours. Nothing was written where it does not
// belong.
Status Store::OutOfLog() {
  return Poison(Status::kFull, {Status::kFull, 0, "", 0, "the log had no room for a frame that had been counted"});
}

// What a change at `place` replaces, as far as it need not be read again.
Replaced Store::Replacing(const Place& place) const {
  if (!place.found || (place.record.flags & kRecordExtents) != 0) return {};
  const uint64_t ref = place.path.leaf->refs[place.index];
  const bool holds = VerifyRecord(*space_, RecordRefOffset(ref), place.record);
  return {ref, holds ? place.record.FootprintBytes() : 0};
}

// The index change of one record that lies in the log at `offset`, and the accounts of its segment and its
// predecessor's, which is `replaced` if that is given.
Status Store::Index(Place* place, const Change& change, uint64_t offset, const Replaced* replaced) {
  Tree& tree = trees_[change.tree];
  // Just what it takes: more might not be left, or would be taken from what removes need in a full store.
  uint32_t leaves = change.kind == kRecordPut && place->path.leaf == nullptr ? 1 : 0, inners = 0;
  if (place->path.leaf != nullptr && !pool_->Young(&place->path.leaf->header)) {
    leaves = 1;
    for (uint32_t i = 0; i < place->path.height; ++i) inners += !pool_->Young(&place->path.steps[i].node->header);
  }
  if (place->splits) {
    ++leaves;
    inners += place->path.height + 1;
  }
  if (!pool_->Ensure(leaves, inners, Reserve::kIndex)) [[unlikely]]
    return Status::kFull;
  const uint64_t old = place->found ? RecordRefOffset(place->path.leaf->refs[place->index]) : 0;
  if (change.kind == kRecordPut) {
    tree.Set(place, change.key, offset);
    AddLive(offset, change, 1);
  } else if (place->found) {
    tree.Erase(place);
  }
  // How much a damaged record took up is not known. It stays counted: its segment is never given back, and no other
  // record in it is lost by that.
  if (replaced != nullptr) {
    if (replaced->bytes != 0) AddLiveBytes(old, -int64_t{replaced->bytes});
  } else if (place->found) {
    const Record& before = place->record;
    if (VerifyRecord(*space_, old, before))
      AddLive(old, {before.kind, before.flags, before.tree, before.key, before.value}, -1);
  }
  dirty_ = true;
  changed_epoch_ = pool_->epoch();
  return Status::kOk;
}

// Moves a value that is too large for its record into CHUNK frames of its own; the change then carries their list.
// They are not drained: the commit's own frame is behind them, and valid only with them.
Status Store::Outline(Change* change, std::vector<uint8_t>* extents) {
  const uint32_t piece_max = log_->inline_value_bytes_max();
  const auto pieces = static_cast<uint32_t>((change->value.size + piece_max - 1) / piece_max);
  if (uint64_t{pieces} * sizeof(ValueExtent) > piece_max) return Status::kValueTooLarge;
  std::vector<uint64_t>& frames = frame_bytes_;
  frames.assign(pieces, RoundUp(LogWriter::RecordBytes(change->tree, 0, change->key.size, piece_max), kLineBytes));
  if (Status status = EnsureLog(frames.data(), frames.size(), Reserve::kPut); status != Status::kOk) return status;
  extents->resize(pieces * sizeof(ValueExtent));
  dirty_ = true;
  phase_ = Phase::kLogging;
  for (uint32_t i = 0; i < pieces; ++i) {
    if (i % 1024 == 1023) {
      if (Status status = BoundWindow(); status != Status::kOk) return status;
    }
    size_t at = size_t{i} * piece_max;
    Change piece{kRecordChunk,
                 0,
                 change->tree,
                 change->key,
                 {change->value.data + at, std::min<size_t>(piece_max, change->value.size - at)}};
    uint64_t offset = log_->Append(piece);
    if (offset == kNoOffset) return OutOfLog();
    ValueExtent extent{offset, static_cast<uint32_t>(piece.value.size), space_->At<const RecordHeader>(offset)->crc};
    memcpy(extents->data() + i * sizeof extent, &extent, sizeof extent);
  }
  phase_ = Phase::kLooking;
  change->flags |= kRecordExtents;
  change->value = {extents->data(), extents->size()};
  return Status::kOk;
}

// One change as a frame of its own, drained unless deferred, then in the index.
Status Store::Logged(Place* place, const Change& change, bool deferred, uint64_t* version) {
  phase_ = Phase::kLogging;
  uint64_t offset = log_->Append(change);
  if (offset == kNoOffset) return OutOfLog();
  if (!deferred) {
    if (Status s = DrainLog(); s != Status::kOk) return s;
  }
  phase_ = Phase::kIndexing;
  if (Status s = Index(place, change, offset); s != Status::kOk) return Behind(s);
  *version = indexed_lsn_ = log_->last_lsn();
  return Status::kOk;
}

Status Store::Put(uint32_t tree, Bytes key, Bytes value, bool deferred, uint64_t* version) {
  if (key.size == 0 || tree >= kTreeCount) return Status::kInvalid;
  if (key.size > kKeyBytesMax) return Status::kKeyTooLarge;
  if (value.size > kValueBytesMax) return Status::kValueTooLarge;
  Guard guard(lock_);
  std::vector<uint8_t> extents;
  return Attempted(guard, deferred, Reserve::kPut, [&](Reserve who) -> Status {
    Change change{kRecordPut, 0, tree, key, value};
    const bool large = value.size > log_->inline_value_bytes_max();
    Place place;
    const auto locate = [&] {
      Status s = trees_[tree].Locate(key, &place);
      if (s != Status::kOk) damaged_offset_ = trees_[tree].damaged_offset();
      return s;
    };
    // First what can be refused at no cost, then the pieces, then again: they may have used up what was ensured.
    for (int round = large ? 0 : 1; round < 2; ++round) {
      uint64_t bytes =
          RoundUp(LogWriter::RecordBytes(tree, 0, key.size, round == 0 ? 0 : change.value.size), kLineBytes);
      if (Status s = Ensure(1, 1, trees_[tree], &bytes, 1, who); s != Status::kOk) return s;
      if (round == 0) {
        // Or the pieces of a value that cannot be indexed would take room.
        if (Status s = locate(); s != Status::kOk) return s;
        if (Status s = Outline(&change, &extents); s != Status::kOk) return s;
      }
    }
    if (Status s = locate(); s != Status::kOk) return s;
    return Logged(&place, change, deferred, version);
  });
}

Status Store::Remove(uint32_t tree, Bytes key, bool deferred, uint64_t* version) {
  *version = 0;
  if (key.size == 0 || tree >= kTreeCount) return Status::kInvalid;
  if (key.size > kKeyBytesMax) return Status::kKeyTooLarge;
  Guard guard(lock_);
  return Attempted(guard, deferred, Reserve::kRemove, [&](Reserve who) -> Status {
    Place place;
    if (Status s = trees_[tree].Locate(key, &place); s != Status::kOk) {
      damaged_offset_ = trees_[tree].damaged_offset();
      return s;
    }
    const bool timed = place.found && (place.record.flags & kRecordExpires) != 0;
    const bool there = place.found && !(timed && place.record.ExpiredAt(UnixMillis()));
    // Absent perhaps only by a remove that is not durable yet; this one promises that it is.
    if (!there) return deferred ? Status::kOk : DrainLog();
    uint64_t bytes = RoundUp(LogWriter::RecordBytes(tree, 0, key.size, 0), kLineBytes);
    if (Status s = Ensure(1, 0, trees_[tree], &bytes, 1, who); s != Status::kOk) return s;
    Change change{kRecordDel, 0, tree, key, {}};
    return Logged(&place, change, deferred, version);
  });
}

// Entries with a time are listed by it, so that Sweep finds them. A later change of the key leaves its line in the
// list: the line then names a time that the record does not have, and Sweep drops it.
static void AddExpiryList(std::vector<Change>* changes, std::vector<uint8_t>* keys) {
  const size_t given = changes->size();
  size_t bytes = 0;
  for (const Change& c : *changes) bytes += (c.flags & kRecordExpires) != 0 ? kExpiryHeadBytes + c.key.size : 0;
  keys->resize(bytes);
  uint8_t* at = keys->data();
  for (size_t i = 0; i < given; ++i) {
    const Change c = (*changes)[i];
    if ((c.flags & kRecordExpires) == 0) continue;
    const uint64_t time = __builtin_bswap64(c.expires);
    memcpy(at, &time, sizeof time);
    at[sizeof time] = static_cast<uint8_t>(c.tree);
    memcpy(at + kExpiryHeadBytes, c.key.data, c.key.size);
    changes->push_back({kRecordPut, 0, kTreeExpiry, {at, kExpiryHeadBytes + c.key.size}, {}});
    at += kExpiryHeadBytes + c.key.size;
  }
}

static Status CheckChange(const Change& c) {
  if (c.key.size == 0 || c.tree >= kTreeCount || (c.kind != kRecordPut && c.kind != kRecordDel))
    return Status::kInvalid;
  const bool expires = (c.flags & kRecordExpires) != 0;
  if ((c.flags & ~kRecordExpires) != 0 || (expires && c.kind != kRecordPut)) return Status::kInvalid;
  if (c.key.size + (expires ? kExpiryHeadBytes : 0) > kKeyBytesMax) return Status::kKeyTooLarge;
  return c.value.size > kValueBytesMax ? Status::kValueTooLarge : Status::kOk;
}

// REQUIRES (this and the next): the lock, inside a guard.
Status Store::Holds(const Check& check) {
  Found found = Find(*pool_, *space_, trees_[check.tree].root(), check.key);
  Status status = Status::kNotFound;
  if (found.lookup == Lookup::kDamaged) {
    damaged_offset_ = found.damaged_offset;
    return Status::kCorrupt;
  }
  if (found.lookup == Lookup::kFound) {
    status = Visible(found.record, RecordRefOffset(found.ref), UnixMillis());
    if (status == Status::kCorrupt) return status;
  }
  return check.version == (status == Status::kOk ? found.record.lsn : 0) ? Status::kOk : Status::kConflict;
}

Status Store::Holds(const RangeCheck& check) {
  const uint64_t now = UnixMillis();
  uint64_t count = 0;
  Cursor cursor(pool_.get(), space_.get(), trees_[check.tree].root());
  for (cursor.Seek(check.range, false); cursor.valid(); cursor.Advance()) {
    const uint64_t offset = RecordRefOffset(cursor.ref());
    Record record;
    Status status = RecordAt(*space_, offset, &record) ? Visible(record, offset, now) : Status::kCorrupt;
    if (status == Status::kNotFound) continue;
    if (status != Status::kOk) {
      damaged_offset_ = offset;
      return status;
    }
    if (record.lsn > check.version || ++count > check.count) return Status::kConflict;
  }
  if (cursor.status() != Status::kOk) damaged_offset_ = cursor.damaged_offset();
  return cursor.status() != Status::kOk ? cursor.status() : count == check.count ? Status::kOk : Status::kConflict;
}

template <class Prepare>
Status Store::BatchAttempted(Guard& guard, bool deferred, Reserve last, uint64_t* version, Prepare&& prepare) {
  BatchWork work;
  return Attempted(guard, deferred, last, [&](Reserve who) -> Status {
    // Anew in each attempt: a checkpoint in between gives back the pieces of values that never got whole.
    work.changes.clear();
    work.extents.clear();
    work.groups.clear();
    if (Status s = prepare(&work); s != Status::kOk) return s;
    if (!work.changes.empty()) return LogAndIndex(&work, deferred, who, Head::kHot, version);
    // Nothing is there, perhaps only by a change that is not durable yet; this one promises that it is.
    return deferred ? Status::kOk : DrainLog();
  });
}

// The first look at all of a batch's changes: that each can be made, and what it replaces.
Status Store::Look(BatchWork* work) {
  const std::vector<Change>& changes = work->changes;
  const auto count = static_cast<uint32_t>(changes.size());
  work->replaced.resize(count);
  work->puts = 0;
  work->tallest = &trees_[changes[0].tree];
  // Keys that are scattered have each to be waited for; those in order come by themselves.
  bool scattered = true;
  uint32_t moves = kSideBySide, scattered_count = 0;
  const LeafNode* leaf = nullptr;
  for (uint32_t i = 0; i < count; ++i) {
    const Change& change = changes[i];
    Tree& tree = trees_[change.tree];
    if (i % kSideBySide == 0) {
      scattered = std::exchange(moves, 0) > kSideBySide / 4;
      if (scattered) FetchAhead(changes, i);
    }
    scattered_count += scattered;
    const Status s = scattered ? tree.Locate(change.key, &batch_place_) : tree.LocateNext(change.key, &batch_place_);
    if (s != Status::kOk) {
      damaged_offset_ = tree.damaged_offset();
      return s;
    }
    work->replaced[i] = Replacing(batch_place_);
    moves += std::exchange(leaf, batch_place_.path.leaf) != batch_place_.path.leaf;
    // What is moved has its place.
    work->puts += change.kind == kRecordPut && (change.flags & kRecordMoved) == 0;
    if (tree.height() > work->tallest->height()) work->tallest = &tree;
  }
  work->in_order = scattered_count <= kSideBySide + count / 4;
  return Status::kOk;
}

// What the next changes from `first` on will read, side by side.
void Store::FetchAhead(const std::vector<Change>& changes, uint32_t first) {
  // With those that follow in the same tree; any other is only slower.
  Bytes keys[kSideBySide];
  uint32_t ahead = 0;
  for (size_t i = first; ahead < kSideBySide && i < changes.size() && changes[i].tree == changes[first].tree; ++i)
    keys[ahead++] = changes[i].key;
  FetchMany(*pool_, *space_, trees_[changes[first].tree].root(), keys, ahead);
}

// The changes as one BATCH frame, or as several if they do not fit a segment; drained unless deferred, then indexed.
Status Store::LogAndIndex(BatchWork* work, bool deferred, Reserve who, Head head, uint64_t* version) {
  if (Status s = Look(work); s != Status::kOk) return s;
  std::vector<Change>& changes = work->changes;
  const auto count = static_cast<uint32_t>(changes.size());
  work->extents.reserve(count);
  for (Change& change : changes) {
    if (change.value.size <= log_->inline_value_bytes_max()) continue;
    work->extents.emplace_back();
    if (Status s = Outline(&change, &work->extents.back()); s != Status::kOk) return s;
  }
  uint64_t in_frame = 0;
  frame_bytes_.clear();
  for (const Change& change : changes) {
    const uint64_t bytes = RoundUp(LogWriter::RecordBytes(change), kRecordAlign);
    if (work->groups.empty() || in_frame + bytes > log_->frame_bytes_max()) {
      work->groups.push_back(0);
      frame_bytes_.push_back(0);
      in_frame = sizeof(BatchHeader);
    }
    ++work->groups.back();
    in_frame += bytes;
    frame_bytes_.back() = RoundUp(in_frame, kLineBytes);
  }
  const uint64_t* frames = frame_bytes_.data();
  if (Status s = Ensure(count, work->puts, *work->tallest, frames, frame_bytes_.size(), who, head); s != Status::kOk)
    return s;

  phase_ = Phase::kLogging;
  work->offsets.resize(count);
  uint32_t first = 0;
  for (size_t g = 0; g < work->groups.size(); ++g) {
    const bool more = g + 1 < work->groups.size();
    if (!log_->AppendBatch(&changes[first], work->groups[g], more, &work->offsets[first], head)) return OutOfLog();
    first += work->groups[g];
  }
  if (!deferred) {
    if (Status s = DrainLog(); s != Status::kOk) return s;
  }
  phase_ = Phase::kIndexing;
  batch_place_.Forget();
  for (uint32_t i = 0; i < count; ++i) {
    Tree& tree = trees_[changes[i].tree];
    const Replaced& replaced = work->replaced[i];
    // Unless a change before it in the batch has the same key.
    const bool same = replaced.ref != 0 && tree.LocateAgain(changes[i].key, replaced.ref, &batch_place_);
    Status s = Status::kOk;
    if (!same)
      s = work->in_order ? tree.LocateNext(changes[i].key, &batch_place_) : tree.Locate(changes[i].key, &batch_place_);
    if (s == Status::kOk) s = Index(&batch_place_, changes[i], work->offsets[i], same ? &replaced : nullptr);
    if (s != Status::kOk) return Behind(s);
  }
  *version = indexed_lsn_ = log_->last_lsn();
  return Status::kOk;
}

Status Store::Batch(const BatchRequest& request, bool deferred, uint64_t* version) {
  *version = 0;
  bool puts = false;
  for (uint32_t i = 0; i < request.count; ++i) {
    if (Status s = CheckChange(request.changes[i]); s != Status::kOk) return s;
    puts |= request.changes[i].kind == kRecordPut;
  }
  for (uint32_t i = 0; i < request.check_count; ++i) {
    if (request.checks[i].key.size == 0 || request.checks[i].tree >= kTreeCount) return Status::kInvalid;
  }
  for (uint32_t i = 0; i < request.range_check_count; ++i) {
    if (request.range_checks[i].tree >= kTreeCount) return Status::kInvalid;
  }
  if (request.count + request.check_count + request.range_check_count == 0) return Status::kOk;
  Guard guard(lock_);
  return BatchAttempted(guard, deferred, puts ? Reserve::kPut : Reserve::kRemove, version, [&](BatchWork* work) {
    for (uint32_t i = 0; i < request.check_count; ++i) {
      if (Status s = Holds(request.checks[i]); s != Status::kOk) return s;
    }
    for (uint32_t i = 0; i < request.range_check_count; ++i) {
      if (Status s = Holds(request.range_checks[i]); s != Status::kOk) return s;
    }
    work->changes.assign(request.changes, request.changes + request.count);
    AddExpiryList(&work->changes, &work->expiry_keys);
    return Status::kOk;
  });
}

// One piece of a value that is being streamed in, counted as pending at once: a checkpoint may follow.
Status Store::AppendPiece(Guard& guard, const Change& piece, ValueExtent* extent) {
  return Attempted(guard, true, Reserve::kPut, [&](Reserve who) -> Status {
    const uint32_t record_bytes = LogWriter::RecordBytes(piece);
    const uint64_t bytes = RoundUp(record_bytes, kLineBytes);
    if (Status s = EnsureLog(&bytes, 1, who); s != Status::kOk) return s;
    dirty_ = true;
    phase_ = Phase::kLogging;
    const uint64_t offset = log_->Append(piece);
    if (offset == kNoOffset) return OutOfLog();
    *extent = {offset, static_cast<uint32_t>(piece.value.size), space_->At<const RecordHeader>(offset)->crc};
    space_->AddPending(space_->SegmentOf(offset), static_cast<int64_t>(RoundUp(record_bytes, kRecordAlign)));
    return Status::kOk;
  });
}

// The PUT behind such pieces: `change` has their list.
Status Store::PutPieces(Guard& guard, const Change& change, const ValueEnd& end, bool deferred, uint64_t* version) {
  return BatchAttempted(guard, deferred, Reserve::kPut, version, [&](BatchWork* work) {
    if (end.conditional) {
      if (Status s = Holds({change.tree, change.key, end.version}); s != Status::kOk) return s;
    }
    work->changes.push_back(change);
    AddExpiryList(&work->changes, &work->expiry_keys);
    return Status::kOk;
  });
}

// Keys are used where they lie in the log: nothing there is given back before the change is whole.
Status Store::EraseRange(uint32_t tree, const KeyRange& range, uint32_t limit, bool deferred, Removed* removed) {
  if (tree >= kTreeCount) return Status::kInvalid;
  uint64_t version = 0;
  Guard guard(lock_);
  return BatchAttempted(guard, deferred, Reserve::kRemove, &version, [&](BatchWork* work) -> Status {
    *removed = {};
    const uint64_t now = UnixMillis();
    Cursor cursor(pool_.get(), space_.get(), trees_[tree].root());
    for (cursor.Seek(range, false); cursor.valid() && removed->looked_at < limit; cursor.Advance()) {
      const uint64_t offset = RecordRefOffset(cursor.ref());
      Record record;
      ++removed->looked_at;
      removed->entries += RecordAt(*space_, offset, &record) && !record.ExpiredAt(now);
      work->changes.push_back({kRecordDel, 0, tree, cursor.key(), {}});
    }
    removed->more = cursor.valid();
    if (cursor.status() != Status::kOk) damaged_offset_ = cursor.damaged_offset();
    return cursor.status();
  });
}

// What a line of the list of times is about, if the entry still has that time. What is damaged stays for whoever reads
// it.
bool Store::Expiring(Bytes line, Change* remove) {
  ExpiryLine parsed;
  if (!ParseExpiryLine(line, &parsed)) return false;
  const Found found = Find(*pool_, *space_, trees_[parsed.tree].root(), parsed.key);
  if (found.lookup != Lookup::kFound || found.record.expires != parsed.unix_ms) return false;
  *remove = {kRecordDel, 0, parsed.tree, parsed.key, {}};
  return VerifyRecord(*space_, RecordRefOffset(found.ref), found.record);
}

Status Store::Sweep(uint64_t unix_ms, uint32_t limit, bool deferred, Removed* removed) {
  uint64_t version = 0;
  Guard guard(lock_);
  return BatchAttempted(guard, deferred, Reserve::kRemove, &version, [&](BatchWork* work) -> Status {
    *removed = {};
    Cursor cursor(pool_.get(), space_.get(), trees_[kTreeExpiry].root());
    for (cursor.Seek({}, false); cursor.valid(); cursor.Advance()) {
      const Bytes line = cursor.key();
      const uint64_t time = KeyHead(line);
      if (time > unix_ms) {
        removed->next_expiry = time;
        break;
      }
      if (removed->looked_at == limit) {
        removed->more = true;
        removed->next_expiry = time;
        break;
      }
      ++removed->looked_at;
      work->changes.push_back({kRecordDel, 0, kTreeExpiry, line, {}});
      Change change;
      if (!Expiring(line, &change)) continue;
      work->changes.push_back(change);
      ++removed->entries;
    }
    if (cursor.status() != Status::kOk) damaged_offset_ = cursor.damaged_offset();
    return cursor.status();
  });
}

}  // namespace sealog
