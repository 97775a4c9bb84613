// One open store: a writer, its index and log, the checkpoint thread, reads.
//
// Locking: `lock_` is the writer's lock; every change and every read of the newest state holds it. The checkpointer
// holds it to freeze and to finish, not while it writes.
//
// Opening goes in steps, because TypeScript decides between them: Start (with its plan), Replay, Serve.
#pragma once

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/status.h"
#include "index/index.h"
#include "log/log.h"
#include "persist/persist.h"
#include "platform/guard.h"
#include "platform/thread.h"
#include "region/region.h"
#include "store/checkpoint.h"
#include "store/plan.h"
#include "store/stats.h"

namespace sealog {

struct ServeOptions {
  bool lsn_jump = false;  // the last session did not end cleanly
  bool populate = true;
};

// Where a range stands between two fills.
struct RangeRequest {
  uint64_t snapshot = 0;  // 0: the newest state
  KeyRange range;
  bool reverse = false;
  bool no_values = false;
  uint32_t limit = 0;
  uint8_t* out = nullptr;
  size_t out_bytes = 0;
};
struct RangeResult {
  Status status = Status::kOk;
  uint32_t entries = 0;
  bool done = true;
  size_t bytes = 0;       // of `out` used
  uint64_t snapshot = 0;  // to go on with; 0 when done
  size_t needed = 0;      // kValueOutside: for the first entry
};

// A value found. `version` is the LSN of the commit that wrote it.
struct GetResult {
  Status status = Status::kOk;
  uint64_t bytes = 0;
  uint64_t version = 0;
};

// Entries of a range as they are handed out, each padded to 8 bytes.
struct RangeEntry {
  uint16_t key_bytes;
  uint16_t flags;  // kRangeValueOutside
  uint32_t value_bytes;
  double version;
};
static_assert(sizeof(RangeEntry) == 16);
inline constexpr uint16_t kRangeValueOutside = 1;

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
  Failure Serve(const ServeOptions& options);

  // --- changes: durable when they return, unless `deferred`
  // ------------------------------------------------------------- kFull, kKeyTooLarge, kValueTooLarge, kReadOnly,
  // kPoisoned, kMedia, kCorrupt (of a node or record on the way: nothing was changed). `*version` gets the commit's
  // LSN.
  Status Put(uint32_t tree, Bytes key, Bytes value, bool deferred, uint64_t* version);
  // `*version` is 0 and nothing is written if the key is absent.
  Status Remove(uint32_t tree, Bytes key, bool deferred, uint64_t* version);
  // All or nothing. The order counts: the last change of a key wins.
  Status Batch(const Change* changes, uint32_t count, bool deferred, uint64_t* version);
  // Makes everything deferred durable.
  Status Commit();
  // The same in three steps, so that the device is waited for on another thread: Begin (this thread), Sync (any), End
  // (any). REQUIRES: one at a time.
  bool BeginCommit();
  Status SyncCommit();
  // A durable checkpoint of everything so far.
  Status Checkpoint();

  // --- reads
  // ------------------------------------------------------------------------------------------------------------ The
  // value is copied to `out`; kValueOutside (with its length) if it does not fit. kNotFound, kCorrupt, kMedia.
  GetResult Get(uint32_t tree, Bytes key, uint8_t* out, size_t out_bytes) { return Get(0, tree, key, out, out_bytes); }
  GetResult Get(uint64_t snapshot, uint32_t tree, Bytes key, uint8_t* out, size_t out_bytes);
  Status Has(uint32_t tree, Bytes key);
  RangeResult FillRange(const RangeRequest& request);
  Status Count(const KeyRange& range, uint64_t* count);
  void ReleaseSnapshot(uint64_t id);

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
  bool needs_device_sync() const { return persister_.drain_kind() == DrainKind::kWriteThrough; }

 private:
  enum class Phase : uint8_t { kLooking, kLogging, kIndexing };
  using Guard = std::unique_lock<std::mutex>;

  template <class F>
  bool Shielded(F&& f) const {
    return Guarded(region_->scope(), static_cast<F&&>(f));
  }

  // store.cc
  Status Writable() const;
  Status Poison(Status status, const Failure& failure);
  Status Interrupted();
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
                Reserve who);
  Status EnsureLog(const uint64_t* frame_bytes, size_t frames, Reserve who);
  Status SyncInOsDomain();
  Status OutOfLog();
  bool Relieve(Guard& guard);
  Status Outline(Change* change, std::vector<uint8_t>* extents);
  Status Index(Place* place, const Change& change, uint64_t offset);
  Status Logged(Place* place, const Change& change, bool deferred, uint64_t* version);
  Status DrainLog();
  Status BoundWindow();
  Status Behind(Status status);
  Status WaitForCommit(Guard& guard);

  // checkpointer.cc
  void CheckpointThread();
  void MaybeFreeze(Guard& guard);
  void Freeze(uint32_t slot_flags);
  void FinishCheckpoint(Status status);
  Status CheckpointLocked(Guard& guard, uint32_t slot_flags);
  void DropWritten(Guard& guard);
  SegmentHalf EncodeHalf(uint32_t segment, uint64_t epoch) const;

  // read.cc
  GetResult CopyValue(const Record& record, uint64_t offset, uint8_t* out, size_t out_bytes);
  Status ValueBytes(const Record& record, uint64_t offset, uint64_t* bytes);
  bool RootOf(uint64_t snapshot, uint32_t tree, Root* root) const;
  uint64_t TakeSnapshot();

  std::unique_ptr<Region> region_;
  FlushKind flush_;
  Plan plan_;

  std::mutex lock_;
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
  uint64_t damaged_offset_ = 0;

  // Checkpoints.
  Thread thread_;
  std::condition_variable wake_;  // the thread
  std::condition_variable done_;  // whoever waits for a checkpoint or a commit
  bool stop_ = false;
  bool in_flight_ = false;
  FrozenState frozen_;
  uint64_t slot_sequence_ = 0;  // of the last one frozen
  uint64_t checkpoints_ = 0;
  uint64_t checkpoint_nodes_ = 0;
  uint32_t table_check_ = 0;
  std::vector<uint32_t> half_crc_;        // of each segment's current half
  uint64_t checkpoint_pins_[2] = {0, 0};  // epochs of the durable ones: before, current; 0: none
  uint64_t log_bytes_at_freeze_ = 0;
  uint64_t appended_when_last_idle_ = 0;

  // Snapshots.
  struct Snapshot {
    uint64_t epoch;
    Root roots[kTreeCount];
  };
  std::map<uint64_t, Snapshot> snapshots_;
  uint64_t next_snapshot_ = 1;
  uint64_t changed_epoch_ = 0;  // the last epoch in which something changed

  uint64_t drained_lsn_ = 0;  // of the last drain; in the os domain the device may be behind it

  // A commit that another thread is syncing.
  bool commit_in_flight_ = false;
  uint64_t commit_lsn_ = 0;
  std::vector<Persister::Range> commit_ranges_;
  uint64_t background_commits_ = 0;  // drains that went that way

  Populator populator_;
};

}  // namespace sealog
