#include "store/registry.h"

#include <chrono>
#include <new>

namespace sealog {
namespace {

// Paths of stores that are being created.
struct Creations {
  std::mutex mutex;
  std::condition_variable changed;
  std::set<std::string> paths;
  ForkWatch fork_watch{[](void* creations) { static_cast<Creations*>(creations)->Forget(); }, this};

  // What was there is left as it is: nobody knows in which state.
  void Forget() {
    new (&mutex) std::mutex;
    new (&changed) std::condition_variable;
    new (&paths) std::set<std::string>;
  }
};

Creations& AllCreations() {
  static Creations& creations = *new Creations;
  return creations;
}

}  // namespace

StoreRegistry& StoreRegistry::OfProcess() {
  static StoreRegistry& registry = *new StoreRegistry;
  return registry;
}

// What was there is left as it is: nobody knows in which state.
void StoreRegistry::Forget() {
  new (&mutex_) std::mutex;
  new (&changed_) std::condition_variable;
  new (&stores_) std::map<FileId, std::shared_ptr<SharedStore>>;
}

StoreRegistry::Turn StoreRegistry::Enter(FileId id, bool wait, std::shared_ptr<SharedStore>* out) {
  std::unique_lock<std::mutex> guard(mutex_);
  for (;;) {
    auto it = stores_.find(id);
    if (it == stores_.end()) {
      *out = std::make_shared<SharedStore>(id);
      stores_.emplace(id, *out);
      return Turn::kFirst;
    }
    SharedStore& shared = *it->second;
    if (shared.state_ == SharedStore::State::kShared && !shared.alone_) {
      ++shared.handles_;
      *out = it->second;
      return Turn::kJoined;
    }
    const bool here = shared.state_ != SharedStore::State::kClosing && shared.opener_ == std::this_thread::get_id();
    if (!wait || here) return Turn::kBusy;
    changed_.wait(guard);
  }
}

void StoreRegistry::Share(SharedStore* shared, std::shared_ptr<Store> store, std::vector<uint8_t> facts) {
  std::lock_guard<std::mutex> guard(mutex_);
  shared->Replace(std::move(store));
  shared->facts_ = std::move(facts);
  shared->state_ = SharedStore::State::kShared;
  changed_.notify_all();
}

bool StoreRegistry::Leave(SharedStore* shared) {
  std::lock_guard<std::mutex> guard(mutex_);
  if (--shared->handles_ != 0) return false;
  shared->state_ = SharedStore::State::kClosing;
  return true;
}

void StoreRegistry::Gone(SharedStore* shared) {
  std::lock_guard<std::mutex> guard(mutex_);
  // In a forked child it may be another's.
  const auto it = stores_.find(shared->id_);
  if (it != stores_.end() && it->second.get() == shared) stores_.erase(it);
  changed_.notify_all();
}

bool StoreRegistry::BeginAlone(SharedStore* shared) {
  std::lock_guard<std::mutex> guard(mutex_);
  if (shared->handles_ != 1 || shared->state_ != SharedStore::State::kShared) return false;
  shared->alone_ = true;
  shared->opener_ = std::this_thread::get_id();
  return true;
}

void StoreRegistry::EndAlone(SharedStore* shared) {
  std::lock_guard<std::mutex> guard(mutex_);
  shared->alone_ = false;
  changed_.notify_all();
}

CreationTurn::CreationTurn(std::string path, const int64_t* stop) : path_(std::move(path)) {
  constexpr auto kLook = std::chrono::milliseconds(20);
  Creations& all = AllCreations();
  std::unique_lock<std::mutex> guard(all.mutex);
  while (!all.paths.insert(path_).second) {
    if (stop != nullptr && __atomic_load_n(stop, __ATOMIC_RELAXED) != 0) return;
    all.changed.wait_for(guard, kLook);
  }
  ok_ = true;
}

CreationTurn::~CreationTurn() {
  if (!ok_) return;
  Creations& all = AllCreations();
  std::lock_guard<std::mutex> guard(all.mutex);
  all.paths.erase(path_);
  all.changed.notify_all();
}

}  // namespace sealog
