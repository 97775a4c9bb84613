// The arguments of a hot call, by raw Node-API: no JavaScript object is made to read them.
#pragma once

#include <node_api.h>

#include <cstring>

#include "addon/arguments.h"
#include "addon/session.h"

namespace sealog {

inline constexpr int32_t kDeferred = 1;

// A key that came as a string, in UTF-8. Bytes that the codec would write differently are left to TypeScript.
inline Status CheckStringKey(uint32_t codec, const uint8_t* key, size_t bytes) {
  constexpr uint32_t kOrdered = 1, kUtf8 = 2;
  if (bytes == 0 || (codec != kOrdered && codec != kUtf8)) return Status::kKeyNeedsEncoding;
  // 0xef may begin U+FFFD, which is what a lone surrogate becomes.
  bool escaped = false, replaced = false;
  for (size_t i = 0; i < bytes; ++i) {
    escaped |= key[i] <= 4;
    replaced |= key[i] == 0xef;
  }
  if (replaced || (codec == kOrdered && (escaped || key[0] < 28))) return Status::kKeyNeedsEncoding;
  return Status::kOk;
}

// The arguments of one call: its entry with a running store, and a key.
class HotCall {
 public:
  // Which keys a call is about: 0 the default namespace, 1 the system's tree, otherwise 4 * id + key codec of a
  // namespace.
  struct Space {
    uint32_t tree = kTreeUser;
    uint32_t id = 0;  // in front of each key, if not 0
    uint32_t codec = 0;
  };

  HotCall(napi_env env, napi_callback_info info) : env_(env) {
    size_t count = kArgumentsMax;
    if (napi_get_cb_info(env, info, &count, args_, nullptr, nullptr) != napi_ok || count == 0) return;
    int32_t handle = -1;
    if (napi_get_value_int32(env, args_[0], &handle) != napi_ok) return;
    entry_ = Session::Of(env)->Find(handle);
    if (entry_ != nullptr && !entry_->store) entry_ = nullptr;
  }

  bool ok() const { return entry_ != nullptr; }
  Entry& entry() { return *entry_; }
  Store& store() { return *entry_->store; }
  Store& store(int64_t snapshot) { return entry_->StoreOf(static_cast<uint64_t>(snapshot)); }
  napi_value arg(size_t i) const { return args_[i]; }

  // A number argument as an integer in [0, max]; false if it is not one.
  bool Integer(size_t i, int64_t max, int64_t* out) const {
    return napi_get_value_int64(env_, args_[i], out) == napi_ok && *out >= 0 && *out <= max;
  }
  bool Flags(size_t i, int32_t* out) const { return napi_get_value_int32(env_, args_[i], out) == napi_ok; }
  bool Buffer(size_t i, Bytes* out) const { return GetBytes(env_, args_[i], out); }

  bool SpaceAt(size_t i, Space* space) const {
    constexpr int64_t kSystem = 1, kFirstNamespace = 4;
    int64_t n = 0;
    if (!Integer(i, INT64_C(4) * UINT32_MAX + 3, &n)) return false;
    *space = {kTreeUser, 0, entry_->key_codec};
    if (n == kSystem) space->tree = kTreeSystem;
    if (n >= kFirstNamespace) *space = {kTreeSpaces, static_cast<uint32_t>(n / 4), static_cast<uint32_t>(n % 4)};
    return n <= kSystem || n >= kFirstNamespace;
  }

  // A key: a string, or a number of bytes at the front of the write buffer.
  Status Key(size_t i, const Space& space, Bytes* key) {
    const size_t head = space.id == 0 ? 0 : kSpaceIdBytes;
    const uint32_t id = __builtin_bswap32(space.id);
    memcpy(key_, &id, sizeof id);
    size_t bytes = 0;
    if (napi_get_value_string_utf8(env_, args_[i], reinterpret_cast<char*>(key_ + head), kKeyBytesMax + 8, &bytes) ==
        napi_ok) {
      if (head + bytes > kKeyBytesMax) return Status::kKeyTooLarge;
      *key = {key_, head + bytes};
      return CheckStringKey(space.codec, key_ + head, bytes);
    }
    int64_t n = 0;
    if (!Integer(i, kKeyBytesMax, &n) || n == 0 || static_cast<size_t>(n) > entry_->write_bytes)
      return Status::kInvalid;
    *key = {entry_->write, static_cast<size_t>(n)};
    if (head == 0) return Status::kOk;
    if (head + key->size > kKeyBytesMax) return Status::kKeyTooLarge;
    memcpy(key_ + head, key->data, key->size);
    *key = {key_, head + key->size};
    return Status::kOk;
  }

  napi_value Number(double value) const {
    napi_value result = nullptr;
    napi_create_double(env_, value, &result);
    return result;
  }
  napi_value Small(int32_t value) const {
    napi_value result = nullptr;
    napi_create_int32(env_, value, &result);
    return result;
  }
  napi_value Fail(Status status) const { return Small(Answer(status)); }
  napi_value Closed() const { return Fail(Status::kClosed); }
  napi_value Version(Status status, uint64_t version) const {
    return status == Status::kOk ? Number(static_cast<double>(version)) : Fail(status);
  }
  // What else is known of a value that was read.
  void Describe(const GetResult& result) const {
    if (entry_->meta == nullptr) return;
    entry_->meta[1] = static_cast<double>(result.version);
    entry_->meta[2] = static_cast<double>(result.expires);
  }
  napi_value Length(const GetResult& result) const {
    if (result.status == Status::kOk) return Small(static_cast<int32_t>(result.bytes));
    if (result.status == Status::kValueOutside && entry_->meta != nullptr)
      entry_->meta[0] = static_cast<double>(result.bytes);
    return Fail(result.status);
  }

 private:
  static constexpr size_t kArgumentsMax = 10;
  napi_env env_;
  napi_value args_[kArgumentsMax] = {};
  Entry* entry_ = nullptr;
  uint8_t key_[kSpaceIdBytes + kKeyBytesMax + 8];
};

}  // namespace sealog
