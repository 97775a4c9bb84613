// What one JavaScript environment (the main thread, or a worker) has open. Handles are {generation, slot}; nothing of
// another environment can be named.
#pragma once

#include <node_api.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "base/status.h"
#include "region/region.h"
#include "store/store.h"

namespace sealog {

// From this size on a view in place is cheaper than a copy: docs/decisions/0015-streams-and-views.md has the figures.
inline constexpr uint64_t kViewBytesMin = 64 << 10;

struct Entry {
  std::unique_ptr<Region> region;  // until startStore
  std::shared_ptr<Store> store;    // from then on; a commit on another thread holds it as well
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

  const Region* AnyRegion() const { return store ? &store->region() : region.get(); }
};

inline constexpr uint32_t kMetaNumbers = 16;
inline constexpr uint32_t kHandleSlots = 1024;

class Session {
 public:
  // The session of this environment.
  static Session* Of(napi_env env) {
    void* data = nullptr;
    napi_get_instance_data(env, &data);
    return static_cast<Session*>(data);
  }

  // -1 if too many are open.
  int32_t Open(std::unique_ptr<Region> region) {
    size_t slot = 0;
    while (slot < entries_.size() && (entries_[slot]->region || entries_[slot]->store)) ++slot;
    if (slot == kHandleSlots) return -1;
    if (slot == entries_.size()) entries_.push_back(std::make_unique<Entry>());
    entries_[slot]->region = std::move(region);
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
    entry->store.reset();
    entry->region.reset();
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
