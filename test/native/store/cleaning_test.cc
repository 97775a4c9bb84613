// Cleaning: however much is written through a store, what is alive is there, in any order of crashes; what a snapshot
// reads stays as it was.
#include <gtest/gtest.h>

#include <map>
#include <random>

#include "platform/system.h"
#include "support/store_test.h"

namespace sealog::test {
namespace {

struct Expected {
  std::string value;
  uint64_t version = 0;
  uint64_t expires = 0;
};

class Cleaning : public StoreTest {
 protected:
  std::string Value(size_t bytes) {
    std::string value(bytes, '\0');
    for (char& c : value) c = static_cast<char>('a' + random_() % 26);
    return value;
  }
  Status Put(const std::string& key, const std::string& value, uint64_t expires = 0, uint32_t tree = kTreeUser) {
    const Change change{kRecordPut,     static_cast<uint8_t>(expires == 0 ? 0 : kRecordExpires),
                        tree,           BytesOf(key),
                        BytesOf(value), expires};
    uint64_t version = 0;
    const Status status = store_->Batch(&change, 1, false, &version);
    if (status == Status::kOk) model_[{tree, key}] = {value, version, expires};
    return status;
  }
  void Check() {
    std::vector<uint8_t> out(4 << 20);
    for (const auto& [at, expected] : model_) {
      const GetResult got = store_->Get(0, at.first, BytesOf(at.second), out.data(), out.size());
      ASSERT_EQ(got.status, Status::kOk) << at.second;
      ASSERT_EQ(std::string(reinterpret_cast<char*>(out.data()), got.bytes), expected.value) << at.second;
      ASSERT_EQ(got.version, expected.version) << at.second;
      ASSERT_EQ(got.expires, expected.expires) << at.second;
    }
    for (uint32_t tree : {kTreeUser, kTreeSpaces}) {
      uint64_t count = 0, in_model = 0;
      for (const auto& each : model_) in_model += each.first.first == tree;
      ASSERT_EQ(store_->Count(0, tree, {}, &count), Status::kOk);
      ASSERT_EQ(count, in_model);
    }
  }
  StoreStats Stats() {
    StoreStats stats;
    store_->Stats(&stats);
    return stats;
  }

  std::string Space() {
    const StoreStats s = Stats();
    return "segments: free " + std::to_string(s.free_segments) + ", retired " + std::to_string(s.retired_segments) +
           ", log " + std::to_string(s.log_segments) + ", leaf " + std::to_string(s.leaf_segments) + ", inner " +
           std::to_string(s.inner_segments) + "; live bytes " + std::to_string(s.live_bytes) + ", leaves " +
           std::to_string(s.leaves) + ", waiting " + std::to_string(s.waiting) + ", cleaned " +
           std::to_string(s.cleaned_segments);
  }

