// Values that come in pieces: whatever comes between the pieces and their PUT, a crash included, the value is whole or
// not there, and its space is not lost.
#include <gtest/gtest.h>

#include <algorithm>

#include "platform/system.h"
#include "region/create.h"
#include "support/recovery_twin.h"
#include "support/scratch.h"

namespace sealog::test {
namespace {

class ValueStream : public ::testing::Test {
 protected:
  void SetUp() override { Make(64 << 10, 4 << 20); }

  void Make(uint32_t segment_bytes, uint64_t capacity_bytes) {
    store_.reset();
    std::filesystem::remove(path_);
    CreateOptions options;
    options.segment_bytes = segment_bytes;
    options.capacity_bytes = capacity_bytes;
    ASSERT_TRUE(CreateStore(path_, options).ok());
    Open(path_);
  }
  void Open(const std::string& path) {
    store_.reset();
    OpenResult result = OpenStore(path);
    ASSERT_TRUE(result.failure.ok()) << result.failure.detail;
    store_ = std::move(result.store);
  }
  // What the machine would find if it died now: in the memory domain the file is what the mapping is.
  void OpenAsIfTheMachineDied() {
    const std::string copy = scratch_.File("copy.sealog");
    std::filesystem::copy_file(path_, copy, std::filesystem::copy_options::overwrite_existing);
    Open(copy);
  }

  static std::string Value(size_t bytes, uint32_t seed = 1) {
    std::string value(bytes, '\0');
    for (char& c : value) c = static_cast<char>((seed = seed * 1664525 + 1013904223) >> 24);
    return value;
  }
  uint64_t Begin(const std::string& key) {
    uint64_t id = 0;
    EXPECT_EQ(store_->BeginValue(kTreeUser, BytesOf(key), &id), Status::kOk);
    return id;
  }
  Status Append(uint64_t id, const std::string& value) {
    for (size_t at = 0; at < value.size(); at += store_->piece_bytes_max()) {
      const std::string piece = value.substr(at, store_->piece_bytes_max());
      if (Status s = store_->AppendValue(id, BytesOf(piece)); s != Status::kOk) return s;
    }
    return Status::kOk;
  }
  Status Finish(uint64_t id, const ValueEnd& end = {}) {
    uint64_t version = 0;
    return store_->FinishValue(id, end, false, &version);
  }
  Status Put(const std::string& key, const std::string& value) {
    uint64_t version = 0;
    return store_->Put(kTreeUser, BytesOf(key), BytesOf(value), false, &version);
  }
  Status Remove(const std::string& key) {
    uint64_t version = 0;
    return store_->Remove(kTreeUser, BytesOf(key), false, &version);
  }
  // By parts, and at once.
  std::string Get(const std::string& key) {
    std::string parts;
    std::vector<uint8_t> buffer(store_->piece_bytes_max());
    for (;;) {
      const PartResult r = store_->GetPart(0, kTreeUser, BytesOf(key), parts.size(), buffer.data(), buffer.size());
      if (r.status != Status::kOk) return "status " + std::to_string(static_cast<int>(r.status));
      parts.append(buffer.begin(), buffer.begin() + static_cast<ptrdiff_t>(r.bytes));
      if (parts.size() == r.value_bytes) break;
      if (r.bytes == 0) return "stuck";
    }
    std::string whole(parts.size(), '\0');
    const GetResult r = store_->Get(kTreeUser, BytesOf(key), reinterpret_cast<uint8_t*>(whole.data()), whole.size());
    EXPECT_EQ(r.status, Status::kOk);
    EXPECT_TRUE(whole == parts);
    return parts;
  }
  StoreStats Stats() {
    StoreStats stats;
    store_->Stats(&stats);
    return stats;
  }
  // Until nothing more comes back.
  void Settle() {
    for (int i = 0; i < 4; ++i) {
      ASSERT_EQ(Put("tick", std::to_string(i)), Status::kOk);
      ASSERT_EQ(store_->Checkpoint(), Status::kOk);
    }
  }
  uint32_t PendingSegments() {
    uint32_t count = 0;
    for (uint32_t i = 0; i < Stats().segments; ++i) count += store_->HasPending(i);
    return count;
  }

