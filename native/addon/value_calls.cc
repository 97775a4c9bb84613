#include "addon/value_calls.h"

#include "addon/hot_call.h"

namespace sealog {
namespace {

napi_value PieceBytes(napi_env env, napi_callback_info info) {
  HotCall call(env, info);
  if (!call.ok()) return call.Closed();
  return call.Small(static_cast<int32_t>(call.store().piece_bytes_max()));
}

napi_value BeginValue(napi_env env, napi_callback_info info) {
  HotCall call(env, info);
  if (!call.ok()) return call.Closed();
  if (call.entry().read_only) return call.Fail(Status::kReadOnly);
  Bytes key;
  HotCall::Space space;
  if (!call.SpaceAt(2, &space)) return call.Fail(Status::kInvalid);
  if (Status s = call.Key(1, space, &key); s != Status::kOk) return call.Fail(s);
  uint64_t id = 0;
  Status status = call.store().BeginValue(space.tree, key, &id);
  if (status == Status::kOk) call.entry().values.insert(id);
  return call.Version(status, id);
}

napi_value AppendValue(napi_env env, napi_callback_info info) {
  HotCall call(env, info);
  if (!call.ok()) return call.Closed();
  if (call.entry().read_only) return call.Fail(Status::kReadOnly);
  int64_t id = 0;
  Bytes piece;
  if (!call.Integer(1, INT64_MAX, &id) || !call.Buffer(2, &piece)) return call.Fail(Status::kInvalid);
  if (call.entry().values.count(static_cast<uint64_t>(id)) == 0) return call.Closed();
  return call.Fail(call.store().AppendValue(static_cast<uint64_t>(id), piece));
}

napi_value FinishValue(napi_env env, napi_callback_info info) {
  HotCall call(env, info);
  if (!call.ok()) return call.Closed();
  if (call.entry().read_only) return call.Fail(Status::kReadOnly);
  int64_t id = 0, expires = 0, expected = 0;
  int32_t flags = 0;
  if (!call.Integer(1, INT64_MAX, &id) || !call.Integer(2, INT64_MAX, &expires) ||
      napi_get_value_int64(env, call.arg(3), &expected) != napi_ok || !call.Flags(4, &flags)) {
    return call.Fail(Status::kInvalid);
  }
  const ValueEnd end{static_cast<uint64_t>(expires), expected >= 0, static_cast<uint64_t>(expected)};
  uint64_t version = 0;
  if (call.entry().values.erase(static_cast<uint64_t>(id)) == 0) return call.Closed();
  Status status = call.store().FinishValue(static_cast<uint64_t>(id), end, (flags & kDeferred) != 0, &version);
  return call.Version(status, version);
}

napi_value AbortValue(napi_env env, napi_callback_info info) {
  HotCall call(env, info);
  if (!call.ok()) return call.Closed();
  int64_t id = 0;
  if (!call.Integer(1, INT64_MAX, &id)) return call.Fail(Status::kInvalid);
  if (call.entry().values.erase(static_cast<uint64_t>(id)) != 0) call.store().AbortValue(static_cast<uint64_t>(id));
  return call.Small(0);
}

napi_value GetPart(napi_env env, napi_callback_info info) {
  HotCall call(env, info);
  if (!call.ok()) return call.Closed();
  Bytes key, buffer;
  HotCall::Space space;
  int64_t snapshot = 0, offset = 0;
  double* meta = call.entry().meta;
  if (!call.SpaceAt(3, &space)) return call.Fail(Status::kInvalid);
  if (Status s = call.Key(1, space, &key); s != Status::kOk) return call.Fail(s);
  if (!call.Buffer(2, &buffer) || !call.Integer(4, INT64_MAX, &snapshot) || !call.Integer(5, INT64_MAX, &offset) ||
      meta == nullptr)
    return call.Fail(Status::kInvalid);
  const PartResult result =
      call.store(snapshot).GetPart(static_cast<uint64_t>(snapshot), space.tree, key, static_cast<uint64_t>(offset),
                                   const_cast<uint8_t*>(buffer.data), buffer.size);
  meta[0] = static_cast<double>(result.value_bytes);
  meta[3] = static_cast<double>(result.next_bytes);
  return result.status == Status::kOk ? call.Small(static_cast<int32_t>(result.bytes)) : call.Fail(result.status);
}

// A copy in memory of JavaScript's own.
Status CopyOut(napi_env env, Store& store, uint64_t snapshot, uint32_t tree, Bytes key, uint64_t bytes,
               napi_value* array_buffer) {
  for (;;) {
    void* data = nullptr;
    if (napi_create_arraybuffer(env, bytes, &data, array_buffer) != napi_ok) return Status::kNoMemory;
    const GetResult result = store.Get(snapshot, tree, key, static_cast<uint8_t*>(data), bytes);
    // Another length than a moment ago: look at that one.
    if (result.status == Status::kOk ? result.bytes == bytes : result.status != Status::kValueOutside)
      return result.status;
    bytes = result.bytes;
  }
}

napi_value OpenView(napi_env env, napi_callback_info info) {
  HotCall call(env, info);
  if (!call.ok()) return call.Closed();
  Entry& e = call.entry();
  Bytes key;
  HotCall::Space space;
  int64_t snapshot = 0;
  if (!call.SpaceAt(2, &space)) return call.Fail(Status::kInvalid);
  if (Status s = call.Key(1, space, &key); s != Status::kOk) return call.Fail(s);
  if (!call.Integer(3, INT64_MAX, &snapshot)) return call.Fail(Status::kInvalid);
  const auto state = static_cast<uint64_t>(snapshot);
  Store& store = e.StoreOf(state);
  Entry::View view{nullptr, {}};
  ViewResult& place = view.place;
  if (&store == e.store.get()) {
    place = store.BeginView(state, space.tree, key, e.view_bytes_min);
  } else {
    // Of a state from before a refresh: a copy.
    const GetResult result = store.Get(state, space.tree, key, nullptr, 0);
    place.status = result.status == Status::kOk ? Status::kValueOutside : result.status;
    place.bytes = result.bytes;
  }
  if (place.status != Status::kOk && place.status != Status::kValueOutside) return call.Fail(place.status);
  napi_value array_buffer = nullptr, array = nullptr;
  // Some builds of Node (with pointer compression, Electron) allow no external memory.
  if (place.status == Status::kOk &&
      napi_create_external_arraybuffer(env, place.data, place.bytes, nullptr, nullptr, &array_buffer) != napi_ok) {
    static_cast<void>(e.store->EndView(place));
    place.data = nullptr;
  }
  if (place.data == nullptr) {
    Status status = CopyOut(env, store, state, space.tree, key, place.bytes, &array_buffer);
    if (status != Status::kOk) return call.Fail(status);
  }
  size_t bytes = 0;
  if (napi_get_arraybuffer_info(env, array_buffer, nullptr, &bytes) == napi_ok &&
      napi_create_typedarray(env, napi_uint8_array, bytes, array_buffer, 0, &array) == napi_ok &&
      napi_create_reference(env, array_buffer, 1, &view.array_buffer) == napi_ok) {
    e.views.push_back(view);
    return array;
  }
  static_cast<void>(napi_detach_arraybuffer(env, array_buffer));
  if (place.data != nullptr) static_cast<void>(e.store->EndView(place));
  return call.Fail(Status::kNoMemory);
}

napi_value CloseView(napi_env env, napi_callback_info info) {
  HotCall call(env, info);
  if (!call.ok()) return call.Closed();
  Entry& e = call.entry();
  return call.Fail(e.views.empty() ? Status::kInvalid : Session::EndView(env, &e));
}

napi_value ViewFrom(napi_env env, napi_callback_info info) {
  HotCall call(env, info);
  if (!call.ok()) return call.Closed();
  int64_t bytes = 0;
  if (!call.Integer(1, INT64_MAX, &bytes)) return call.Fail(Status::kInvalid);
  call.entry().view_bytes_min = static_cast<uint64_t>(bytes);
  return call.Small(0);
}

}  // namespace

napi_status DefineValueCalls(napi_env env, napi_value exports) {
  const napi_property_descriptor calls[] = {
#define SEALOG_CALL(name, function) {name, nullptr, function, nullptr, nullptr, nullptr, napi_enumerable, nullptr}
      SEALOG_CALL("pieceBytes", PieceBytes),   SEALOG_CALL("beginValue", BeginValue),
      SEALOG_CALL("appendValue", AppendValue), SEALOG_CALL("finishValue", FinishValue),
      SEALOG_CALL("abortValue", AbortValue),   SEALOG_CALL("getPart", GetPart),
      SEALOG_CALL("openView", OpenView),       SEALOG_CALL("closeView", CloseView),
      SEALOG_CALL("viewFrom", ViewFrom),
#undef SEALOG_CALL
  };
  return napi_define_properties(env, exports, sizeof calls / sizeof calls[0], calls);
}

}  // namespace sealog
