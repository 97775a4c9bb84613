// One open store: a writer, its index and log, the checkpoint thread, reads.
//
// Locking: `lock_` has a writer's side, which every change holds, and a readers' side (writer_lock.h). The checkpointer
// holds the writer's to freeze and to finish, not while it writes. What is not said to be otherwise is the writer's to
// change, and readers may look at it. Where the writer waits for the device (BesideReaders) readers are inside: what
// they look at is as before the change under way.
//
// Opening goes in steps, because TypeScript decides between them: Start (with its plan), Replay, Serve.
#pragma once

#include <atomic>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <vector>

#include "base/status.h"
#include "index/index.h"
#include "log/log.h"
#include "persist/persist.h"
#include "platform/fork.h"
#include "platform/guard.h"
#include "platform/thread.h"
#include "platform/view_mapping.h"
#include "region/region.h"
#include "store/checkpoint.h"
#include "store/cleaner.h"
#include "store/expiry_line.h"
#include "store/pinned_state.h"
#include "store/plan.h"
#include "store/reads.h"
#include "store/stats.h"
#include "store/value_stream.h"
#include "store/writer_lock.h"

namespace sealog {

struct ServeOptions {
  bool lsn_jump = false;  // the last session did not end cleanly
  bool populate = true;
  bool clean_behind = true;      // a thread cleans when the store gets full
  bool as_checkpointed = false;  // read-only: what is behind the checkpoint is not replayed
};

// How the store may grow by itself, in whole segments rounded up; and where the seal's records stand.
struct GrowthOptions {
  uint64_t step_bytes = 0;  // at a time; 0: not by itself
  uint64_t max_bytes = 0;
  uint64_t seal_sequence = 0;  // of the newest valid record
};
// What has become of it since open.
struct GrowthReport {
  uint64_t bytes = 0;      // of the region, now
  uint64_t bytes_max = 0;  // that it may have until it is opened again
  uint64_t count = 0;      // how often it has grown
  bool running = false;
  SealProbe seal;   // with count != 0: the block map of the last time
  Failure failure;  // of the last time that it tried by itself, unless it has grown since
};

// What a commit relies on: it is refused with kConflict, and nothing changed, where this is not so any more. Expired
// entries count as absent.
struct Check {
  uint32_t tree = kTreeUser;
  Bytes key;
  uint64_t version = 0;  // of the entry; 0: there is none
};
// The range had `count` entries, none written after `version`, and still has just these.
struct RangeCheck {
  uint32_t tree = kTreeUser;
  KeyRange range;
  uint64_t version = 0;
  uint64_t count = 0;
};

struct BatchRequest {
  const Change* changes = nullptr;
  uint32_t count = 0;
  const Check* checks = nullptr;
  uint32_t check_count = 0;
  const RangeCheck* range_checks = nullptr;
  uint32_t range_check_count = 0;
};

// What one slice of removing has done.
struct Removed {
  uint32_t entries = 0;  // that were there and are not any more
  uint32_t looked_at = 0;
  bool more = false;
  uint64_t next_expiry = 0;  // Sweep: when there is more to do, in Unix milliseconds; 0: nothing expires
};

class Store {
 public:
  Store(std::unique_ptr<Region> region, FlushKind flush);
  ~Store();
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  // --- opening: in this order, once
  // -----------------------------------------------------------------------------------
  Failure Start(Plan plan);
  struct ReplayResult {
    Failure failure;
    LogReader::End end;
    LogReader::Later later;
  };
  ReplayResult Replay();
  // Before Serve, of a store that is not read-only: cuts off what a growth that did not complete has left behind the
  // region's end, and makes the superblock that is not the current one (0 or 1) like it.
  Failure Settle(uint32_t current_superblock);
  Failure Serve(const ServeOptions& options);

