// Operations against a store and a sorted map, and the history that an image is held against.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "support/recovery_twin.h"
#include "trace.h"

namespace sealog::test {

using Model = std::map<std::string, std::string>;

uint64_t HashPair(Bytes key, Bytes value);
uint64_t HashModel(const Model& model);

// Commit i takes state i to state i + 1.
struct History {
  using Delta = std::vector<std::pair<std::string, std::optional<std::string>>>;
  Model start;
  std::vector<Delta> deltas;
  std::vector<uint64_t> hashes;  // of each state, after Finish

  static void Apply(const Delta& delta, Model* model);
  // Takes `model` from state `*at` to state `to`, if that is later.
  void Advance(size_t to, size_t* at, Model* model) const;
  void Finish();
};

struct Shape {
  uint32_t segments = 0;          // 0: the seed says
  uint64_t checkpoint_bytes = 0;  // the same
  FlushKind flush = FlushKind::kClwb;
  bool small = false;  // fewer keys, shorter values: more images in the same time
};

// Runs operations on one store, through sessions.
class Driver {
 public:
  Driver(std::string path, const Shape& shape, History* history, Recorder* recorder, uint64_t seed);

  // Empty: fine. What is found must be what was committed.
  std::string Open();
  void Adopt(std::unique_ptr<Store> store) { store_ = std::move(store); }
  std::string Close();
  void Kill();

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
  std::string LeaveRangeOpen();
  std::string Key();
  std::string Value();
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
  uint32_t keys_ = 50;
  int removing_ = 0;  // in sixteenths
  bool large_ = false, tiny_ = false;
  bool closed_ = false;  // the last session ended cleanly
};

// What a scan of the whole store found. Its keys were in strict order, each value such as a get returned it (one in
// `gets_in` was asked for).
struct Content {
  uint64_t hash = 0;  // as History::hashes
  uint64_t count = 0;
};
// Empty string: fine.
std::string Scan(Store& store, bool reverse, uint32_t gets_in, Content* out);

}  // namespace sealog::test