  std::map<std::pair<uint32_t, std::string>, Expected> model_;
  std::mt19937 random_{7};
};

std::string Key(uint32_t i) { return "key" + std::to_string(100000 + i); }

TEST_F(Cleaning, TenTimesTheCapacityThroughAStoreThatIsMostlyAlive) {
  Create(8 << 20);
  const uint32_t keys = 28000;  // of 176 bytes live: 60 % of the file
  for (uint32_t i = 0; i < keys; ++i) ASSERT_EQ(Put(Key(i), Value(120)), Status::kOk) << i;
  uint64_t written = 0;
  for (uint32_t i = 0; written < 80u << 20; ++i) {
    ASSERT_EQ(Put(Key(random_() % keys), Value(120)), Status::kOk) << i << ", " << Space();
    written += 192;
    if (i % 100000 == 50000) {
      Reopen();
      Check();
    }
  }
  Check();
  const StoreStats stats = Stats();
  EXPECT_GT(stats.cleaned_segments, 100);
  EXPECT_LT(stats.cold_bytes / stats.log_bytes, 0.85);
  Reopen();
  Check();
  EXPECT_EQ(store_->Close(), Status::kOk);
  store_.reset();
  Open();
  Check();
}

TEST_F(Cleaning, LargeValuesNamespacesAndTimes) {
  Create(8 << 20);
  const uint64_t later = UnixMillis() + 3'600'000;
  double cleaned = 0;
  for (uint32_t i = 0; i < 20000; ++i) {
    const std::string key = Key(random_() % 600);
    Status status = Status::kOk;
    switch (random_() % 8) {
      case 0:
        status = Put("large" + std::to_string(random_() % 8), Value(random_() % 200000));
        break;
      case 1:
      case 2:
        status = Put(key, Value(random_() % 400), later, kTreeSpaces);
        break;
      default:
        status = Put(key, Value(random_() % 3000));
    }
    ASSERT_EQ(status, Status::kOk) << i << ", " << Space();
    if (i % 4000 == 3999) {
      cleaned += Stats().cleaned_segments;
      Reopen();
      Check();
    }
  }
  Check();
  EXPECT_GT(cleaned, 50);
}

TEST_F(Cleaning, ASnapshotReadsWhatItAlwaysDid) {
  Create(8 << 20);
  for (uint32_t i = 0; i < 8000; ++i) ASSERT_EQ(Put(Key(i), Value(120)), Status::kOk);
  const auto then = model_;
  uint64_t lsn = 0;
  const uint64_t snapshot = store_->OpenSnapshot(&lsn);
  Status status = Status::kOk;
  uint32_t puts = 0;
  for (; puts < 200000 && status == Status::kOk; ++puts) status = Put(Key(random_() % 8000), Value(120));
  std::vector<uint8_t> out(1000);
  for (const auto& [at, expected] : then) {
    const GetResult got = store_->Get(snapshot, at.first, BytesOf(at.second), out.data(), out.size());
    ASSERT_EQ(got.status, Status::kOk);
    ASSERT_EQ(std::string(reinterpret_cast<char*>(out.data()), got.bytes), expected.value);
    ASSERT_EQ(got.version, expected.version);
  }
  // What is younger than the snapshot can be cleaned.
  EXPECT_GT(puts, 60000u) << "refused with " << static_cast<int>(status);
  store_->ReleaseSnapshot(snapshot);
  for (uint32_t i = 0; i < 100000; ++i) ASSERT_EQ(Put(Key(random_() % 8000), Value(120)), Status::kOk) << i;
  Check();
}

// A segment of which all but a little is dead, in a store where nothing else gives room.
TEST_F(Cleaning, AFullStoreGivesBackWhatIsDead) {
  Create(4 << 20);
  uint32_t keys = 0;
  while (Put(Key(keys), Value(120)) == Status::kOk) ++keys;
  Check();
  // Every third key goes: no segment is dead as a whole.
  for (uint32_t i = 0; i < keys; i += 3) {
    uint64_t version = 0;
    const std::string key = Key(i);
    ASSERT_EQ(store_->Remove(kTreeUser, BytesOf(key), false, &version), Status::kOk);
    model_.erase({kTreeUser, key});
  }
  uint32_t more = 0;
  while (Put(Key(1000000 + more), Value(120)) == Status::kOk) ++more;
  EXPECT_GT(more, keys / 4);
  Check();
  Reopen();
  Check();
}

TEST_F(Cleaning, CompactingLeavesLittleDead) {
  Create(8 << 20);
  for (uint32_t i = 0; i < 12000; ++i) ASSERT_EQ(Put(Key(i), Value(120)), Status::kOk);
  for (uint32_t i = 0; i < 12000; ++i) {
    if (i % 4 == 0) continue;
    ASSERT_EQ(Put(Key(random_() % 12000), Value(120)), Status::kOk);
  }
  const double before = Stats().log_segments;
  ASSERT_EQ(store_->Compact(), Status::kOk);
  const StoreStats stats = Stats();
  EXPECT_GT(stats.cleaned_records, 0);
  EXPECT_LT(stats.log_segments, before);
  EXPECT_LT(stats.log_segments * (64 << 10), stats.live_bytes * 1.1 + 4 * (64 << 10));
  Check();
  Reopen();
  Check();
}

}  // namespace
}  // namespace sealog::test