  // --- changes: durable when they return, unless `deferred`
  // ------------------------------------------------------------- kFull, kKeyTooLarge, kValueTooLarge, kReadOnly,
  // kPoisoned, kMedia, kCorrupt (of a node or record on the way: nothing was changed). `*version` gets the commit's
  // LSN.
  Status Put(uint32_t tree, Bytes key, Bytes value, bool deferred, uint64_t* version);
  // `*version` is 0 and nothing is written if the key is absent.
  Status Remove(uint32_t tree, Bytes key, bool deferred, uint64_t* version);
  // All or nothing. The order counts: the last change of a key wins. kConflict: a check does not hold.
  Status Batch(const BatchRequest& request, bool deferred, uint64_t* version);
  Status Batch(const Change* changes, uint32_t count, bool deferred, uint64_t* version) {
    return Batch({changes, count}, deferred, version);
  }
  // Removes the first `limit` entries of a range, as one batch.
  Status EraseRange(uint32_t tree, const KeyRange& range, uint32_t limit, bool deferred, Removed* removed);
  // Removes entries that expired up to `unix_ms`, after a look at `limit` of them, as one batch.
  Status Sweep(uint64_t unix_ms, uint32_t limit, bool deferred, Removed* removed);
  // Makes everything deferred durable.
  Status Commit();
  // The same in three steps, so that the device is waited for on another thread: Begin (this thread), Sync (any), End
  // (any). REQUIRES: one at a time.
  bool BeginCommit();
  Status SyncCommit();
  // The same for any number of callers: whether Commit would wait for the device. Then CommitInBackground, on a thread
  // that may, makes everything up to `*lsn` durable.
  bool CommitWaits(uint64_t* lsn);
  Status CommitInBackground(uint64_t lsn);
  // A durable checkpoint of everything so far.
  Status Checkpoint();
  // A little cleaning now, however full the store is: up to so many looks at a segment. For tests.
  Status CleanSome(uint32_t slices);
  // Moves what is alive out of every log segment in which something is dead, in slices between which others have the
  // lock; for a thread of its own. kUnsupported: the store was made before cleaning. kAborted: StopCompacting since
  // BeginCompact, which whoever asks for it calls before the thread has it, or Close.
  void BeginCompact() { stop_compacting_ = false; }
  Status Compact() { return Compact(stop_compacting_); }
  void StopCompacting() { stop_compacting_ = true; }
  // As Compact, for one of several: kAborted also by `stop`.
  Status Compact(const std::atomic<bool>& stop);

  // --- growth
  // ----------------------------------------------------------------------------------------------------------- To be
  // set before Serve.
  void SetGrowth(const GrowthOptions& options) { growth_options_ = options; }
  // The store gets this many bytes in all, rounded up to whole segments; fewer than it has are no change. Takes long,
  // on a thread that may wait: reads and writes go on meanwhile. A second one waits for the first. After a failure the
  // store is as before, but for kIo and kMedia with `poison()`.
  //   kCapacity: no room in the segment table, or in the addresses reserved at open; `offset` is what there is room for
  //   kNoSpace, kAborted (by `progress[2]`, Close or Release), kNoMemory, kIo; kClosed, kReadOnly, kPoisoned
  Failure Grow(uint64_t capacity_bytes, int64_t* progress);
  void Growth(GrowthReport* out);

  // --- values that come in pieces (value_stream.cc). Other commits may come between any two of these calls; nothing is
  // visible before FinishValue.
  uint32_t piece_bytes_max() const { return log_->inline_value_bytes_max(); }
  // `*id` gets its name; ids are not used again.
  Status BeginValue(uint32_t tree, Bytes key, uint64_t* id);
  // Logs the next piece, 1 to piece_bytes_max() bytes; not drained. kClosed: there is no such value. Otherwise as Put;
  // the value is then still there, to be tried again or aborted.
  Status AppendValue(uint64_t id, Bytes piece);
  // Puts the value, as one commit. However it ends, the value is gone: committed, or aborted. kConflict: its condition
  // does not hold.
  Status FinishValue(uint64_t id, const ValueEnd& end, bool deferred, uint64_t* version);
  // Nothing of it is left; its space comes back as that of a removed value does.
  void AbortValue(uint64_t id);
  // Whether the segment has pieces that nothing refers to yet: it must be neither retired nor cleaned.
  // REQUIRES: the lock (the cleaner has it).
  bool HasPending(uint32_t segment) const { return space_->segment(segment).pending != 0; }

