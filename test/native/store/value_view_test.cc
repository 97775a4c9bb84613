// Values that are read in place, by somebody who keeps to no rule: they may be written to, removed, cut off.
#include <gtest/gtest.h>
#include <unistd.h>

#include "support/store_test.h"

namespace sealog::test {
namespace {

class ValueView : public StoreTest {
 protected:
  void SetUp() override {
    Create(1 << 20);
    Put("key", value_);
  }

  void Put(const std::string& key, const std::string& value) {
    uint64_t version = 0;
    ASSERT_EQ(store_->Put(kTreeUser, BytesOf(key), BytesOf(value), false, &version), Status::kOk);
  }
  std::string Get(const std::string& key) {
    std::string value(64 << 10, '\0');
    const GetResult r = store_->Get(kTreeUser, BytesOf(key), reinterpret_cast<uint8_t*>(value.data()), value.size());
    EXPECT_EQ(r.status, Status::kOk);
    value.resize(r.bytes);
    return value;
  }
  ViewResult Begin(uint64_t snapshot = 0) { return store_->BeginView(snapshot, kTreeUser, BytesOf(key_), 1); }
  static std::string Seen(const ViewResult& view) {
    return {reinterpret_cast<const char*>(view.data), static_cast<size_t>(view.bytes)};
  }
  // Overwrites everything that may be overwritten, several times, or until the store is full of what is pinned.
  Status Churn() {
    Status status = Status::kOk;
    for (int i = 0; i < 400 && status == Status::kOk; ++i) {
      const std::string key = "other" + std::to_string(i % 8), value(9'000, static_cast<char>(i));
      uint64_t version = 0;
      status = store_->Put(kTreeUser, BytesOf(key), BytesOf(value), false, &version);
    }
    return status;
  }

  const std::string key_ = "key";
  const std::string value_ = std::string(12'000, 'v');
};

TEST_F(ValueView, ShowsTheValue) {
  const ViewResult view = Begin();
  ASSERT_EQ(view.status, Status::kOk);
  EXPECT_FALSE(store_->region().Contains(view.data));
  EXPECT_EQ(Seen(view), value_);
  EXPECT_EQ(store_->EndView(view), Status::kOk);
  EXPECT_EQ(store_->BeginView(0, kTreeUser, BytesOf(key_), 12'001).status, Status::kValueOutside);
  EXPECT_EQ(store_->BeginView(0, kTreeUser, BytesOf(std::string("no")), 1).status, Status::kNotFound);
  EXPECT_EQ(store_->BeginView(99, kTreeUser, BytesOf(key_), 1).status, Status::kClosed);
}

TEST_F(ValueView, WhatIsStoredToItReachesNobody) {
  const ViewResult view = Begin();
  ASSERT_EQ(view.status, Status::kOk);
  memset(view.data, 'x', view.bytes);
  EXPECT_EQ(Get("key"), value_);
  // Not even a view in the meantime.
  const ViewResult inner = Begin();
  EXPECT_EQ(Seen(inner), value_);
  memset(inner.data, 'y', inner.bytes);
  EXPECT_EQ(store_->EndView(inner), Status::kOk);
  EXPECT_EQ(store_->EndView(view), Status::kOk);
  const ViewResult later = Begin();
  EXPECT_EQ(Seen(later), value_);
  EXPECT_EQ(store_->EndView(later), Status::kOk);
  EXPECT_EQ(Get("key"), value_);
}

// A page that a view has stored to does not show what is written to the file later.
TEST_F(ValueView, StoresOfEarlierViewsDoNotHideWhatIsWrittenThereLater) {
  for (int round = 0; round < 50; ++round) {
    const std::string value(10'000 + static_cast<size_t>(round), static_cast<char>('a' + round % 26));
    Put("key", value);
    const ViewResult view = Begin();
    ASSERT_EQ(view.status, Status::kOk);
    EXPECT_TRUE(Seen(view) == value);
    memset(view.data, '!', view.bytes);
    EXPECT_EQ(store_->EndView(view), Status::kOk);
    ASSERT_EQ(Churn(), Status::kOk);
  }
}

TEST_F(ValueView, StaysAsItWasWhenTheValueIsRemoved) {
  for (const bool by_snapshot : {false, true}) {
    Put("key", value_);
    uint64_t lsn = 0;
    const uint64_t snapshot = by_snapshot ? store_->OpenSnapshot(&lsn) : 0;
    const ViewResult view = Begin(snapshot);
    ASSERT_EQ(view.status, Status::kOk);
    if (by_snapshot) store_->ReleaseSnapshot(snapshot);
    uint64_t version = 0;
    ASSERT_EQ(store_->Remove(kTreeUser, BytesOf(key_), false, &version), Status::kOk);
    static_cast<void>(Churn());
    EXPECT_TRUE(Seen(view) == value_);
    EXPECT_EQ(store_->EndView(view), Status::kOk);
  }
  // And holds up nothing any more.
  StoreStats stats;
  store_->Stats(&stats);
  EXPECT_EQ(stats.snapshots, 0);
  EXPECT_EQ(Churn(), Status::kOk);
}

TEST_F(ValueView, WhatCannotBeReadIsZeroAndSaidToBe) {
  const ViewResult view = Begin();
  ASSERT_EQ(view.status, Status::kOk);
  ASSERT_EQ(truncate(path_.c_str(), 0), 0);
  EXPECT_EQ(Seen(view), std::string(view.bytes, '\0'));
  view.data[0] = 'x';
  EXPECT_EQ(store_->EndView(view), Status::kMedia);
  EXPECT_EQ(Begin().status, Status::kMedia);
}

TEST_F(ValueView, DamageIsLeftToTheCopy) {
  const ViewResult view = Begin();
  ASSERT_EQ(view.status, Status::kOk);
  EXPECT_EQ(store_->EndView(view), Status::kOk);
  uint8_t* base = store_->region().base();
  auto* there = static_cast<uint8_t*>(memmem(base, store_->region().bytes(), value_.data(), value_.size()));
  ASSERT_NE(there, nullptr);
  there[100] ^= 1;
  EXPECT_EQ(Begin().status, Status::kValueOutside);
  there[100] ^= 1;
  const ViewResult again = Begin();
  EXPECT_EQ(again.status, Status::kOk);
  EXPECT_EQ(store_->EndView(again), Status::kOk);
}

}  // namespace
}  // namespace sealog::test
