#include "addon/hot_calls.h"

#include <cstring>

#include "addon/hot_call.h"

namespace sealog {
namespace {

napi_value Put(napi_env env, napi_callback_info info) {
  HotCall call(env, info);
  if (!call.ok()) return call.Closed();
  if (call.entry().read_only) return call.Fail(Status::kReadOnly);
  Entry& e = call.entry();
  Bytes key;
  HotCall::Space space;
  int64_t start = 0, end = 0;
  int32_t flags = 0;
  if (!call.SpaceAt(5, &space)) return call.Fail(Status::kInvalid);
  if (Status s = call.Key(1, space, &key); s != Status::kOk) return call.Fail(s);
  if (!call.Integer(3, static_cast<int64_t>(e.write_bytes), &end) || !call.Integer(2, end, &start) ||
      !call.Flags(4, &flags)) {
    return call.Fail(Status::kInvalid);
  }
  uint64_t version = 0;
  Bytes value{e.write + start, static_cast<size_t>(end - start)};
  Status status = e.store->Put(space.tree, key, value, (flags & kDeferred) != 0, &version);
  return call.Version(status, version);
}

napi_value PutValue(napi_env env, napi_callback_info info) {
  HotCall call(env, info);
  if (!call.ok()) return call.Closed();
  if (call.entry().read_only) return call.Fail(Status::kReadOnly);
  Bytes key, value;
  HotCall::Space space;
  int32_t flags = 0;
  if (!call.SpaceAt(4, &space)) return call.Fail(Status::kInvalid);
  if (Status s = call.Key(1, space, &key); s != Status::kOk) return call.Fail(s);
  if (!call.Buffer(2, &value) || !call.Flags(3, &flags)) return call.Fail(Status::kInvalid);
  uint64_t version = 0;
  Status status = call.store().Put(space.tree, key, value, (flags & kDeferred) != 0, &version);
  return call.Version(status, version);
}

napi_value Remove(napi_env env, napi_callback_info info) {
  HotCall call(env, info);
  if (!call.ok()) return call.Closed();
  if (call.entry().read_only) return call.Fail(Status::kReadOnly);
  Bytes key;
  HotCall::Space space;
  int32_t flags = 0;
  if (!call.SpaceAt(3, &space)) return call.Fail(Status::kInvalid);
  if (Status s = call.Key(1, space, &key); s != Status::kOk) return call.Fail(s);
  if (!call.Flags(2, &flags)) return call.Fail(Status::kInvalid);
  uint64_t version = 0;
  Status status = call.store().Remove(space.tree, key, (flags & kDeferred) != 0, &version);
  return call.Version(status, version);
}

template <bool kWithVersion>
napi_value Get(napi_env env, napi_callback_info info) {
  HotCall call(env, info);
  if (!call.ok()) return call.Closed();
  Entry& e = call.entry();
  Bytes key;
  HotCall::Space space;
  int64_t offset = 0, snapshot = 0;
  if (!call.SpaceAt(3, &space)) return call.Fail(Status::kInvalid);
  if (Status s = call.Key(1, space, &key); s != Status::kOk) return call.Fail(s);
  if (!call.Integer(2, static_cast<int64_t>(e.read_bytes), &offset) || !call.Integer(4, INT64_MAX, &snapshot))
    return call.Fail(Status::kInvalid);
  GetResult result = call.store(snapshot).Get(static_cast<uint64_t>(snapshot), space.tree, key, e.read + offset,
                                              e.read_bytes - static_cast<size_t>(offset));
  if (kWithVersion) call.Describe(result);
  return call.Length(result);
}

napi_value GetInto(napi_env env, napi_callback_info info) {
  HotCall call(env, info);
  if (!call.ok()) return call.Closed();
  Bytes key, buffer;
  HotCall::Space space;
  int64_t snapshot = 0;
  if (!call.SpaceAt(3, &space)) return call.Fail(Status::kInvalid);
  if (Status s = call.Key(1, space, &key); s != Status::kOk) return call.Fail(s);
  if (!call.Buffer(2, &buffer) || !call.Integer(4, INT64_MAX, &snapshot)) return call.Fail(Status::kInvalid);
  GetResult result = call.store(snapshot).Get(static_cast<uint64_t>(snapshot), space.tree, key,
                                              const_cast<uint8_t*>(buffer.data), buffer.size);
  call.Describe(result);
  return call.Length(result);
}

// Keys one behind the other: {u16 bytes}, key.
bool ParseKeys(Bytes packed, uint32_t count, Bytes* keys) {
  const uint8_t* at = packed.data;
  size_t left = packed.size;
  for (uint32_t i = 0; i < count; ++i) {
    uint16_t bytes = 0;
    if (left < sizeof bytes) return false;
    memcpy(&bytes, at, sizeof bytes);
    if (bytes == 0 || bytes > kKeyBytesMax || left - sizeof bytes < bytes) return false;
    keys[i] = {at + sizeof bytes, bytes};
    at += sizeof bytes + bytes;
    left -= sizeof bytes + bytes;
  }
  return true;
}

napi_value GetMany(napi_env env, napi_callback_info info) {
  constexpr uint32_t kKeysMax = 256;
  HotCall call(env, info);
  if (!call.ok()) return call.Closed();
  Bytes packed, out, answers;
  HotCall::Space space;
  int64_t count = 0, offset = 0, snapshot = 0;
  Bytes keys[kKeysMax];
  double* meta = call.entry().meta;
  if (!call.Buffer(1, &packed) || !call.Integer(2, kKeysMax, &count) || !call.Buffer(3, &out) ||
      !call.Integer(4, static_cast<int64_t>(out.size), &offset) || !call.Buffer(5, &answers) ||
      static_cast<size_t>(count) * sizeof(int32_t) > answers.size ||
      reinterpret_cast<uintptr_t>(answers.data) % alignof(int32_t) != 0 || !call.SpaceAt(6, &space) ||
      !call.Integer(7, INT64_MAX, &snapshot) || meta == nullptr ||
      !ParseKeys(packed, static_cast<uint32_t>(count), keys)) {
    return call.Fail(Status::kInvalid);
  }
  GetManyRequest request;
  request.snapshot = static_cast<uint64_t>(snapshot);
  request.tree = space.tree;
  request.keys = keys;
  request.count = static_cast<uint32_t>(count);
  request.out = const_cast<uint8_t*>(out.data) + offset;
  request.out_bytes = out.size - static_cast<size_t>(offset);
  const GetManyResult result =
      call.store(snapshot).GetMany(request, reinterpret_cast<int32_t*>(const_cast<uint8_t*>(answers.data)));
  meta[0] = static_cast<double>(result.needed);
  return result.status == Status::kOk ? call.Small(static_cast<int32_t>(result.done)) : call.Fail(result.status);
}

napi_value Has(napi_env env, napi_callback_info info) {
  HotCall call(env, info);
  if (!call.ok()) return call.Closed();
  Bytes key;
  HotCall::Space space;
  int64_t snapshot = 0;
  if (!call.SpaceAt(2, &space)) return call.Fail(Status::kInvalid);
  if (Status s = call.Key(1, space, &key); s != Status::kOk) return call.Fail(s);
  if (!call.Integer(3, INT64_MAX, &snapshot)) return call.Fail(Status::kInvalid);
  Status status = call.store(snapshot).Has(static_cast<uint64_t>(snapshot), space.tree, key);
  return status == Status::kOk ? call.Small(1) : status == Status::kNotFound ? call.Small(0) : call.Fail(status);
}

// Operations of a batch, one behind the other: {u8 op, u8 tree, u16 key bytes, u32 value bytes}, key, value. The key of
// kCheckRange is the low bound, its value {u64 version, u64 count, u8 flags of the bounds} and the high one.
enum BatchOp : uint8_t { kOpPut = 1, kOpDel = 2, kOpPutExpiring = 3, kOpCheck = 4, kOpCheckRange = 5 };

constexpr int32_t kLowExclusive = 2, kHighInclusive = 4, kHasHigh = 16;

struct ParsedBatch {
  std::vector<Change> changes;
  std::vector<Check> checks;
  std::vector<RangeCheck> range_checks;
  bool changes_catalogue = false;