  // --- reads
  // ------------------------------------------------------------------------------------------------------------ The
  // value is copied to `out`; kValueOutside (with its length) if it does not fit. kNotFound, kCorrupt, kMedia.
  GetResult Get(uint32_t tree, Bytes key, uint8_t* out, size_t out_bytes) { return Get(0, tree, key, out, out_bytes); }
  GetResult Get(uint64_t snapshot, uint32_t tree, Bytes key, uint8_t* out, size_t out_bytes);
  Status Has(uint32_t tree, Bytes key) { return Has(0, tree, key); }
  Status Has(uint64_t snapshot, uint32_t tree, Bytes key);
  // As Get, key by key: `answers` gets the length of each value, or -1 where there is none. The values lie one behind
  // the other in `out`, each padded to 8 bytes.
  GetManyResult GetMany(const GetManyRequest& request, int32_t* answers);
  RangeResult FillRange(const RangeRequest& request);
  Status Count(const KeyRange& range, uint64_t* count) { return Count(0, kTreeUser, range, count); }
  Status Count(uint64_t snapshot, uint32_t tree, const KeyRange& range, uint64_t* count);
  // Keeps the newest state for reading until it is released; 0 if the store is closed. `*lsn` gets its last commit.
  // O(1).
  uint64_t OpenSnapshot(uint64_t* lsn);
  // Of a reader that takes the place of another, with a newer state: no id is used again.
  void NumberSnapshotsBehind(Store* before);
  uint64_t next_snapshot();
  void ReleaseSnapshot(uint64_t id);
  // Copies the value's bytes from `offset` on, to the end of the piece that they are in: value_stream.h.
  PartResult GetPart(uint64_t snapshot, uint32_t tree, Bytes key, uint64_t offset, uint8_t* out, size_t out_bytes);
  // Where a value of at least `bytes_min` bytes can be read in place until EndView, verified: value_view.cc.
  // kValueOutside (with its length): it is smaller, in pieces, or not in the file yet; then it is copied.
  ViewResult BeginView(uint64_t snapshot, uint32_t tree, Bytes key, uint64_t bytes_min);
  // kMedia: not all that was read there was the value, since the file could not be read.
  Status EndView(const ViewResult& view);

  // Takes a checkpoint of the newest state and holds on to it until Unpin; a reader's is what it has replayed. Its
  // state is fixed when this returns, and durable, with all checksums in place, when AwaitPinned has (any thread).
  // kClosed, kPoisoned, kMedia.
  Status PinState(uint64_t* id);
  Status AwaitPinned(uint64_t id);
  // Whoever reads the state in this moment reads it to the end.
  void Unpin(uint64_t id);
  // Runs `f(const PinnedState&)` on this thread, without the lock, in a guard: it reads the region, in slices, since
  // Release waits for it. kMedia: a SIGBUS ended it. kClosed: there is no such pin any more.
  template <class F>
  Status WithPinned(uint64_t id, F&& f) {
    std::shared_ptr<const PinnedState> state = EnterPinned(id);
    if (!state) return gone();
    const bool whole = Shielded([&] { f(*state); });
    LeavePinned(id);
    return whole ? Status::kOk : Status::kMedia;
  }

  // A clean end: commits, checkpoints. Without it the store is left as if the process had been killed.
  Status Close();
  // Gives up the file: unmapped and unlocked when this returns, whoever still holds this object.
  void Release();

