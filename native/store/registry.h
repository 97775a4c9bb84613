// The stores that this process has open, one for each file: whoever opens the same file again, in this thread or in
// another, shares its mapping and its writer. What is of another process is kept out by the lock of the file.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/status.h"
#include "platform/fork.h"
#include "store/store.h"

namespace sealog {

struct FileId {
  uint64_t device = 0;
  uint64_t inode = 0;
  friend auto operator<=>(const FileId&, const FileId&) = default;
};

// One file that is open, or being opened or closed.
class SharedStore {
 public:
  explicit SharedStore(FileId id) : id_(id), opener_(std::this_thread::get_id()) {}

  // REQUIRES, for both: it has been shared.
  std::shared_ptr<Store> store() const {
    std::lock_guard<std::mutex> guard(store_mutex_);
    return store_;
  }
  // Of a store that is read-only: whoever joins from now on gets this one, of a newer state.
  void Replace(std::shared_ptr<Store> store) {
    std::lock_guard<std::mutex> guard(store_mutex_);
    store_.swap(store);
  }
  // What the opener says to those who join: it is TypeScript's.
  const std::vector<uint8_t>& facts() const { return facts_; }
  // Grows with each change of the system's tree. What was read of it before is to be read again then.
  std::atomic<uint64_t> catalogue_changes{1};

 private:
  friend class StoreRegistry;
  enum class State : uint8_t { kOpening, kShared, kClosing };

  const FileId id_;
  std::thread::id opener_;  // or who is alone with it
  State state_ = State::kOpening;
  bool alone_ = false;
  uint32_t handles_ = 1;
  mutable std::mutex store_mutex_;  // inside the registry's
  std::shared_ptr<Store> store_;
  std::vector<uint8_t> facts_;
};

class StoreRegistry {
 public:
  // Never destroyed: threads may outlive static objects.
  static StoreRegistry& OfProcess();

  enum class Turn : uint8_t { kFirst, kJoined, kBusy };
  // kFirst: nobody has the file; the caller opens it, and then calls Share or Leave. kJoined: one more handle of what
  // is open. While another thread opens or closes it: waits for that, or answers kBusy, as it does within one thread.
  Turn Enter(FileId id, bool wait, std::shared_ptr<SharedStore>* out);
  // It is open: others join.
  void Share(SharedStore* shared, std::shared_ptr<Store> store, std::vector<uint8_t> facts);
  // One handle fewer. True: that was the last; the caller closes the file, and then calls Gone.
  bool Leave(SharedStore* shared);
  // The next one opens the file anew.
  void Gone(SharedStore* shared);
  // True if the caller's is the only handle; then it stays so until EndAlone: others wait, as for one that is opened.
  bool BeginAlone(SharedStore* shared);
  void EndAlone(SharedStore* shared);

 private:
  void Forget();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<FileId, std::shared_ptr<SharedStore>> stores_;
  // A forked child has none of its parent's open.
  ForkWatch fork_watch_{[](void* registry) { static_cast<StoreRegistry*>(registry)->Forget(); }, this};
};

// Makes the creation of one store by several threads happen once: whoever comes later waits, and finds it.
class CreationTurn {
 public:
  // `stop`, as progress[2] of CreateOptions, may be null.
  CreationTurn(std::string path, const int64_t* stop);
  ~CreationTurn();
  CreationTurn(const CreationTurn&) = delete;
  CreationTurn& operator=(const CreationTurn&) = delete;

  // False: stopped while waiting.
  bool ok() const { return ok_; }

 private:
  std::string path_;
  bool ok_ = false;
};

}  // namespace sealog