  Scratch scratch_;
  std::string path_ = scratch_.File("store.sealog");
  std::unique_ptr<Store> store_;
};

TEST_F(ValueStream, IsReadBackAsItWas) {
  const std::string value = Value(300'001);
  const uint64_t id = Begin("key");
  ASSERT_EQ(Append(id, value), Status::kOk);
  EXPECT_EQ(store_->Has(kTreeUser, BytesOf(std::string("key"))), Status::kNotFound);
  EXPECT_GE(PendingSegments(), 4u);
  ASSERT_EQ(Finish(id), Status::kOk);
  EXPECT_EQ(PendingSegments(), 0u);
  EXPECT_TRUE(Get("key") == value);
  EXPECT_EQ(Finish(id), Status::kClosed);
  OpenAsIfTheMachineDied();
  EXPECT_TRUE(Get("key") == value);
}

// The checkpoint knows nothing that is live in the segments of the pieces; the log's tail has the PUT.
TEST_F(ValueStream, SurvivesACrashBehindACheckpointThatCameBeforeItsPut) {
  const std::string value = Value(300'000);
  const uint64_t id = Begin("key");
  ASSERT_EQ(Append(id, value), Status::kOk);
  ASSERT_EQ(Put("other", "1"), Status::kOk);
  ASSERT_EQ(store_->Checkpoint(), Status::kOk);
  ASSERT_EQ(Put("other", "2"), Status::kOk);
  ASSERT_EQ(Finish(id), Status::kOk);
  OpenAsIfTheMachineDied();
  EXPECT_TRUE(Get("key") == value);
  // And its segments are nobody else's.
  for (int i = 0; i < 200; ++i) ASSERT_EQ(Put("x" + std::to_string(i % 10), Value(9'000, i)), Status::kOk);
  Settle();
  EXPECT_TRUE(Get("key") == value);
  ASSERT_EQ(store_->Close(), Status::kOk);
  Open(scratch_.File("copy.sealog"));
  EXPECT_TRUE(Get("key") == value);
}

// With checkpoints and other writes all the way, and several values at a time.
TEST_F(ValueStream, SurvivesManyCheckpointsBetweenItsPieces) {
  const std::string a = Value(200'000, 1), b = Value(250'000, 2);
  const uint64_t first = Begin("a"), second = Begin("b");
  const size_t step = store_->piece_bytes_max();
  for (size_t at = 0; at < b.size(); at += step) {
    if (at < a.size()) {
      ASSERT_EQ(Append(first, a.substr(at, step)), Status::kOk);
    }
    ASSERT_EQ(Append(second, b.substr(at, step)), Status::kOk);
    ASSERT_EQ(Put("other", Value(10'000)), Status::kOk);
    ASSERT_EQ(store_->Checkpoint(), Status::kOk);
  }
  ASSERT_EQ(Finish(first), Status::kOk);
  OpenAsIfTheMachineDied();
  EXPECT_TRUE(Get("a") == a);
  EXPECT_EQ(store_->Has(kTreeUser, BytesOf(std::string("b"))), Status::kNotFound);
  EXPECT_EQ(PendingSegments(), 0u);
  ASSERT_EQ(Remove("a"), Status::kOk);
  ASSERT_EQ(Remove("other"), Status::kOk);
  Settle();
  EXPECT_LE(Stats().log_segments, 4);
}

// Its pieces share segments with what dies, and are moved once they are live.
TEST_F(ValueStream, LivesThroughCleaning) {
  const std::string value = Value(400'000);
  const uint64_t id = Begin("key");
  const auto churn = [&](int round) {
    for (int i = 0; i < 60; ++i) ASSERT_EQ(Put("x" + std::to_string(i * 7 % 40), Value(3'000, round)), Status::kOk);
    ASSERT_EQ(store_->CleanSome(200), Status::kOk);
  };
  for (size_t at = 0; at < value.size(); at += store_->piece_bytes_max()) {
    ASSERT_EQ(Append(id, value.substr(at, store_->piece_bytes_max())), Status::kOk);
    churn(static_cast<int>(at));
  }
  ASSERT_EQ(store_->Checkpoint(), Status::kOk);
  ASSERT_EQ(Finish(id), Status::kOk);
  EXPECT_TRUE(Get("key") == value);
  for (int round = 0; round < 20; ++round) churn(round);
  EXPECT_TRUE(Get("key") == value);
  OpenAsIfTheMachineDied();
  EXPECT_TRUE(Get("key") == value);
  Settle();
  EXPECT_TRUE(Get("key") == value);
}

TEST_F(ValueStream, LeavesNothingWhenTheMachineDiesBeforeItsPut) {
  Settle();
  const double free = Stats().free_segments, live = Stats().live_bytes;
  const uint64_t id = Begin("key");
  ASSERT_EQ(Append(id, Value(1'000'000)), Status::kOk);
  ASSERT_EQ(store_->Checkpoint(), Status::kOk);
  ASSERT_EQ(Append(id, Value(500'000)), Status::kOk);
  OpenAsIfTheMachineDied();
  Settle();
  EXPECT_GE(Stats().free_segments, free - 1);
  EXPECT_EQ(Stats().live_bytes, live);
}

TEST_F(ValueStream, GivesItsSpaceBackWhenItIsAborted) {
  Settle();
  const double free = Stats().free_segments, live = Stats().live_bytes;
  ASSERT_EQ(Put("key", "old"), Status::kOk);
  // Many times what the store can hold.
  for (int i = 0; i < 30; ++i) {
    const uint64_t id = Begin("key");
    ASSERT_EQ(Append(id, Value(1'000'000)), Status::kOk) << i;
    if (i % 3 == 0) {
      ASSERT_EQ(store_->Checkpoint(), Status::kOk);
    }
    store_->AbortValue(id);
    EXPECT_EQ(store_->AppendValue(id, BytesOf(std::string("x"))), Status::kClosed);
  }
  EXPECT_EQ(PendingSegments(), 0u);
  EXPECT_EQ(Get("key"), "old");
  ASSERT_EQ(Remove("key"), Status::kOk);
  Settle();
  EXPECT_GE(Stats().free_segments, free - 1);
  EXPECT_EQ(Stats().live_bytes, live);
}

TEST_F(ValueStream, ThatDoesNotFitIsRefusedAndTheStoreIsAsBefore) {
  ASSERT_EQ(Put("key", "old"), Status::kOk);
  const uint64_t id = Begin("key");
  EXPECT_EQ(Append(id, Value(6'000'000)), Status::kFull);
  store_->AbortValue(id);
  EXPECT_EQ(Get("key"), "old");
  const std::string value = Value(2'000'000);
  const uint64_t again = Begin("key");
  ASSERT_EQ(Append(again, value), Status::kOk);
  ASSERT_EQ(Finish(again), Status::kOk);
  EXPECT_TRUE(Get("key") == value);
}

TEST_F(ValueStream, IsNotMadeWhereItsConditionDoesNotHold) {
  uint64_t version = 0;
  ASSERT_EQ(store_->Put(kTreeUser, BytesOf(std::string("key")), BytesOf(std::string("old")), false, &version),
            Status::kOk);
  const std::string value = Value(100'000);
  for (const ValueEnd& end : {ValueEnd{0, true, 0}, ValueEnd{0, true, version + 1}}) {
    const uint64_t id = Begin("key");
    ASSERT_EQ(Append(id, value), Status::kOk);
    EXPECT_EQ(Finish(id, end), Status::kConflict);
    EXPECT_EQ(PendingSegments(), 0u);
    EXPECT_EQ(Get("key"), "old");
  }
  const uint64_t id = Begin("key");
  ASSERT_EQ(Append(id, value), Status::kOk);
  EXPECT_EQ(Finish(id, {UnixMillis() + 3'600'000, true, version}), Status::kOk);
  EXPECT_TRUE(Get("key") == value);
}

TEST_F(ValueStream, IsForgottenWhenTheStoreIsClosed) {
  Settle();
  const double free = Stats().free_segments;
  const uint64_t id = Begin("key");
  ASSERT_EQ(Append(id, Value(1'000'000)), Status::kOk);
  ASSERT_EQ(store_->Close(), Status::kOk);
  EXPECT_EQ(store_->AppendValue(id, BytesOf(std::string("x"))), Status::kClosed);
  Open(path_);
  // At once, since nothing of it was left in the checkpoint.
  EXPECT_GE(Stats().free_segments, free - 3);
  Settle();
  EXPECT_GE(Stats().free_segments, free - 1);
}

TEST_F(ValueStream, ItsLengthIsBoundedByTheListOfItsPieces) {
  Make(16 << 10, 20 << 20);
  const uint64_t pieces = store_->piece_bytes_max() / sizeof(ValueExtent);
  const uint64_t id = Begin("key");
  EXPECT_EQ(store_->AppendValue(id, {}), Status::kInvalid);
  const std::string piece = Value(store_->piece_bytes_max());
  for (uint64_t i = 0; i < pieces; ++i) ASSERT_EQ(store_->AppendValue(id, BytesOf(piece)), Status::kOk) << i;
  EXPECT_EQ(store_->AppendValue(id, BytesOf(piece)), Status::kValueTooLarge);
  ASSERT_EQ(Finish(id), Status::kOk);
  EXPECT_EQ(Get("key").size(), pieces * piece.size());
}

TEST_F(ValueStream, OfADamagedPieceNothingIsHandedOut) {
  const std::string value = Value(100'000);
  const uint64_t id = Begin("key");
  ASSERT_EQ(Append(id, value), Status::kOk);
  ASSERT_EQ(Finish(id), Status::kOk);
  // The last byte of the second piece.
  const size_t piece = store_->piece_bytes_max();
  const std::string mark = value.substr(2 * piece - 64, 64);
  const uint8_t* base = store_->region().base();
  const uint8_t* end = base + store_->region().bytes();
  auto* at = const_cast<uint8_t*>(
      std::search(base, end, mark.begin(), mark.end(), [](uint8_t a, char b) { return a == static_cast<uint8_t>(b); }));
  ASSERT_NE(at, end);
  at[63] ^= 1;
  std::vector<uint8_t> out(piece, 0xee);
  const std::string name = "key";
  const Bytes key = BytesOf(name);
  const auto part = [&](uint64_t offset) { return store_->GetPart(0, kTreeUser, key, offset, out.data(), piece); };
  EXPECT_EQ(part(piece).status, Status::kCorrupt);
  EXPECT_TRUE(std::all_of(out.begin(), out.end(), [](uint8_t b) { return b == 0xee; }));
  EXPECT_NE(store_->damaged_offset(), 0u);
  EXPECT_EQ(part(0).bytes, piece);
  EXPECT_EQ(part(2 * piece).bytes, piece);
  EXPECT_EQ(part(2 * piece + 10).bytes, piece - 10);
  EXPECT_EQ(part(value.size()).bytes, 0u);
  EXPECT_EQ(part(UINT64_MAX).bytes, 0u);
  const PartResult small = store_->GetPart(0, kTreeUser, key, 0, out.data(), 10);
  EXPECT_EQ(small.status, Status::kValueOutside);
  EXPECT_EQ(small.next_bytes, piece);
  EXPECT_EQ(small.value_bytes, value.size());
}

}  // namespace
}  // namespace sealog::test