  void Stats(StoreStats* out);
  const Region& region() const { return *region_; }
  uint32_t key_codec() const { return plan_.header.key_codec; }
  // What the first failure of a durable write was; of the last read or write that met damage.
  Failure poison();
  uint64_t damaged_offset() const { return damaged_offset_; }
  // This process was forked from the one that opened it: everything is refused with kForked, and nothing that is done
  // here reaches the file or its lock.
  bool forked() const { return forked_; }
  // What is answered once the store does not serve any more.
  Status gone() const { return forked_ ? Status::kForked : Status::kClosed; }
  bool needs_device_sync() const { return persister_.drain_kind() == DrainKind::kWriteThrough; }

 private:
  static constexpr uint32_t kWindowSlack = 8192;  // frames that one change may add before the window is looked at again
  enum class Phase : uint8_t { kLooking, kLogging, kIndexing };
  using Guard = std::unique_lock<WriterLock>;
  using ReadGuard = std::shared_lock<WriterLock>;

  template <class F>
  bool Shielded(F&& f) const {
    return Guarded(region_->scope(), static_cast<F&&>(f));
  }

  // store.cc
  void GiveUp();
  Status Writable() const;
  Status Poison(Status status, const Failure& failure);
  Status Interrupted();
  uint64_t LastLsn() const;
  Status Applied(const Record& record, uint64_t offset);
  void AddLive(uint64_t offset, const Change& change, int sign);
  void AddLiveBytes(uint64_t offset, int64_t delta);
  void WipeTornSlot();
  void RetireEmptySegments();
  void RetireIfEmpty(uint32_t segment);
  void RetireEmptied();

  // commit.cc
  // Runs a change inside a guard, again after making room if it was full, and at last from the reserve of `last`.
  template <class Attempt>
  Status Attempted(Guard& guard, bool deferred, Reserve last, Attempt&& attempt);
  bool Undrained() const { return log_->last_lsn() != drained_lsn_; }
  Status Ensure(uint32_t changes, uint32_t puts, const Tree& tree, const uint64_t* frame_bytes, size_t frames,
                Reserve who, Head head = Head::kHot);
  Status EnsureLog(const uint64_t* frame_bytes, size_t frames, Reserve who, Head head = Head::kHot);
  Status SyncInOsDomain();
  Status OutOfLog();
  bool Relieve(Guard& guard, uint32_t segments);
  bool CheckpointsForRoom(Guard& guard);
  Status Outline(Change* change, std::vector<uint8_t>* extents);
  Status Index(Place* place, const Change& change, uint64_t offset, const Replaced* replaced = nullptr);
  Replaced Replacing(const Place& place) const;
  Status Logged(Place* place, const Change& change, bool deferred, uint64_t* version);
  // What a batch needs while it is tried.
  struct BatchWork {
    std::vector<Change> changes;
    std::vector<std::vector<uint8_t>> extents;
    std::vector<uint8_t> expiry_keys;
    std::vector<uint64_t> offsets;
    std::vector<Replaced> replaced;
    std::vector<uint32_t> groups;  // changes in each frame
    uint32_t puts = 0;
    const Tree* tallest = nullptr;
    bool in_order = false;  // most keys follow the one before them, or nearly
  };
  // `prepare(BatchWork*)` says what to change, at the beginning of each attempt, under the lock.
  template <class Prepare>
  Status BatchAttempted(Guard& guard, bool deferred, Reserve last, uint64_t* version, Prepare&& prepare);
  Status Look(BatchWork* work);
  void FetchAhead(const std::vector<Change>& changes, uint32_t first);
  Status LogAndIndex(BatchWork* work, bool deferred, Reserve who, Head head, uint64_t* version);
  bool Expiring(Bytes line, Change* remove);
  Status Holds(const Check& check);
  Status Holds(const RangeCheck& check);
  Status AppendPiece(Guard& guard, const Change& piece, ValueExtent* extent);
  Status PutPieces(Guard& guard, const Change& change, const ValueEnd& end, bool deferred, uint64_t* version);
  template <class Wait>
  auto BesideReaders(Wait&& wait);
  Status DrainBesideReaders(Site site);
  Status DrainLog();
  Status BoundWindow();
  Status Behind(Status status);
  Status WaitForCommit(Guard& guard);

