// What one JavaScript environment (the main thread, or a worker) has open. Handles are {generation, slot}; nothing of
// another environment can be named.
#pragma once

#include <node_api.h>

#include <cstdint>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "base/status.h"
#include "region/region.h"
#include "store/registry.h"
#include "store/store.h"

namespace sealog {

// From this size on a view in place is cheaper than a copy: docs/decisions/0015-streams-and-views.md has the figures.
inline constexpr uint64_t kViewBytesMin = 64 << 10;

struct Entry {
  std::unique_ptr<Region> region;  // until startStore
  std::shared_ptr<Store> store;    // from then on; a commit on another thread holds it as well
  // This handle's part in the file that the process has open; null for a region that is none of a store's.
  std::shared_ptr<SharedStore> shared;
  bool joined = false;     // another handle has opened the store
  bool read_only = false;  // whatever the store is
  uint32_t generation = 1;
  uint32_t key_codec = 0;

  // The agreed buffers: memory of JavaScript's, kept alive by the references.
  uint8_t* write = nullptr;
  size_t write_bytes = 0;
  uint8_t* read = nullptr;
  size_t read_bytes = 0;
  double* meta = nullptr;
  napi_ref buffers[3] = {nullptr, nullptr, nullptr};

  // What callbacks look at now, the innermost last.
  struct View {
    napi_ref array_buffer;
    ViewResult place;  // no `data`: a copy
  };
  std::vector<View> views;
  uint64_t view_bytes_min = kViewBytesMin;  // smaller values are copied

  // Stores that this one has taken the place of, while snapshots of theirs are open: those below `end`.
  struct Older {
    std::shared_ptr<Store> store;
    uint64_t end;
  };
  std::vector<Older> older;

  // The one that has this snapshot; 0: the newest.
  Store& StoreOf(uint64_t snapshot) const {
    if (snapshot != 0 && !older.empty()) [[unlikely]] {
      for (const Older& each : older) {
        if (snapshot < each.end) return *each.store;
      }
    }
    return *store;
  }
  void ReleaseSnapshot(uint64_t id) {
    StoreOf(id).ReleaseSnapshot(id);
    while (!older.empty() && (snapshots.empty() || *snapshots.begin() >= older.front().end)) older.erase(older.begin());
  }

  // What this handle has in the store, by its ids: given back when it goes, however it goes.
  std::set<uint64_t> snapshots, values, pins;
  std::shared_ptr<std::atomic<bool>> stop_compacting;

  const Region* AnyRegion() const { return store ? &store->region() : region.get(); }

  void GiveBack() {
    if (stop_compacting) *stop_compacting = true;
    stop_compacting.reset();
    if (store) {
      for (const uint64_t id : snapshots) StoreOf(id).ReleaseSnapshot(id);
      older.clear();
      for (const uint64_t id : values) store->AbortValue(id);
      for (const uint64_t id : pins) store->Unpin(id);
    }
    snapshots.clear();
    values.clear();
    pins.clear();
  }

  // Leaves the store; who is the last of a store that is not closed cuts it off as a kill would. Nobody may use it then
  // but tasks that hold it.
  void Leave() {
    GiveBack();
    const bool last = !shared || StoreRegistry::OfProcess().Leave(shared.get());
    if (last && store) store->Release();
    store.reset();
    region.reset();
    if (last && shared) StoreRegistry::OfProcess().Gone(shared.get());
    shared.reset();
    joined = read_only = false;
  }
};

inline constexpr uint32_t kMetaNumbers = 16;
inline constexpr uint32_t kHandleSlots = 1024;

class Session {
 public:
  Session() = default;
  // The environment is gone, or going: nothing of JavaScript's is touched.
  ~Session() {
    for (auto& entry : entries_) {
      for (const Entry::View& view : entry->views) {
        if (view.place.data != nullptr) static_cast<void>(entry->store->EndView(view.place));
      }
      entry->Leave();
    }
  }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // The session of this environment.
  static Session* Of(napi_env env) {
    void* data = nullptr;
    napi_get_instance_data(env, &data);
    return static_cast<Session*>(data);
  }

  // A handle for a region, or for the store that `shared` has. -1 if too many are open; what was given is left then.
  int32_t Open(std::unique_ptr<Region> region, std::shared_ptr<SharedStore> shared, bool joined, bool read_only) {
    size_t slot = 0;
    while (slot < entries_.size() && (entries_[slot]->region || entries_[slot]->store)) ++slot;
    if (slot == kHandleSlots) return -1;
    if (slot == entries_.size()) entries_.push_back(std::make_unique<Entry>());
    Entry& entry = *entries_[slot];
    entry.region = std::move(region);
    entry.joined = joined;
    entry.read_only = read_only;
    if (joined) {
      entry.store = shared->store();
      entry.key_codec = entry.store->key_codec();
    }
    entry.shared = std::move(shared);
    return static_cast<int32_t>(entries_[slot]->generation * kHandleSlots + slot);
  }

  Entry* Find(int32_t handle) {
    auto slot = static_cast<uint32_t>(handle) % kHandleSlots;
    if (handle < 0 || slot >= entries_.size()) return nullptr;
    Entry* entry = entries_[slot].get();
    return entry->generation == static_cast<uint32_t>(handle) / kHandleSlots ? entry : nullptr;
  }

  // Ends the innermost view: nobody sees its memory any more. kMedia: it was not all there to be seen.
  static Status EndView(napi_env env, Entry* entry) {
    const Entry::View view = entry->views.back();
    entry->views.pop_back();
    napi_value array_buffer = nullptr;
    if (napi_get_reference_value(env, view.array_buffer, &array_buffer) == napi_ok && array_buffer != nullptr)
      static_cast<void>(napi_detach_arraybuffer(env, array_buffer));
    napi_delete_reference(env, view.array_buffer);
    return view.place.data == nullptr ? Status::kOk : entry->store->EndView(view.place);
  }
  static void EndViews(napi_env env, Entry* entry) {
    while (!entry->views.empty()) static_cast<void>(EndView(env, entry));
  }

  // The entry's slot may be used again, by another generation.
  void Close(napi_env env, Entry* entry) {
    EndViews(env, entry);
    ReleaseBuffers(env, entry);
    entry->view_bytes_min = kViewBytesMin;
    entry->Leave();
    entry->generation = (entry->generation + 1) % (1u << 20);
    if (entry->generation == 0) entry->generation = 1;
  }

  void ReleaseBuffers(napi_env env, Entry* entry) {
    for (napi_ref& ref : entry->buffers) {
      if (ref != nullptr) napi_delete_reference(env, ref);
      ref = nullptr;
    }
    entry->write = entry->read = nullptr;
    entry->write_bytes = entry->read_bytes = 0;
    entry->meta = nullptr;
  }

  Failure last;

 private:
  std::vector<std::unique_ptr<Entry>> entries_;
};

}  // namespace sealog
