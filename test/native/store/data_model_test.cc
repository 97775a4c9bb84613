// Conditions, times to live, erasing and sweeping in slices, snapshots, and ranges that skip: what the core adds for
// the data model of src/.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "platform/system.h"
#include "support/store_test.h"

namespace sealog::test {
namespace {

constexpr uint64_t kPast = 1000;
const uint64_t kFuture = UnixMillis() + 3'600'000;

class DataModel : public StoreTest {
 protected:
  void SetUp() override { Create(8 << 20); }

  static std::string Key(int i) { return "key" + std::to_string(10000 + i); }
  uint64_t Put(const std::string& key, const std::string& value, uint64_t expires = 0, uint32_t tree = kTreeUser) {
    const uint8_t flags = expires == 0 ? 0 : kRecordExpires;
    const Change change{kRecordPut, flags, tree, BytesOf(key), BytesOf(value), expires};
    uint64_t version = 0;
    EXPECT_EQ(store_->Batch(&change, 1, false, &version), Status::kOk);
    return version;
  }
  Status Has(const std::string& key, uint64_t snapshot = 0) { return store_->Has(snapshot, kTreeUser, BytesOf(key)); }
  uint64_t Count(const KeyRange& range = {}, uint64_t snapshot = 0, uint32_t tree = kTreeUser) {
    uint64_t count = 0;
    EXPECT_EQ(store_->Count(snapshot, tree, range, &count), Status::kOk);
    return count;
  }
  std::vector<std::string> Keys(RangeRequest request = {}) {
    std::vector<uint8_t> block(1 << 20);
    request.limit = UINT32_MAX;
    request.no_values = true;
    request.out = block.data();
    request.out_bytes = block.size();
    const RangeResult result = store_->FillRange(request);
    EXPECT_EQ(result.status, Status::kOk);
    EXPECT_TRUE(result.done);
    std::vector<std::string> keys;
    const uint8_t* at = block.data();
    for (uint32_t i = 0; i < result.entries; ++i) {
      RangeEntry entry;
      memcpy(&entry, at, sizeof entry);
      keys.emplace_back(reinterpret_cast<const char*>(at + sizeof entry), entry.key_bytes);
      at += RoundUp(sizeof entry + entry.key_bytes, 8);
    }
    return keys;
  }
  Status Commit(const Change& change, const Check& check, uint64_t* version) {
    BatchRequest request;
    request.changes = &change;
    request.count = 1;
    request.checks = &check;
    request.check_count = 1;
    return store_->Batch(request, false, version);
  }
  uint64_t Frames() {
    StoreStats stats;
    store_->Stats(&stats);
    return static_cast<uint64_t>(stats.log_frames);
  }
};

TEST_F(DataModel, AConditionThatDoesNotHoldChangesNothing) {
  const std::string key = Key(1), other = Key(2);
  const uint64_t first = Put(key, "1");
  const uint64_t frames = Frames();
  const Change change{kRecordPut, 0, kTreeUser, BytesOf(other), {}};
  uint64_t version = 0;
  EXPECT_EQ(Commit(change, {kTreeUser, BytesOf(key), 0}, &version), Status::kConflict);
  EXPECT_EQ(Commit(change, {kTreeUser, BytesOf(key), first + 1}, &version), Status::kConflict);
  EXPECT_EQ(Commit(change, {kTreeUser, BytesOf(other), first}, &version), Status::kConflict);
  EXPECT_EQ(Commit(change, {kTreeSpaces, BytesOf(key), first}, &version), Status::kConflict);
  EXPECT_EQ(version, 0u);
  EXPECT_EQ(Frames(), frames);
  EXPECT_EQ(Has(other), Status::kNotFound);
  EXPECT_EQ(Commit(change, {kTreeUser, BytesOf(key), first}, &version), Status::kOk);
  EXPECT_EQ(Has(other), Status::kOk);
  EXPECT_GT(version, first);
  // What has expired is not there.
  Put(key, "2", kPast);
  EXPECT_EQ(Commit(change, {kTreeUser, BytesOf(key), 0}, &version), Status::kOk);
}

TEST_F(DataModel, ARangeIsUnchangedOnlyWithTheSameEntriesInTheSameVersions) {
  for (int i = 0; i < 10; ++i) Put(Key(i), "1");
  uint64_t lsn = 0;
  const uint64_t snapshot = store_->OpenSnapshot(&lsn);
  ASSERT_NE(snapshot, 0u);
  const std::string low = Key(2), high = Key(5), inside = Key(3), outside = Key(7), between = Key(4) + "x";
  const std::string mark = "mark";
  const Change change{kRecordPut, 0, kTreeUser, BytesOf(mark), {}};
  const auto holds = [&](uint64_t count) {
    const RangeCheck check{kTreeUser, {BytesOf(low), BytesOf(high), true, false, false}, lsn, count};
    BatchRequest request;
    request.changes = &change;
    request.count = 1;
    request.range_checks = &check;
    request.range_check_count = 1;
    uint64_t version = 0;
    return store_->Batch(request, false, &version) == Status::kOk;
  };
  EXPECT_TRUE(holds(3));
  EXPECT_FALSE(holds(2));
  EXPECT_FALSE(holds(4));
  Put(outside, "2");
  EXPECT_TRUE(holds(3));
  uint64_t version = 0;
  ASSERT_EQ(store_->Remove(kTreeUser, BytesOf(inside), false, &version), Status::kOk);
  EXPECT_FALSE(holds(3));
  Put(inside, "1");  // as it was, but not the same
  EXPECT_FALSE(holds(3));
  EXPECT_FALSE(holds(4));
  Put(between, "1");
  EXPECT_FALSE(holds(4));
  store_->ReleaseSnapshot(snapshot);
}

TEST_F(DataModel, WhatHasExpiredIsNotThereForAnyReader) {
  for (int i = 0; i < 300; ++i) Put(Key(i), "v", i % 3 == 0 ? kPast : i % 3 == 1 ? kFuture : 0);
  const auto check = [&] {
    for (int i = 0; i < 300; ++i) {
      EXPECT_EQ(Has(Key(i)), i % 3 == 0 ? Status::kNotFound : Status::kOk);
      uint8_t out[8];
      EXPECT_EQ(store_->Get(kTreeUser, BytesOf(Key(i)), out, sizeof out).status,
                i % 3 == 0 ? Status::kNotFound : Status::kOk);
    }
    EXPECT_EQ(Count(), 200u);
    EXPECT_EQ(Keys().size(), 200u);
    RangeRequest request;
    request.skip = 150;
    EXPECT_EQ(Keys(request).size(), 50u);
    uint64_t version = 1;
    EXPECT_EQ(store_->Remove(kTreeUser, BytesOf(Key(0)), false, &version), Status::kOk);
    EXPECT_EQ(version, 0u);
  };
  check();
  Reopen();
  check();
  ASSERT_EQ(store_->Close(), Status::kOk);
  store_.reset();
  Open();
  check();
}

TEST_F(DataModel, TheTimeComesWithTheValue) {
  Put(Key(1), "v", kFuture);
  Put(Key(2), "v");
  uint8_t out[8];
  EXPECT_EQ(store_->Get(kTreeUser, BytesOf(Key(1)), out, sizeof out).expires, kFuture);
  EXPECT_EQ(store_->Get(kTreeUser, BytesOf(Key(2)), out, sizeof out).expires, 0u);
  // A large value is in pieces, its time in the first record.
  const std::string large(200'000, 'x');
  Put(Key(3), large, kFuture);
  Reopen();
  std::vector<uint8_t> room(large.size());
  const GetResult result = store_->Get(kTreeUser, BytesOf(Key(3)), room.data(), room.size());
  EXPECT_EQ(result.status, Status::kOk);
  EXPECT_EQ(result.expires, kFuture);
  EXPECT_TRUE(std::equal(room.begin(), room.end(), large.begin()));
}

TEST_F(DataModel, SweepingRemovesWhatHasExpiredAndNothingElse) {
  for (int i = 0; i < 100; ++i) Put(Key(i), "v", kPast + static_cast<uint64_t>(i));
  for (int i = 100; i < 200; ++i) Put(Key(i), "v", kFuture);
  for (int i = 0; i < 10; ++i) Put(Key(i), "replaced");            // for ever
  for (int i = 10; i < 20; ++i) Put(Key(i), "replaced", kFuture);  // later
  Put(Key(20), "replaced", kPast + 5);                             // another time, that has passed as well
  EXPECT_EQ(Count(), 120u);
  Removed removed;
  uint32_t entries = 0;
  do {
    ASSERT_EQ(store_->Sweep(UnixMillis(), 16, false, &removed), Status::kOk);
    entries += removed.entries;
    EXPECT_EQ(Count(), 120u);
  } while (removed.more);
  EXPECT_EQ(entries, 80u);
  EXPECT_EQ(removed.next_expiry, kFuture);
  StoreStats stats;
  store_->Stats(&stats);
  EXPECT_EQ(stats.entries, 120);
  EXPECT_EQ(Count({}, 0, kTreeExpiry), 110u);
  Reopen();
  EXPECT_EQ(Count(), 120u);
  ASSERT_EQ(store_->Sweep(UnixMillis(), 16, false, &removed), Status::kOk);
  EXPECT_EQ(removed.looked_at, 0u);
}

TEST_F(DataModel, ASnapshotKeepsItsTime) {
  Put(Key(1), "v", UnixMillis() + 50);
  uint64_t lsn = 0;
  const uint64_t snapshot = store_->OpenSnapshot(&lsn);
  EXPECT_EQ(Has(Key(1), snapshot), Status::kOk);
  const uint64_t begin = MonotonicMillis();
  while (Has(Key(1)) == Status::kOk && MonotonicMillis() < begin + 10'000) {
  }
  EXPECT_EQ(Has(Key(1)), Status::kNotFound);
  Removed removed;
  ASSERT_EQ(store_->Sweep(UnixMillis(), 16, false, &removed), Status::kOk);
  EXPECT_EQ(removed.entries, 1u);
  EXPECT_EQ(Has(Key(1), snapshot), Status::kOk);
  EXPECT_EQ(Count({}, snapshot), 1u);
  EXPECT_EQ(Count(), 0u);
  store_->ReleaseSnapshot(snapshot);
  EXPECT_EQ(Has(Key(1), snapshot), Status::kClosed);
}

TEST_F(DataModel, ErasingARangeIsExactAndInSlices) {
  for (int i = 0; i < 1000; ++i) Put(Key(i), "v", i % 10 == 0 ? kPast : 0, i % 2 == 0 ? kTreeUser : kTreeSpaces);
  const std::string low = Key(101), high = Key(899);
  const KeyRange range{BytesOf(low), BytesOf(high), true, true, true};
  uint32_t entries = 0, slices = 0;
  Removed removed;
  do {
    ASSERT_EQ(store_->EraseRange(kTreeSpaces, range, 64, true, &removed), Status::kOk);
    EXPECT_LE(removed.looked_at, 64u);
    entries += removed.entries;
    ++slices;
  } while (removed.more);
  EXPECT_EQ(entries, 399u);
  EXPECT_EQ(slices, 7u);
  ASSERT_EQ(store_->Commit(), Status::kOk);
  Reopen();
  EXPECT_EQ(Count({}, 0, kTreeSpaces), 101u);
  EXPECT_EQ(Count(), 400u);  // the others, but for those that have expired
  ASSERT_EQ(store_->EraseRange(kTreeUser, {}, UINT32_MAX, false, &removed), Status::kOk);
  EXPECT_EQ(removed.entries, 400u);
  EXPECT_EQ(removed.looked_at, 500u);
  EXPECT_EQ(Count(), 0u);
}

TEST_F(DataModel, SkippingByCountsIsSkippingOneByOne) {
  for (int i = 0; i < 5000; ++i) Put(Key(i * 7 % 5000), "v");
  const std::vector<std::string> all = Keys();
  ASSERT_EQ(all.size(), 5000u);
  const std::string low = Key(1234), high = Key(4321);
  for (const bool reverse : {false, true}) {
    for (const uint64_t skip : {0, 1, 47, 48, 49, 1000, 3085, 3086, 3087, 3088, 100000}) {
      RangeRequest request;
      request.range = {BytesOf(low), BytesOf(high), true, true, true};
      request.reverse = reverse;
      request.skip = skip;
      std::vector<std::string> expected(all.begin() + 1235, all.begin() + 4322);
      if (reverse) std::reverse(expected.begin(), expected.end());
      expected.erase(expected.begin(), expected.begin() + static_cast<ptrdiff_t>(std::min(skip, expected.size())));
      EXPECT_EQ(Keys(request), expected) << skip << reverse;
    }
  }
}

TEST_F(DataModel, WhatIsNoChangeIsRefused) {
  const std::string key = Key(1), long_key(kKeyBytesMax - kExpiryHeadBytes + 1, 'k');
  uint64_t version = 0;
  const auto batch = [&](const Change& change) { return store_->Batch(&change, 1, false, &version); };
  EXPECT_EQ(batch({kRecordDel, kRecordExpires, kTreeUser, BytesOf(key), {}, kFuture}), Status::kInvalid);
  EXPECT_EQ(batch({kRecordPut, kRecordExtents, kTreeUser, BytesOf(key), {}}), Status::kInvalid);
  EXPECT_EQ(batch({kRecordChunk, 0, kTreeUser, BytesOf(key), {}}), Status::kInvalid);
  EXPECT_EQ(batch({kRecordPut, 0, kTreeCount, BytesOf(key), {}}), Status::kInvalid);
  EXPECT_EQ(batch({kRecordPut, kRecordExpires, kTreeUser, BytesOf(long_key), {}, kFuture}), Status::kKeyTooLarge);
  EXPECT_EQ(batch({kRecordPut, 0, kTreeUser, BytesOf(long_key), {}}), Status::kOk);
}

}  // namespace
}  // namespace sealog::test