  // cleaning.cc
  // What one hold of the lock moves: little enough not to be felt by a write that waits for it.
  struct CleanBudget {
    uint32_t records;
    uint32_t bytes;
  };
  static const CleanBudget kPaying, kAtLeisure;
  struct CleanSliceResult {
    uint32_t records = 0, moved = 0, dead = 0;  // moved, bytes of these, bytes passed over
    bool ended = false;                         // at the victim's end
  };
  enum class Slice : uint8_t { kDone, kNothing, kNoRoom };  // no victim; no free segment to move to
  uint64_t Held(uint64_t age_ms = 0) const;
  uint32_t Reclaimable() const;
  void SetLevels();
  bool NextVictim(uint32_t worthwhile);
  bool NextInVictim(Cleaner::Cursor* at, Record* record, uint64_t* offset) const;
  Status LiveChange(const Record& record, uint64_t offset, Change* change);
  Status MovePiece(const Record& piece, uint64_t offset, Change change);
  Status MoveSome(const CleanBudget& budget, CleanSliceResult* result);
  Slice CleanSlice(Guard& guard, const CleanBudget& budget, uint32_t worthwhile, uint64_t* dead);
  void PayForCleaning(Guard& guard);
  void AfterWrite(Guard& guard);
  bool RoomToMove(Guard& guard, uint64_t* moved);
  void CleanForRoom(Guard& guard, uint32_t segments);
  void WakeCleaner();
  void CleanerThread();
  void LetOthers(Guard& guard);

  // checkpointer.cc
  void CheckpointThread();
  void MaybeFreeze(Guard& guard);
  void Freeze(uint32_t slot_flags);
  void FinishCheckpoint(Status status);
  Status CheckpointLocked(Guard& guard, uint32_t slot_flags);
  void DropWritten(Guard& guard);
  void CheckpointForReaders(Guard& guard);
  void LetGo(uint64_t sequence, uint64_t epoch);
  void LetGoOfReaders();
  SegmentHalf EncodeHalf(uint32_t segment, uint64_t epoch) const;

  // grow.cc
  Failure GrowTo(Guard& guard, uint32_t segment_count, int64_t* progress);
  struct Extended {
    SealProbe seal;
    bool populated = false;
    bool tried_meta = false;  // it is not known which size the superblocks have
  };
  Failure Extend(uint32_t before, uint32_t segment_count, int64_t* progress, Extended* out);
  Status WriteNewEntries(Persister* persister, uint32_t first, uint32_t end);
  bool NextSuperblock(uint32_t segment_count, Superblock* next) const;
  Status WriteSuperblocks(Persister* persister, const Superblock& superblock);
  void StartGrowing();
  void StopGrowing(Guard& guard);
  void GrowthThread();
  uint32_t NextSize() const;
  bool MayGrow() const;
  bool GrowForWriter(Guard& guard);
  void GrowAhead();
  // pin.cc
  Status FreezeReadOnly();
  Status CopyPinned(PinnedState* out) const;
  std::shared_ptr<const PinnedState> EnterPinned(uint64_t id);
  void LeavePinned(uint64_t id);

