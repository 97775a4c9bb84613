#include "group.h"

#include <thread>

namespace sealog::test {
namespace {

class Groups {
 public:
  Groups(Store* store, History* history, Recorder* recorder, uint64_t seed)
      : store_(store), history_(history), recorder_(recorder), random_(seed) {}

  std::string Run(int operations, uint64_t* groups) {
    Mark();
    std::string wrong;
    for (int i = 0; i < operations && wrong.empty();) {
      wrong = Defer(&i);
      if (!store_->BeginCommit()) continue;
      // Beside the group under way; a checkpoint would wait for it.
      const size_t mine = history_->deltas.size();
      if (wrong.empty() && random_() % 2 == 0) wrong = Defer(&i);
      if (store_->SyncCommit() != Status::kOk) return "the commit failed";
      acked_ = mine;
      ++*groups;
      Mark();
      if (wrong.empty() && random_() % 12 == 0) wrong = Checkpoint();
    }
    return wrong;
  }

 private:
  void Mark() { recorder_->Mark(acked_, history_->deltas.size()); }

  std::string Defer(int* i) {
    for (uint64_t n = 1 + random_() % 6; n != 0; --n, ++*i) {
      std::string key = "g" + std::to_string(random_() % 60);
      std::string value(random_() % (random_() % 9 == 0 ? 3000 : 90), static_cast<char>('a' + random_() % 26));
      const bool remove = random_() % 5 == 0;
      uint64_t version = 0;
      history_->deltas.push_back({{key, remove ? std::optional<std::string>() : value}});
      Mark();
      const Status status = remove ? store_->Remove(kTreeUser, BytesOf(key), true, &version)
                                   : store_->Put(kTreeUser, BytesOf(key), BytesOf(value), true, &version);
      if (status == Status::kFull) {
        history_->deltas.back().clear();
      } else if (status != Status::kOk) {
        return "a deferred write failed: " + std::to_string(static_cast<int>(status));
      }
      Mark();
    }
    return {};
  }

  std::string Checkpoint() {
    recorder_->SetOpen(true);
    const Status status = store_->Checkpoint();
    recorder_->SetOpen(false);
    if (status != Status::kOk) return "checkpoint failed";
    acked_ = history_->deltas.size();
    Mark();
    return {};
  }

  Store* store_;
  History* history_;
  Recorder* recorder_;
  Random random_;
  size_t acked_ = 0;
};

}  // namespace

std::string RunGroups(const std::string& path, const Shape& shape, int operations, History* history, Recorder* recorder,
                      uint64_t seed, uint64_t* groups) {
  recorder->NextSession();
  recorder->SetOpen(true);
  // By its size no checkpoint begins: one in the middle of a group has the writer wait for what it is to sync itself.
  OpenResult result = OpenStore(path, {}, shape.flush, 1 << 30);
  if (!result.failure.ok()) return "open failed: " + result.failure.detail;
  std::string wrong = Groups(result.store.get(), history, recorder, seed).Run(operations, groups);
  recorder->SetOpen(true);
  if (wrong.empty() && result.store->Close() != Status::kOk) wrong = "close failed";
  if (wrong.empty()) recorder->Mark(history->deltas.size(), history->deltas.size());
  return wrong;
}

}  // namespace sealog::test
