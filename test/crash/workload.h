// Operations against a store and a sorted map, and the history that an image is held against.
#pragma once

#include <algorithm>
#include <atomic>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "support/recovery_twin.h"
#include "trace.h"

namespace sealog::test {

// By name: a key of the default tree as it is, those of the others behind a byte that says where.
using Model = std::map<std::string, std::string>;
inline constexpr char kInSpaces = 2;  // kTreeSpaces
inline constexpr char kInExpiry = 3;  // kTreeExpiry
inline constexpr char kExpired = 4;   // in front of the name of an entry that has expired and is not removed yet

uint64_t HashPair(Bytes key, Bytes value);
// Of what can be seen.
uint64_t HashModel(const Model& model);
// Entries in the default tree, expired ones too.
uint64_t RootCount(const Model& model);
// When an entry of this value expires, in Unix milliseconds; 0: never. Its value says so.
uint64_t TimeOf(const std::string& value);

// What was done beyond plain puts, removes and batches.
struct Done {
  uint64_t expiring = 0, expired = 0;            // puts with a time to come, with one that has passed
  uint64_t checked = 0, conflicts = 0;           // batches with checks that held, that did not
  uint64_t erasing = 0, erased = 0;              // slices, entries of them
  uint64_t sweeps = 0, swept = 0, outdated = 0;  // sweeps, entries removed, lines of entries that had changed
  uint64_t spaces = 0;                           // changes in kTreeSpaces
  uint64_t moved = 0, cleaned = 0;               // by a slice of cleaning: records, segments emptied
  uint64_t streams = 0, aborted = 0;             // values that came in pieces, that did not come to their end
  uint64_t grown = 0, cut_off = 0;               // growths that ended, that were killed
  uint64_t backups = 0;                          // taken over several operations, opened and compared
};

// Commit i takes state i to state i + 1.
struct History {
  using Delta = std::vector<std::pair<std::string, std::optional<std::string>>>;
  Model start;
  std::vector<Delta> deltas;
  std::vector<uint64_t> hashes;  // of each state, after Finish
  std::vector<uint64_t> counts;  // RootCount, the same
  Done done;

  static void Apply(const Delta& delta, Model* model);
  // Takes `model` from state `*at` to state `to`, if that is later.
  void Advance(size_t to, size_t* at, Model* model) const;
  void Finish();
};

inline constexpr uint32_t kGrowthSegmentsMax = 24;

struct Shape {
  uint32_t segments = 0;          // 0: the seed says
  uint32_t segments_max = 0;      // that it may grow to; 0: it does not
  uint64_t checkpoint_bytes = 0;  // the same
  FlushKind flush = FlushKind::kClwb;
  bool backups = true;  // they have files of their own beside the store
  bool small = false;   // fewer keys, shorter values: more images in the same time
};

// Of the file, with all that it may grow by.
inline uint64_t LargestBytes(const Shape& shape) {
  return uint64_t{std::max(shape.segments, shape.segments_max)} * kSegmentBytesMin;
}

// Runs operations on one store, through sessions.
class Driver {
 public:
  Driver(std::string path, const Shape& shape, History* history, Recorder* recorder, uint64_t seed);

  ~Driver();
  Driver(const Driver&) = delete;
  Driver& operator=(const Driver&) = delete;

  // Empty: fine. What is found must be what was committed.
  std::string Open();
  void Adopt(std::unique_ptr<Store> store) { store_ = std::move(store); }
  std::string Close();
  std::string Kill();

  // The whole workload of a trace.
  std::string Run(int operations);
  // A few operations, as after a recovery.
  std::string RunSome(int operations);

  Store& store() { return *store_; }
  const Model& model() const { return model_; }

 private:
  std::string Step();
  std::string Put(const std::string& key, std::string value, bool deferred);
  std::string Remove(const std::string& key, bool deferred);
  std::string Batch(bool deferred);
  std::string RunBatch(const History::Delta& given, const BatchRequest& checks, bool holds, bool deferred);
  std::string CheckedBatch(bool deferred);
  std::string PutExpiring(bool deferred);
  std::string EraseSlice(bool deferred);
  std::string SweepSlice(bool deferred);
  Model Raw(uint32_t tree) const;
  std::vector<uint64_t> VersionsFrom(const std::string& first);
  std::string Clean();
  std::string LeaveRangeOpen();
  std::string Stream(bool deferred);
  std::string FinishStream(size_t which, bool deferred);
  std::string Grow();
  std::string AwaitHeld();
  std::string EndGrowth(bool killed);
  std::string Backup();
  std::string BeginBackup();
  std::string CheckBackup();
  std::string Key();
  std::string Name();
  std::string Expiring(std::string value);
  std::string Value();
  std::string Filler(size_t size);
  std::string Finished(Status status, bool deferred, const char* what);
  size_t Issue(History::Delta delta);
  void Mark() {
    if (recorder_ != nullptr) recorder_->Mark(acked_, history_->deltas.size());
  }
  void Acknowledge() {
    acked_ = history_->deltas.size();
    Mark();
  }
  bool InFlight();
  void Between();
  void LetFinish(bool killed = false);
  void Forget();

  std::string path_;
  Shape shape_;
  History* history_;
  Recorder* recorder_;
  Random random_;
  std::unique_ptr<Store> store_;
  Model model_;
  size_t acked_ = 0;
  double epoch_at_open_ = 0, checkpoints_at_open_ = 0;
  std::vector<uint64_t> snapshots_;
  struct Incoming {  // a value, so much of which is in the log
    uint64_t id;
    std::string name, value;
    size_t at;
  };
  std::vector<Incoming> incoming_;
  struct Growing {
    std::thread thread;
    std::atomic<bool> ended{false};
    Failure failure;
  };
  std::unique_ptr<Growing> growing_;
  struct Pinned {  // what a backup is taken of, and so much of it as was read
    uint64_t id, hash, count;
    std::vector<uint8_t> image;
    size_t at;
  };
  std::optional<Pinned> pinned_;
  uint32_t keys_ = 50;
  int removing_ = 0;  // in sixteenths
  bool large_ = false, tiny_ = false;
  bool closed_ = false;  // the last session ended cleanly
};

// What a scan of the whole store found. The keys of each tree were in strict order, each value such as a get returned
// it (one in `gets_in` was asked for), and expired when it says so.
struct Content {
  uint64_t hash = 0;  // as HashModel
  uint64_t counts[kTreeCount] = {};
};
// Empty string: fine.
std::string Scan(Store& store, bool reverse, uint32_t gets_in, Content* out);

}  // namespace sealog::test
