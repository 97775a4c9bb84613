#include "addon/cold_calls.h"
#include "addon/convert.h"
#include "addon/promise_task.h"
#include "platform/lock_holder.h"
#include "region/region.h"
#include "store/registry.h"

namespace sealog {
namespace {

CreateOptions ToCreateOptions(const Napi::Object& o) {
  CreateOptions options;
  options.capacity_bytes = CountOf(o, "capacityBytes", UINT64_MAX);
  options.segment_bytes = static_cast<uint32_t>(CountOf(o, "segmentBytes", UINT32_MAX));
  options.table_capacity = static_cast<uint32_t>(CountOf(o, "tableCapacity", UINT32_MAX));
  options.durability = NumberOf(o, "durability") == 1 ? Durability::kRelaxed : Durability::kSync;
  options.require_domain = static_cast<Domain>(CountOf(o, "requireDomain", static_cast<uint64_t>(Domain::kPmem)));
  options.key_codec = static_cast<uint8_t>(CountOf(o, "keyCodec", 255));
  options.value_codec = static_cast<uint8_t>(CountOf(o, "valueCodec", 255));
  options.created_by = TextOf(o, "createdBy");
  if (options.created_by.empty()) options.created_by = "sealog";
  options.progress = ProgressOf(o.Get("progress"));
  return options;
}

// Takes back what Enter gave as the first.
void Withdraw(SharedStore* shared) {
  StoreRegistry& registry = StoreRegistry::OfProcess();
  static_cast<void>(registry.Leave(shared));
  registry.Gone(shared);
}

// Once the file has its name its maker still has the lock for a moment: other threads that open it wait for that in the
// registry, as for one who opens it.
Failure CreateInTurn(const std::string& path, CreateOptions options) {
  const CreationTurn turn(path, options.progress == nullptr ? nullptr : options.progress + 2);
  if (!turn.ok()) return {Status::kAborted, 0, "", 0, ""};
  StoreRegistry& registry = StoreRegistry::OfProcess();
  std::shared_ptr<SharedStore> made;
  options.on_publish = [&](uint64_t device, uint64_t inode) {
    if (registry.Enter({device, inode}, false, &made) != StoreRegistry::Turn::kFirst) made.reset();
  };
  Failure failure = CreateStore(path, options);
  if (made) Withdraw(made.get());
  return failure;
}

Napi::Value Create(const Napi::CallbackInfo& info) {
  return Answered(info.Env(), CreateInTurn(TextAt(info, 0), ToCreateOptions(ObjectOf(info, 1))));
}

// The options are kept: their progress array is written to meanwhile.
Napi::Value CreateAsync(const Napi::CallbackInfo& info) {
  const Napi::Object given = ObjectOf(info, 1);
  return PromiseTask::Start(
      info.Env(), "sealog:create", {given},
      [path = TextAt(info, 0), options = ToCreateOptions(given)](TaskResult*) { return CreateInTurn(path, options); });
}

Failure FileOf(const std::string& path, FileId* out) {
  File file;
  FileStat stat;
  Failure failure = File::Open(path, OpenMode::kReadOnly, &file);
  if (failure.ok()) failure = file.Stat(&stat);
  *out = {stat.device, stat.inode};
  return failure;
}

// Of a file that this process has open, one more handle; otherwise its region, which is to become a store, or to be
// closed, before any other thread gets it.
Failure OpenInTurn(const std::string& path, const RegionOptions& options, bool wait, std::unique_ptr<Region>* region,
                   std::shared_ptr<SharedStore>* shared) {
  StoreRegistry& registry = StoreRegistry::OfProcess();
  for (;;) {
    FileId id;
    // What cannot even be looked at cannot be opened. To try again beside the registry would meet a store that another
    // thread has made meanwhile, and that thread's lock.
    Failure failure = FileOf(path, &id);
    if (!failure.ok()) return failure;
    const StoreRegistry::Turn turn = registry.Enter(id, wait, shared);
    if (turn == StoreRegistry::Turn::kJoined) return {};
    if (turn == StoreRegistry::Turn::kBusy)
      return {Status::kOpening, 0, "", 0, "it is being opened or closed in this process"};
    failure = Region::Open(path, options, region);
    FileId now = id;
    if (failure.ok()) {
      now = {(*region)->info().device, (*region)->info().inode};
    } else {
      static_cast<void>(FileOf(path, &now));
    }
    const bool other = now != id;
    if (failure.ok() && !other) return failure;
    region->reset();
    Withdraw(shared->get());
    shared->reset();
    // Another file has got the name meanwhile: its turn is what counts.
    if (!other) return failure;
  }
}

Napi::Value OpenRegion(const Napi::CallbackInfo& info) {
  Napi::Object o = ObjectOf(info, 1);
  RegionOptions options;
  options.read_only = FlagOf(o, "readOnly");
  options.any_content = FlagOf(o, "anyContent");
  options.durability = NumberOf(o, "durability") == 1 ? Durability::kRelaxed : Durability::kSync;
  options.require_domain = static_cast<Domain>(CountOf(o, "requireDomain", static_cast<uint64_t>(Domain::kPmem)));
  options.flush = TextOf(o, "flush");
  options.reserve_bytes = CountOf(o, "reserveBytes", kRegionBytesMax);
  std::unique_ptr<Region> region;
  std::shared_ptr<SharedStore> shared;
  const std::string path = TextAt(info, 0);
  // What is no store any more, or is only looked at, is nobody's to share.
  options.beside_writer = FlagOf(o, "besideWriter");
  Failure failure = options.any_content || FlagOf(o, "unshared")
                        ? Region::Open(path, options, &region)
                        : OpenInTurn(path, options, FlagOf(o, "wait"), &region, &shared);
  if (!failure.ok()) return Answered(info.Env(), failure);
  const bool joined = shared && !region;
  int32_t handle = Session::Of(info.Env())->Open(std::move(region), shared, joined, options.read_only);
  if (handle < 0) {
    Entry unused;
    unused.shared = std::move(shared);
    if (joined) unused.store = unused.shared->store();
    unused.Leave();
    return Answered(info.Env(), Status::kNoMemory, "too many stores are open in this thread");
  }
  return Napi::Number::New(info.Env(), handle);
}

Napi::Value Info(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  Entry* entry = EntryOf(info);
  if (entry == nullptr || entry->AnyRegion() == nullptr) return Answered(env, Status::kClosed);
  const RegionInfo& r = entry->AnyRegion()->info();
  Napi::Object o = Napi::Object::New(env);
  o.Set("path", r.path);
  // It grows.
  o.Set("fileBytes", static_cast<double>(entry->AnyRegion()->bytes()));
  o.Set("domain", DomainName(r.domain));
  o.Set("mapSync", r.map_sync);
  o.Set("dax", r.dax);
  o.Set("flush", FlushName(r.flush));
  o.Set("eadr", r.eadr);
  o.Set("fsName", r.fs_name);
  Napi::Uint8Array uuid = Napi::Uint8Array::New(env, sizeof r.fs_uuid);
  // There is none in a worker that is being terminated.
  if (uuid.IsEmpty() || uuid.Data() == nullptr) return env.Null();
  memcpy(uuid.Data(), r.fs_uuid, sizeof r.fs_uuid);
  o.Set("fsUuid", uuid);
  o.Set("device", static_cast<double>(r.device));
  o.Set("inode", static_cast<double>(r.inode));
  o.Set("blockBytes", r.block_bytes);
  o.Set("readOnly", r.read_only || entry->read_only);
  o.Set("besideWriter", r.beside_writer);
  return o;
}

// Of a region, not of a store: a reader's.
Napi::Value PinCheckpoint(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  Entry* entry = EntryOf(info);
  if (entry == nullptr || !entry->region) return Answered(env, Status::kClosed);
  const uint64_t sequence = CountAt(info, 1);
  if (!entry->region->read_only() || sequence >= Region::kCheckpointsMax) return Answered(env, Status::kInvalid);
  return Answered(env, entry->region->PinCheckpoint(sequence));
}

// 0: the store's state is not one of a reader's.
Napi::Value PinnedCheckpoint(const Napi::CallbackInfo& info) {
  Entry* entry = EntryOf(info);
  if (entry == nullptr || entry->AnyRegion() == nullptr) return Answered(info.Env(), Status::kClosed);
  return Napi::Number::New(info.Env(), static_cast<double>(entry->AnyRegion()->pinned_checkpoint()));
}

Napi::Value HasWriter(const Napi::CallbackInfo& info) {
  Entry* entry = EntryOf(info);
  if (entry == nullptr || entry->AnyRegion() == nullptr) return Answered(info.Env(), Status::kClosed);
  return Napi::Number::New(info.Env(), entry->AnyRegion()->HasWriter() ? 1 : 0);
}

Napi::Value UnlockRegion(const Napi::CallbackInfo& info) {
  Entry* entry = EntryOf(info);
  if (entry == nullptr || entry->AnyRegion() == nullptr) return Answered(info.Env(), Status::kClosed);
  if (entry->AnyRegion()->pinned_checkpoint() == 0) return Answered(info.Env(), Status::kInvalid);
  entry->AnyRegion()->Unlock();
  return Napi::Number::New(info.Env(), 0);
}

Napi::Value ReadRegion(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  Entry* entry = EntryOf(info);
  if (entry == nullptr || entry->AnyRegion() == nullptr) return Answered(env, Status::kClosed);
  Bytes out;
  const uint64_t offset = CountAt(info, 1);
  if (offset == UINT64_MAX || info.Length() < 3 || !GetBytes(env, info[2], &out))
    return Answered(env, Status::kInvalid);
  size_t done = 0;
  Failure failure = entry->AnyRegion()->Read(offset, const_cast<uint8_t*>(out.data), out.size, &done);
  if (!failure.ok()) return Answered(env, failure);
  return Napi::Number::New(env, static_cast<double>(done));
}

}  // namespace

Napi::Object ToObject(Napi::Env env, const SealProbe& p) {
  Napi::Object o = Napi::Object::New(env);
  o.Set("method", p.method);
  o.Set("level", static_cast<uint32_t>(p.level));
  o.Set("extents", static_cast<double>(p.extents));
  o.Set("digestHi", static_cast<double>(p.digest >> 32));
  o.Set("digestLo", static_cast<double>(p.digest & 0xffffffffu));
  o.Set("alignedBytes", static_cast<double>(p.aligned_bytes));
  o.Set("unwrittenBytes", static_cast<double>(p.unwritten_bytes));
  o.Set("sharedBytes", static_cast<double>(p.shared_bytes));
  o.Set("holeBytes", static_cast<double>(p.hole_bytes));
  o.Set("otherBytes", static_cast<double>(p.other_bytes));
  o.Set("device", static_cast<double>(p.device));
  o.Set("inode", static_cast<double>(p.inode));
  o.Set("generation", static_cast<double>(p.generation));
  o.Set("immutable", p.immutable);
  return o;
}

namespace {

Napi::Value Probe(const Napi::CallbackInfo& info) {
  Entry* entry = EntryOf(info);
  if (entry == nullptr || entry->AnyRegion() == nullptr) return Answered(info.Env(), Status::kClosed);
  SealProbe probe;
  if (Failure failure = ProbeSeal(entry->AnyRegion()->file(), &probe); !failure.ok())
    return Answered(info.Env(), failure);
  return ToObject(info.Env(), probe);
}

Napi::Value Repair(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  Entry* entry = EntryOf(info);
  if (entry == nullptr || entry->AnyRegion() == nullptr) return Answered(env, Status::kClosed);
  if (entry->AnyRegion()->read_only()) return Answered(env, Status::kReadOnly);
  if (entry->joined) return Answered(env, Status::kInvalid, "the store is being served");
  Bytes uuid;
  const uint64_t sequence = CountAt(info, 2);
  if (sequence == 0 || sequence == UINT64_MAX || !GetBytes(env, info[1], &uuid) || uuid.size != 16)
    return Answered(env, Status::kInvalid);
  const File& file = entry->AnyRegion()->file();
  SealProbe after;
  Failure failure = RepairSeal(file, &after);
  if (failure.ok()) failure = WriteSealRecord(file, uuid.data, sequence, after);
  return Answered(env, failure);
}

Napi::Value Enforce(const Napi::CallbackInfo& info) {
  Entry* entry = EntryOf(info);
  if (entry == nullptr || entry->AnyRegion() == nullptr) return Answered(info.Env(), Status::kClosed);
  return Answered(info.Env(), entry->AnyRegion()->EnforceSeal());
}

Napi::Value Doctor(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  DirectoryFacts f;
  if (Failure failure = Diagnose(TextAt(info, 0), &f); !failure.ok()) return Answered(env, failure);
  Napi::Object o = Napi::Object::New(env);
  o.Set("fsName", f.fs_name);
  o.Set("local", f.local);
  o.Set("overwritesInPlace", f.overwrites_in_place);
  o.Set("mountOptions", f.mount_options);
  o.Set("kernelRelease", f.kernel_release);
  o.Set("blockBytes", f.block_bytes);
  o.Set("freeBytes", static_cast<double>(f.free_bytes));
  o.Set("daxAttribute", f.dax_attribute);
  o.Set("mapSync", f.map_sync);
  o.Set("mapSyncError", f.map_sync_error);
  o.Set("flush", FlushName(f.flush));
  o.Set("eadr", f.eadr);
  o.Set("fallocate", f.fallocate);
  o.Set("probeBytes", static_cast<double>(f.probe_bytes));
  o.Set("allocated", ToObject(env, f.allocated));
  o.Set("sealed", ToObject(env, f.sealed));
  o.Set("domainSync", DomainName(f.domain_sync));
  o.Set("domainRelaxed", DomainName(f.domain_relaxed));
  o.Set("lease", f.lease);
  return o;
}

// null: not found.
Napi::Value FindHolder(const Napi::CallbackInfo& info) {
  LockHolder holder;
  if (!FindLockHolder(TextAt(info, 0), &holder).ok() || holder.pid == 0) return info.Env().Null();
  Napi::Object o = Napi::Object::New(info.Env());
  o.Set("pid", static_cast<double>(holder.pid));
  o.Set("command", holder.command);
  o.Set("exclusive", holder.exclusive);
  return o;
}

// A store that is running is cut off as a kill would: no commit, no checkpoint.
Napi::Value CloseRegion(const Napi::CallbackInfo& info) {
  Entry* entry = EntryOf(info);
  if (entry == nullptr || entry->AnyRegion() == nullptr) return Answered(info.Env(), Status::kClosed);
  Session::Of(info.Env())->Close(info.Env(), entry);
  return Napi::Number::New(info.Env(), 0);
}

}  // namespace

void DefineRegionCalls(Napi::Env env, Napi::Object exports) {
  exports.Set("createStore", Napi::Function::New(env, Create, "createStore"));
  exports.Set("createStoreAsync", Napi::Function::New(env, CreateAsync, "createStoreAsync"));
  exports.Set("openRegion", Napi::Function::New(env, OpenRegion, "openRegion"));
  exports.Set("regionInfo", Napi::Function::New(env, Info, "regionInfo"));
  exports.Set("pinCheckpoint", Napi::Function::New(env, PinCheckpoint, "pinCheckpoint"));
  exports.Set("pinnedCheckpoint", Napi::Function::New(env, PinnedCheckpoint, "pinnedCheckpoint"));
  exports.Set("hasWriter", Napi::Function::New(env, HasWriter, "hasWriter"));
  exports.Set("unlockRegion", Napi::Function::New(env, UnlockRegion, "unlockRegion"));
  exports.Set("readRegion", Napi::Function::New(env, ReadRegion, "readRegion"));
  exports.Set("probeSeal", Napi::Function::New(env, Probe, "probeSeal"));
  exports.Set("enforceSeal", Napi::Function::New(env, Enforce, "enforceSeal"));
  exports.Set("repairSeal", Napi::Function::New(env, Repair, "repairSeal"));
  exports.Set("doctor", Napi::Function::New(env, Doctor, "doctor"));
  exports.Set("lockHolder", Napi::Function::New(env, FindHolder, "lockHolder"));
  exports.Set("closeRegion", Napi::Function::New(env, CloseRegion, "closeRegion"));
}

}  // namespace sealog
