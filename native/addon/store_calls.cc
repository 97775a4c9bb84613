#include "addon/async_task.h"
#include "addon/cold_calls.h"
#include "addon/convert.h"
#include "addon/promise_task.h"
#include "store/plan.h"
#include "store/stats.h"
#include "store/store.h"

namespace sealog {
namespace {

Napi::Value StartStore(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  Entry* entry = EntryOf(info);
  if (entry == nullptr || !entry->region) return Answered(env, Status::kClosed);
  Bytes bytes;
  if (info.Length() < 2 || !GetBytes(env, info[1], &bytes)) return Answered(env, Status::kInvalid);
  Plan plan;
  if (Failure failure = ParsePlan(bytes.data, bytes.size, entry->region->bytes(), &plan); !failure.ok()) {
    return Answered(env, failure);
  }
  entry->key_codec = plan.header.key_codec;
  FlushKind flush = entry->region->info().flush;
  entry->store = std::make_shared<Store>(std::move(entry->region), flush);
  return Answered(env, entry->store->Start(std::move(plan)));
}

Napi::Value Replay(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  auto store = OpeningStoreOf(info);
  if (!store) return Answered(env, Status::kClosed);
  Store::ReplayResult r = store->Replay();
  if (!r.failure.ok()) Session::Of(env)->last = r.failure;
  Napi::Object o = Napi::Object::New(env);
  o.Set("answer", Answer(r.failure.status));
  o.Set("frames", static_cast<double>(r.end.frames));
  o.Set("records", static_cast<double>(r.end.records));
  o.Set("bytes", static_cast<double>(r.end.bytes));
  o.Set("lastLsn", static_cast<double>(r.end.next_lsn - 1));
  o.Set("segment", r.end.position.segment);
  o.Set("offset", r.end.position.offset);
  o.Set("pending", static_cast<double>(r.end.pending));
  if (r.later.found) {
    Napi::Object later = Napi::Object::New(env);
    later.Set("segment", r.later.segment);
    later.Set("offset", r.later.offset);
    later.Set("lsn", static_cast<double>(r.later.lsn));
    later.Set("window", r.later.window);
    o.Set("later", later);
  } else {
    o.Set("later", env.Null());
  }
  return o;
}

Napi::Value Serve(const Napi::CallbackInfo& info) {
  auto store = OpeningStoreOf(info);
  if (!store) return Answered(info.Env(), Status::kClosed);
  Napi::Object o = ObjectOf(info, 1);
  ServeOptions options;
  options.lsn_jump = FlagOf(o, "lsnJump");
  options.populate = FlagOf(o, "populate");
  options.as_checkpointed = FlagOf(o, "asCheckpointed");
  return Answered(info.Env(), store->Serve(options));
}

// The store is being served: from now on others that open the file join, and are told `facts`.
Napi::Value ShareStore(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  Entry* entry = EntryOf(info);
  Bytes facts;
  if (entry == nullptr || !entry->store || !entry->shared || entry->joined) return Answered(env, Status::kClosed);
  if (info.Length() < 2 || !GetBytes(env, info[1], &facts) || entry->shared->store())
    return Answered(env, Status::kInvalid);
  StoreRegistry::OfProcess().Share(entry->shared.get(), entry->store, {facts.data, facts.data + facts.size});
  return Napi::Number::New(env, 0);
}

// What the opener of a joined store has said; null for one that this handle is to open itself.
Napi::Value SharedFacts(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  Entry* entry = EntryOf(info);
  if (entry == nullptr || entry->AnyRegion() == nullptr) return Answered(env, Status::kClosed);
  if (!entry->joined) return env.Null();
  const std::vector<uint8_t>& facts = entry->shared->facts();
  return Napi::Buffer<uint8_t>::Copy(env, facts.data(), facts.size());
}

// The first handle goes on with what the second one has: the same store, read-only, in a newer state. The second one is
// closed. 0: not while a view is looked at.
Napi::Value ReplaceStore(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  Entry* entry = EntryOf(info);
  Entry* from = EntryOf(info, 1);
  if (entry == nullptr || from == nullptr || entry == from || !entry->store || !from->store)
    return Answered(env, Status::kClosed);
  if (!entry->store->region().read_only() || !from->store->region().read_only() || from->shared)
    return Answered(env, Status::kInvalid);
  const bool viewed = !entry->views.empty();
  if (!viewed) {
    from->store->NumberSnapshotsBehind(entry->store.get());
    entry->store.swap(from->store);
    if (!entry->snapshots.empty()) entry->older.push_back({from->store, from->store->next_snapshot()});
    // Pins and streams of the old one are by number: they end.
    for (const uint64_t id : entry->pins) from->store->Unpin(id);
    entry->pins.clear();
    if (entry->shared) {
      entry->shared->Replace(entry->store);
      entry->shared->catalogue_changes.fetch_add(1, std::memory_order_release);
    }
    from->store.reset();  // other handles, snapshots and tasks may still have it
  }
  Session::Of(env)->Close(env, from);
  return Napi::Number::New(env, viewed ? 0 : 1);
}

Napi::Value SetBuffers(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  Entry* entry = EntryOf(info);
  if (entry == nullptr || !entry->store) return Answered(env, Status::kClosed);
  Bytes write, read;
  if (info.Length() < 4 || !GetBytes(env, info[1], &write) || !GetBytes(env, info[2], &read) ||
      !info[3].IsTypedArray() || info[3].As<Napi::TypedArray>().TypedArrayType() != napi_float64_array ||
      info[3].As<Napi::TypedArray>().ElementLength() < kMetaNumbers) {
    return Answered(env, Status::kInvalid);
  }
  Session::Of(env)->ReleaseBuffers(env, entry);
  for (size_t i = 0; i < 3; ++i) napi_create_reference(env, info[i + 1], 1, &entry->buffers[i]);
  entry->write = const_cast<uint8_t*>(write.data);
  entry->write_bytes = write.size;
  entry->read = const_cast<uint8_t*>(read.data);
  entry->read_bytes = read.size;
  entry->meta = info[3].As<Napi::Float64Array>().Data();
  return Napi::Number::New(env, 0);
}

Napi::Value Checkpoint(const Napi::CallbackInfo& info) {
  auto store = StoreOf(info);
  if (!store) return Answered(info.Env(), Status::kClosed);
  Status status = store->Checkpoint();
  return status == Status::kOk ? Answered(info.Env(), status)
                               : Answered(info.Env(), status, store->poison().detail.c_str());
}

// Into the Float64Array that is the second argument: how many figures; -1: there is none.
int CopyStats(const Napi::CallbackInfo& info, Store* store) {
  if (info.Length() < 2 || !info[1].IsTypedArray() ||
      info[1].As<Napi::TypedArray>().TypedArrayType() != napi_float64_array) {
    return -1;
  }
  StoreStats stats;
  store->Stats(&stats);
  auto out = info[1].As<Napi::Float64Array>();
  size_t count = out.ElementLength() < kStatsCount ? out.ElementLength() : kStatsCount;
  memcpy(out.Data(), &stats, count * sizeof(double));
  return static_cast<int>(count);
}

Napi::Value Stats(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  auto store = StoreOf(info);
  if (!store) return Answered(env, Status::kClosed);
  const int count = CopyStats(info, store.get());
  return count < 0 ? Answered(env, Status::kInvalid) : Napi::Number::New(env, count);
}

// What made the store refuse durable writes, and where damage was met last: the details behind a hot call's status.
Napi::Value StoreFailure(const Napi::CallbackInfo& info) {
  auto store = StoreOf(info);
  if (!store) return Answered(info.Env(), Status::kClosed);
  Failure failure = store->poison();
  if (failure.ok()) failure.offset = store->damaged_offset();
  return ToObject(info.Env(), failure);
}

// The last figures go into the second argument, if it is an array for them.
Napi::Value CloseStore(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  Entry* entry = EntryOf(info);
  if (entry == nullptr || !entry->store) return Answered(env, Status::kClosed);
  Session::EndViews(env, entry);
  entry->GiveBack();
  // Not under a new name before it is unmapped and unlocked: whoever opens it meanwhile waits for that.
  const std::shared_ptr<Store> store = entry->store;
  const std::shared_ptr<SharedStore> shared = entry->shared;
  // What this handle has written, before another one may be the last and close the store.
  Status status = Status::kOk;
  if (shared && !entry->read_only && !store->region().read_only()) status = store->Commit();
  const bool last = !shared || StoreRegistry::OfProcess().Leave(shared.get());
  if (last) status = store->Close();
  Failure failure = status == Status::kOk ? Failure{} : store->poison();
  if (status != Status::kOk && failure.ok()) failure.status = status;
  if (failure.ok() && !store->forked()) CopyStats(info, store.get());
  if (last) store->Release();
  entry->shared.reset();
  if (!last) entry->store.reset();
  Session::Of(env)->Close(env, entry);
  if (last && shared) StoreRegistry::OfProcess().Gone(shared.get());
  return Answered(env, failure);
}

Napi::Value ReleaseSnapshot(const Napi::CallbackInfo& info) {
  auto store = StoreOf(info);
  if (!store) return Answered(info.Env(), Status::kClosed);
  if (info.Length() < 2 || !info[1].IsNumber()) return Answered(info.Env(), Status::kInvalid);
  const auto id = static_cast<uint64_t>(info[1].As<Napi::Number>().Int64Value());
  if (EntryOf(info)->snapshots.erase(id) != 0) EntryOf(info)->ReleaseSnapshot(id);
  return Napi::Number::New(info.Env(), 0);
}

// The device is waited for on a thread of libuv's; the store is kept until that is over, whatever JavaScript does
// meanwhile.
class CommitTask : public AsyncTask {
 public:
  CommitTask(napi_env env, napi_value callback, std::shared_ptr<Store> store, uint64_t lsn)
      : callback_(env, callback), store_(std::move(store)), lsn_(lsn) {}
  void Execute() override { status_ = store_->CommitInBackground(lsn_); }
  void Complete(napi_env env) override { callback_.Call(env, Answer(status_)); }

