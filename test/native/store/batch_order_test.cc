// Batches whose keys come in order go from key to key without a way down the tree: they end as any others do.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>

#include "support/store_test.h"
#include "support/verify_store.h"

namespace sealog::test {
namespace {

class BatchOrder : public StoreTest {
 protected:
  // One of the key space's shapes: separators that lose a common prefix, and ones that do not.
  std::string Key(uint32_t i) const {
    char text[24];
    snprintf(text, sizeof text, i % 3 == 0 ? "%06u" : "%06u/%u", i / 3, i % 3);
    return i % 5 == 0 ? text + std::string(i % 40, 'x') : text;
  }

  void Batch(const std::vector<Change>& changes) {
    uint64_t version = 0;
    ASSERT_EQ(store_->Batch(changes.data(), static_cast<uint32_t>(changes.size()), false, &version), Status::kOk);
  }

  void ExpectModel(uint32_t tree) {
    const std::map<std::string, std::string>& model = models_[tree];
    uint64_t count = 0;
    ASSERT_EQ(store_->Count(0, tree, {}, &count), Status::kOk);
    ASSERT_EQ(count, model.size());
    for (const auto& [key, value] : model) {
      uint8_t out[64];
      const GetResult got = store_->Get(tree, BytesOf(key), out, sizeof out);
      ASSERT_EQ(got.status, Status::kOk) << key;
      ASSERT_EQ(std::string(reinterpret_cast<const char*>(out), got.bytes), value) << key;
    }
  }

  std::map<std::string, std::string> models_[kTreeCount];
};

TEST_F(BatchOrder, RunsOfKeysEndAsInTheModel) {
  Create(16 << 20);
  constexpr uint32_t kKeys = 6000;
  std::mt19937 random(7);
  std::vector<std::string> keys;
  for (uint32_t i = 0; i < kKeys; ++i) keys.push_back(Key(i));
  std::sort(keys.begin(), keys.end());
  for (int round = 0; round < 400; ++round) {
    const uint32_t count = 1 + random() % 300, stride = 1 + random() % 4, kind = random() % 10;
    uint32_t at = random() % kKeys;
    std::vector<Change> changes;
    std::vector<std::string> values;
    values.reserve(count);
    for (uint32_t i = 0; i < count && at < kKeys; ++i) {
      // Mostly in order; now and then back, again the same, or in the other tree.
      const uint32_t tree = random() % 50 == 0 ? kTreeSystem : kTreeUser;
      const bool removes = kind == 0 || (kind < 4 && random() % 3 == 0);
      const std::string& key = keys[at];
      values.push_back(std::to_string(round) + "." + std::to_string(i));
      changes.push_back({removes ? kRecordDel : kRecordPut, 0, tree, BytesOf(key), {}});
      if (!removes) changes.back().value = BytesOf(values.back());
      if (removes) {
        models_[tree].erase(key);
      } else {
        models_[tree][key] = values.back();
      }
      const uint32_t dice = random() % 100;
      at = dice == 0 ? random() % kKeys : dice < 4 ? at : at + stride;
    }
    Batch(changes);
    if (round % 40 == 39) {
      ExpectModel(kTreeUser);
      ExpectModel(kTreeSystem);
      if (round % 80 == 79) Reopen();
    }
  }
  EXPECT_EQ(VerifyStore(store_.get()), "");
}

// A batch from the first key on, into leaves that are full.
TEST_F(BatchOrder, KeysInOrderFillTheirLeaves) {
  Create(16 << 20);
  for (uint32_t first = 0; first < 20000; first += 500) {
    std::vector<Change> changes;
    std::vector<std::string> keys;
    keys.reserve(500);
    for (uint32_t i = first; i < first + 500; ++i) {
      keys.push_back("k" + std::to_string(1'000'000 + i));
      changes.push_back({kRecordPut, 0, kTreeUser, BytesOf(keys.back()), BytesOf(keys.back())});
      models_[kTreeUser][keys.back()] = keys.back();
    }
    Batch(changes);
  }
  ExpectModel(kTreeUser);
  StoreStats stats;
  store_->Stats(&stats);
  EXPECT_LE(stats.leaves, 20000 / kLeafEntriesMax + 2.0);
  EXPECT_EQ(VerifyStore(store_.get()), "");
}

// Values in pieces are looked at again behind the log, by the same way as keys that are new.
TEST_F(BatchOrder, GoesOnBehindALargeValue) {
  Create(16 << 20);
  const std::string large(200'000, 'v'), small = "s";
  const auto put = [](const char* key, const std::string& value) {
    return Change{kRecordPut, 0, kTreeUser, {reinterpret_cast<const uint8_t*>(key), 3}, BytesOf(value)};
  };
  const auto remove = [](const char* key) {
    return Change{kRecordDel, 0, kTreeUser, {reinterpret_cast<const uint8_t*>(key), 3}, {}};
  };
  // All that the last leaf has goes, and one comes.
  for (uint32_t i = 0; i < kLeafEntriesMax; ++i) {
    const std::string key = "a" + std::to_string(10 + i);
    Batch({put(key.c_str(), small)});
    models_[kTreeUser][key] = small;
  }
  Batch({put("a91", large), put("a92", large)});
  Batch({remove("a91"), remove("a92"), put("a93", small)});
  models_[kTreeUser]["a93"] = small;
  ExpectModel(kTreeUser);
  Batch({remove("a93")});
  models_[kTreeUser].clear();
  for (uint32_t i = 0; i < kLeafEntriesMax; ++i) Batch({remove(("a" + std::to_string(10 + i)).c_str())});

  // The leaf is full, and sorted for a key that is not there to be removed, when one of its entries is replaced.
  std::vector<std::string> keys;
  for (uint32_t i = 0; i < kLeafEntriesMax - 1; ++i) keys.push_back("b" + std::to_string(10 + i + (i > 4)));
  for (const std::string& key : keys) {
    Batch({put(key.c_str(), key == "b14" ? large : small)});
    models_[kTreeUser][key] = small;
  }
  const std::string replaced = "r";
  Batch({remove("b09"), put("b14", replaced), put("b15", small)});
  models_[kTreeUser]["b14"] = replaced;
  models_[kTreeUser]["b15"] = small;
  ExpectModel(kTreeUser);
  EXPECT_EQ(VerifyStore(store_.get()), "");
}

}  // namespace
}  // namespace sealog::test