  bool Parse(const uint8_t* at, uint64_t left, int64_t count) {
    changes.reserve(static_cast<size_t>(count));
    for (; count != 0; --count) {
      struct {
        uint8_t op, tree;
        uint16_t key_bytes;
        uint32_t value_bytes;
      } head;
      static_assert(sizeof head == 8);
      if (left < sizeof head) return false;
      memcpy(&head, at, sizeof head);
      const uint64_t payload = uint64_t{head.key_bytes} + head.value_bytes;
      if (left - sizeof head < payload) return false;
      const Bytes key{at + sizeof head, head.key_bytes};
      if (!Add(head.op, head.tree, key, {key.data + key.size, head.value_bytes})) return false;
      at += sizeof head + payload;
      left -= sizeof head + payload;
    }
    return true;
  }

 private:
  static uint64_t Number(const uint8_t* at) {
    uint64_t n;
    memcpy(&n, at, sizeof n);
    return n;
  }

  bool Add(uint8_t op, uint32_t tree, Bytes key, Bytes value) {
    changes_catalogue |= tree == kTreeSystem && op != kOpCheck && op != kOpCheckRange;
    switch (op) {
      case kOpPut:
        changes.push_back({kRecordPut, 0, tree, key, value});
        return true;
      case kOpDel:
        changes.push_back({kRecordDel, 0, tree, key, {}});
        return true;
      case kOpPutExpiring:
        if (value.size < 8) return false;
        changes.push_back(
            {kRecordPut, kRecordExpires, tree, key, {value.data + 8, value.size - 8}, Number(value.data)});
        return true;
      case kOpCheck:
        if (value.size != 8) return false;
        checks.push_back({tree, key, Number(value.data)});
        return true;
      case kOpCheckRange: {
        if (value.size < 17) return false;
        const int32_t flags = value.data[16];
        range_checks.push_back({tree,
                                {key,
                                 {value.data + 17, value.size - 17},
                                 (flags & kHasHigh) != 0,
                                 (flags & kLowExclusive) != 0,
                                 (flags & kHighInclusive) != 0},
                                Number(value.data),
                                Number(value.data + 8)});
        return true;
      }
      default:
        return false;
    }
  }
};

napi_value Batch(napi_env env, napi_callback_info info) {
  HotCall call(env, info);
  if (!call.ok()) return call.Closed();
  if (call.entry().read_only) return call.Fail(Status::kReadOnly);
  Bytes ops;
  int64_t bytes = 0, count = 0;
  int32_t flags = 0;
  ParsedBatch batch;
  if (!call.Buffer(1, &ops) || !call.Integer(2, static_cast<int64_t>(ops.size), &bytes) ||
      !call.Integer(3, bytes / 8, &count) || !call.Flags(4, &flags) ||
      !batch.Parse(ops.data, static_cast<uint64_t>(bytes), count)) {
    return call.Fail(Status::kInvalid);
  }
  const BatchRequest request{batch.changes.data(),      static_cast<uint32_t>(batch.changes.size()),
                             batch.checks.data(),       static_cast<uint32_t>(batch.checks.size()),
                             batch.range_checks.data(), static_cast<uint32_t>(batch.range_checks.size())};
  uint64_t version = 0;
  Status status = call.store().Batch(request, (flags & kDeferred) != 0, &version);
  if (status == Status::kOk && batch.changes_catalogue && call.entry().shared)
    call.entry().shared->catalogue_changes.fetch_add(1, std::memory_order_release);
  return call.Version(status, version);
}

napi_value Commit(napi_env env, napi_callback_info info) {
  HotCall call(env, info);
  if (!call.ok()) return call.Closed();
  if (call.entry().read_only) return call.Fail(Status::kReadOnly);
  return call.Fail(call.store().Commit());
}

// rangeFill and count share the form of their bounds.
bool ReadRange(HotCall& call, size_t first, KeyRange* range, int32_t* flags) {
  int64_t low = 0, high = 0;
  Entry& e = call.entry();
  if (!call.Integer(first, kKeyBytesMax + 1, &low) || !call.Integer(first + 1, kKeyBytesMax + 1, &high) ||
      !call.Flags(first + 2, flags) || static_cast<size_t>(low + high) > e.write_bytes) {
    return false;
  }
  range->low = {e.write, static_cast<size_t>(low)};
  range->high = {e.write + low, static_cast<size_t>(high)};
  range->low_exclusive = (*flags & kLowExclusive) != 0;
  range->high_inclusive = (*flags & kHighInclusive) != 0;
  range->has_high = (*flags & kHasHigh) != 0;
  return true;
}

napi_value RangeFill(napi_env env, napi_callback_info info) {
  constexpr int32_t kReverse = 1, kNoValues = 8;
  HotCall call(env, info);
  if (!call.ok()) return call.Closed();
  RangeRequest request;
  HotCall::Space space;
  int64_t snapshot = 0, limit = 0, skip = 0;
  int32_t flags = 0;
  Bytes out;
  double* meta = call.entry().meta;
  if (!call.Integer(1, INT64_MAX, &snapshot) || !ReadRange(call, 2, &request.range, &flags) ||
      !call.Integer(5, UINT32_MAX, &limit) || !call.Buffer(6, &out) || !call.SpaceAt(7, &space) ||
      !call.Integer(8, INT64_MAX, &skip) || meta == nullptr) {
    return call.Fail(Status::kInvalid);
  }
  request.snapshot = static_cast<uint64_t>(snapshot);
  request.tree = space.tree;
  request.reverse = (flags & kReverse) != 0;
  request.no_values = (flags & kNoValues) != 0;
  request.limit = static_cast<uint32_t>(limit);
  request.skip = static_cast<uint64_t>(skip);
  request.out = const_cast<uint8_t*>(out.data);
  request.out_bytes = out.size;
  RangeResult result = call.store(snapshot).FillRange(request);
  if (result.snapshot != 0) call.entry().snapshots.insert(result.snapshot);
  meta[0] = result.done ? 1 : 0;
  meta[1] = static_cast<double>(result.bytes);
  meta[2] = static_cast<double>(result.snapshot);
  meta[3] = static_cast<double>(result.needed);
  return result.status == Status::kOk ? call.Small(static_cast<int32_t>(result.entries)) : call.Fail(result.status);
}

napi_value Count(napi_env env, napi_callback_info info) {
  HotCall call(env, info);
  if (!call.ok()) return call.Closed();
  KeyRange range;
  HotCall::Space space;
  int64_t snapshot = 0;
  int32_t flags = 0;
  if (!ReadRange(call, 1, &range, &flags) || !call.SpaceAt(4, &space) || !call.Integer(5, INT64_MAX, &snapshot))
    return call.Fail(Status::kInvalid);
  uint64_t count = 0;
  Status status = call.store(snapshot).Count(static_cast<uint64_t>(snapshot), space.tree, range, &count);
  return call.Version(status, count);
}

napi_value Answered(const HotCall& call, Status status, const Removed& removed, double* meta) {
  if (status != Status::kOk) return call.Fail(status);
  if (meta != nullptr) {
    meta[0] = removed.more ? 1 : 0;
    meta[1] = static_cast<double>(removed.next_expiry);
    meta[2] = static_cast<double>(removed.looked_at);
  }
  return call.Small(static_cast<int32_t>(removed.entries));
}

napi_value EraseRange(napi_env env, napi_callback_info info) {
  HotCall call(env, info);
  if (!call.ok()) return call.Closed();
  if (call.entry().read_only) return call.Fail(Status::kReadOnly);
  KeyRange range;
  HotCall::Space space;
  int64_t limit = 0;
  int32_t flags = 0;
  if (!ReadRange(call, 1, &range, &flags) || !call.Integer(4, INT32_MAX, &limit) || !call.SpaceAt(5, &space))
    return call.Fail(Status::kInvalid);
  Removed removed;
  Status status =
      call.store().EraseRange(space.tree, range, static_cast<uint32_t>(limit), (flags & kDeferred) != 0, &removed);
  return Answered(call, status, removed, call.entry().meta);
}

napi_value Sweep(napi_env env, napi_callback_info info) {
  HotCall call(env, info);
  if (!call.ok()) return call.Closed();
  if (call.entry().read_only) return call.Fail(Status::kReadOnly);
  int64_t unix_ms = 0, limit = 0;
  int32_t flags = 0;
  if (!call.Integer(1, INT64_MAX, &unix_ms) || !call.Integer(2, INT32_MAX, &limit) || !call.Flags(3, &flags))
    return call.Fail(Status::kInvalid);
  Removed removed;
  Status status = call.store().Sweep(static_cast<uint64_t>(unix_ms), static_cast<uint32_t>(limit),
                                     (flags & kDeferred) != 0, &removed);
  return Answered(call, status, removed, call.entry().meta);
}

napi_value OpenSnapshot(napi_env env, napi_callback_info info) {
  HotCall call(env, info);
  if (!call.ok()) return call.Closed();
  uint64_t lsn = 0;
  const uint64_t id = call.store().OpenSnapshot(&lsn);
  if (id == 0) return call.Fail(call.store().gone());
  call.entry().snapshots.insert(id);
  if (call.entry().meta != nullptr) call.entry().meta[1] = static_cast<double>(lsn);
  return call.Number(static_cast<double>(id));
}

// What was read of the system's tree before this number changed may be out of date.
napi_value CatalogueChanges(napi_env env, napi_callback_info info) {
  HotCall call(env, info);
  if (!call.ok() || !call.entry().shared) return call.Closed();
  return call.Number(static_cast<double>(call.entry().shared->catalogue_changes.load(std::memory_order_acquire)));
}

napi_value BeginAlone(napi_env env, napi_callback_info info) {
  HotCall call(env, info);
  if (!call.ok() || !call.entry().shared) return call.Closed();
  return call.Small(StoreRegistry::OfProcess().BeginAlone(call.entry().shared.get()) ? 1 : 0);
}

napi_value EndAlone(napi_env env, napi_callback_info info) {
  HotCall call(env, info);
  if (!call.ok() || !call.entry().shared) return call.Closed();
  StoreRegistry::OfProcess().EndAlone(call.entry().shared.get());
  return call.Small(0);
}

}  // namespace

napi_status DefineHotCalls(napi_env env, napi_value exports) {
  const napi_property_descriptor calls[] = {
#define SEALOG_CALL(name, function) {name, nullptr, function, nullptr, nullptr, nullptr, napi_enumerable, nullptr}
      SEALOG_CALL("put", Put),
      SEALOG_CALL("putValue", PutValue),
      SEALOG_CALL("remove", Remove),
      SEALOG_CALL("get", Get<false>),
      SEALOG_CALL("getEntry", Get<true>),
      SEALOG_CALL("getInto", GetInto),
      SEALOG_CALL("getMany", GetMany),
      SEALOG_CALL("has", Has),
      SEALOG_CALL("batch", Batch),
      SEALOG_CALL("catalogueChanges", CatalogueChanges),
      SEALOG_CALL("beginAlone", BeginAlone),
      SEALOG_CALL("endAlone", EndAlone),
      SEALOG_CALL("commit", Commit),
      SEALOG_CALL("rangeFill", RangeFill),
      SEALOG_CALL("count", Count),
      SEALOG_CALL("eraseRange", EraseRange),
      SEALOG_CALL("sweep", Sweep),
      SEALOG_CALL("openSnapshot", OpenSnapshot),
#undef SEALOG_CALL
  };
  return napi_define_properties(env, exports, sizeof calls / sizeof calls[0], calls);
}

}  // namespace sealog