 private:
  TaskCallback callback_;
  std::shared_ptr<Store> store_;
  uint64_t lsn_;
  Status status_ = Status::kOk;
};

Napi::Value Compact(const Napi::CallbackInfo& info) {
  auto store = StoreOf(info);
  if (!store) return Answered(info.Env(), Status::kClosed);
  Entry* entry = EntryOf(info);
  if (entry->read_only) return Answered(info.Env(), Status::kReadOnly);
  auto stop = std::make_shared<std::atomic<bool>>(false);
  entry->stop_compacting = stop;
  return PromiseTask::Start(info.Env(), "sealog:compact", {}, [store, stop](TaskResult*) -> Failure {
    return {store->Compact(*stop), 0, "", 0, ""};
  });
}

Napi::Value StopCompacting(const Napi::CallbackInfo& info) {
  auto store = StoreOf(info);
  if (!store) return Answered(info.Env(), Status::kClosed);
  if (EntryOf(info)->stop_compacting) *EntryOf(info)->stop_compacting = true;
  return Napi::Number::New(info.Env(), 0);
}

Napi::Value CommitAsync(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  Entry* entry = EntryOf(info);
  if (entry == nullptr || !entry->store) return Answered(env, Status::kClosed);
  if (info.Length() < 2 || !info[1].IsFunction()) return Answered(env, Status::kInvalid);
  if (entry->read_only) return Answered(env, Status::kReadOnly);
  uint64_t lsn = 0;
  if (!entry->store->CommitWaits(&lsn)) {
    // A fence is all it takes, or there is nothing to do, or nothing can be done.
    Status status = entry->store->Commit();
    return status == Status::kOk ? Napi::Number::New(env, 1) : Answered(env, status);
  }
  if (!AsyncTask::Queue(env, "sealog:commit", new CommitTask(env, info[1], entry->store, lsn))) {
    Status status = entry->store->Commit();
    return status == Status::kOk ? Napi::Number::New(env, 1) : Answered(env, status);
  }
  return Napi::Number::New(env, 0);
}

}  // namespace

void DefineStoreCalls(Napi::Env env, Napi::Object exports) {
  exports.Set("startStore", Napi::Function::New(env, StartStore, "startStore"));
  exports.Set("replay", Napi::Function::New(env, Replay, "replay"));
  exports.Set("serve", Napi::Function::New(env, Serve, "serve"));
  exports.Set("shareStore", Napi::Function::New(env, ShareStore, "shareStore"));
  exports.Set("sharedFacts", Napi::Function::New(env, SharedFacts, "sharedFacts"));
  exports.Set("replaceStore", Napi::Function::New(env, ReplaceStore, "replaceStore"));
  exports.Set("setBuffers", Napi::Function::New(env, SetBuffers, "setBuffers"));
  exports.Set("checkpoint", Napi::Function::New(env, Checkpoint, "checkpoint"));
  exports.Set("storeStats", Napi::Function::New(env, Stats, "storeStats"));
  exports.Set("storeFailure", Napi::Function::New(env, StoreFailure, "storeFailure"));
  exports.Set("closeStore", Napi::Function::New(env, CloseStore, "closeStore"));
  exports.Set("releaseSnapshot", Napi::Function::New(env, ReleaseSnapshot, "releaseSnapshot"));
  exports.Set("compact", Napi::Function::New(env, Compact, "compact"));
  exports.Set("stopCompacting", Napi::Function::New(env, StopCompacting, "stopCompacting"));
  exports.Set("commitAsync", Napi::Function::New(env, CommitAsync, "commitAsync"));
}

}  // namespace sealog