  // read.cc
  GetResult CopyValue(const Record& record, uint64_t offset, uint8_t* out, size_t out_bytes);
  GetResult CopyVerified(const Record& record, uint64_t offset, uint8_t* out, size_t out_bytes);
  Status ValueBytes(const Record& record, uint64_t offset, uint64_t* bytes);
  // A state to read: roots, and the time that decides what has expired.
  struct State {
    Root roots[kTreeCount];
    uint64_t unix_ms;
  };
  bool StateOf(uint64_t snapshot, uint32_t tree, State* state);
  // All reads: `body(state)`, in a guard, among the readers; then `then(state, status)`, outside of the guard, if it
  // was not cut off. Their answer is that of the last one. kClosed: there is no such state. kMedia.
  template <class Body, class Then>
  Status ReadState(uint64_t snapshot, uint32_t tree, Body&& body, Then&& then) {
    ReadGuard guard(lock_);
    State state;
    if (!StateOf(snapshot, tree, &state)) return gone();
    Status status = Status::kMedia;
    if (broken_ || !Shielded([&] { status = body(state); })) return Status::kMedia;
    return then(state, status);
  }
  template <class Body>
  Status ReadState(uint64_t snapshot, uint32_t tree, Body&& body) {
    return ReadState(snapshot, tree, body, [](const State&, Status status) { return status; });
  }
  // Whether the record is there for a reader; verified first, if it has a time.
  Status Visible(const Record& record, uint64_t offset, uint64_t unix_ms);
  Status FindVisible(const State& state, uint32_t tree, Bytes key, Found* found);
  Status FillVisible(const RangeRequest& request, const State& state, RangeResult* result);
  Status FillMany(const GetManyRequest& request, const State& state, int32_t* answers, GetManyResult* result);
  Status CountExpired(const State& state, uint32_t tree, const KeyRange& range, uint64_t* expired);
  uint64_t PinNewest();
  uint64_t TakeSnapshot(const State& state, uint64_t* lsn);
  void GiveBack();
  void ReleasePins();
  bool PieceAt(const ValueExtent& extent, Record* chunk);

  // value_stream.cc
  void ReleasePieces(const PendingValue& value);
  void AbortValues();
  Status CopyPart(const Record& record, uint64_t offset, uint8_t* out, size_t out_bytes, PartResult* result);

  // value_view.cc
  bool CoverViews();
  bool PinView(uint64_t snapshot, ViewResult* result);
  bool VerifyView(uint64_t offset, const RecordHeader& header, uint32_t bytes);

  std::unique_ptr<Region> region_;
  FlushKind flush_;
  Plan plan_;

  WriterLock lock_;
  Persister persister_;             // the writer's
  Persister checkpoint_persister_;  // the checkpoint thread's
  std::unique_ptr<Space> space_;
  std::unique_ptr<NodePool> pool_;
  std::unique_ptr<LogWriter> log_;
  std::vector<Tree> trees_;
  std::unique_ptr<LogReader> reader_;  // between Replay and Serve
  std::vector<uint32_t> emptied_;      // log segments whose live bytes a change has brought to zero
  std::vector<uint64_t> frame_bytes_;  // of the frames that a change is about to append
  Place batch_place_;                  // 2 KiB, off the stack of a guarded batch

  bool serving_ = false;
  bool dirty_ = false;                              // changed since the last freeze
  uint64_t futile_epoch_ = 0, futile_waiting_ = 0;  // when checkpoints last gave nothing back
  volatile Phase phase_ = Phase::kLooking;
  bool broken_ = false;  // the index in memory was cut off in a change: no reads either
  Status poison_status_ = Status::kOk;
  Failure poison_;
  std::atomic<uint64_t> damaged_offset_{0};

  // Cleaning.
  struct CleaningWork {
    BatchWork work;
    std::vector<uint8_t> list;  // of a large value's pieces
  };
  Cleaner cleaner_;
  CleaningWork cleaning_;
  Thread cleaner_thread_;
  std::condition_variable_any cleaner_wake_;
  bool clean_behind_ = false;
  bool cleaner_wanted_ = false;
  std::atomic<bool> stop_compacting_{false};
  uint32_t pay_level_ = 0, leisure_level_ = 0;  // of reclaimable segments; 0: the store's format cannot be cleaned
  uint64_t nothing_to_clean_until_ = 0;         // log bytes
  uint32_t relieving_ = 0;                      // writers that make room in a full store
  uint64_t futile_until_ = 0;                   // log bytes: cleaning a full store has given nothing
  uint64_t owed_bytes_ = 0;                     // dead bytes that writers have still to pass over
  uint64_t paid_at_ = 0;                        // log bytes

  // Checkpoints.
  Thread thread_;
  std::condition_variable_any wake_;  // the thread
  std::condition_variable_any done_;  // whoever waits for a checkpoint or a commit
  bool stop_ = false;
  bool in_flight_ = false;
  FrozenState frozen_;
  uint64_t slot_sequence_ = 0;  // of the last one frozen
  uint64_t checkpoints_ = 0;
  uint64_t checkpoint_nodes_ = 0;
  uint64_t checkpoint_lines_ = 0;  // the checkpointer's, by the end of the last one
  double checkpoint_ms_ = 0;       // of all that were written
  uint32_t table_check_ = 0;
  std::vector<uint32_t> half_crc_;        // of each segment's current half
  uint64_t checkpoint_pins_[2] = {0, 0};  // epochs of the durable ones: before, current; 0: none
  uint64_t checkpoint_sequences_[2] = {0, 0};
  struct ReaderPin {
    uint64_t sequence, epoch;
  };
  std::vector<ReaderPin> reader_pins_;  // older checkpoints that reader processes still had when last looked
  bool readers_ = false;                // there were reader processes
  uint64_t log_bytes_at_freeze_ = 0;
  uint64_t appended_when_last_idle_ = 0;

  // Snapshots, and pins of their states and of views': for readers under `pins_lock_`. A writer has them to itself.
  std::mutex pins_lock_;
  std::vector<uint64_t> given_back_;  // pins that the next writer removes
  struct Snapshot {
    uint64_t epoch;
    uint64_t lsn;
    uint64_t taken_ms;  // of a clock that does not jump
    State state;
  };
  std::map<uint64_t, Snapshot> snapshots_;
  uint64_t next_snapshot_ = 1;
  uint64_t changed_epoch_ = 0;  // the last epoch in which something changed
  uint64_t indexed_lsn_ = 0;    // of the last commit that readers see

  std::map<uint64_t, PendingValue> pending_values_;
  uint64_t next_value_ = 1;

  std::unique_ptr<ViewMapping> view_mapping_;  // made under `pins_lock_`, and kept while there are views
  uint32_t views_ = 0;                         // under way

  uint64_t drained_lsn_ = 0;  // of the last drain; in the os domain the device may be behind it

  // A commit that another thread is syncing.
  bool commit_in_flight_ = false;
  uint64_t commit_lsn_ = 0;
  std::vector<Persister::Range> commit_ranges_;
  uint64_t background_commits_ = 0;  // drains that went that way

  // States that are held on to, and how many threads are looking at one just now.
  struct Pin {
    std::shared_ptr<const PinnedState> state;
    uint32_t readers = 0;
    bool given_back = false;  // goes when the last of them leaves
  };
  void DropPin(std::map<uint64_t, Pin>::iterator it);
  std::map<uint64_t, Pin> pinned_;
  uint64_t next_pinned_ = 1;
  uint32_t pinned_readers_ = 0;

  Populator populator_;

  // Growth. One at a time: `growing_` is held over the long part, without the lock.
  GrowthOptions growth_options_;
  GrowthReport growth_;
  Thread growth_thread_;
  std::condition_variable_any grow_;  // the thread
  bool growing_ = false;
  bool growth_wanted_ = false;
  bool populate_ = false;  // new parts as well
  std::atomic<bool> stop_growing_{false};
  std::vector<uint32_t> grown_crc_;  // of the new segments' table entries
  uint64_t growth_failed_ms_ = 0;
  uint64_t grown_populated_bytes_ = 0;
  bool grown_unpopulated_ = false;  // some part of what has grown

  bool forked_ = false;
  ForkWatch fork_watch_{[](void* store) { static_cast<Store*>(store)->GiveUp(); }, this};
};

}  // namespace sealog
