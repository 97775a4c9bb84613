// A store that is full can always be emptied, one entry at a time, whatever filled it.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <random>
#include <set>

#include "support/recovery_twin.h"
#include "support/scratch.h"

namespace sealog::test {
namespace {

constexpr uint32_t kSegmentBytes = 16 << 10;
constexpr uint64_t kCheckpointBytes = 64 << 10;

std::unique_ptr<Store> Opened(const std::string& path, bool* clean = nullptr) {
  OpenResult result = OpenStore(path, {}, BestFlush(false), kCheckpointBytes);
  EXPECT_TRUE(result.failure.ok()) << result.failure.detail;
  if (clean != nullptr) *clean = result.clean;
  return std::move(result.store);
}

void CreateSmall(const std::string& path, uint32_t segments) {
  CreateOptions create;
  create.segment_bytes = kSegmentBytes;
  create.capacity_bytes = uint64_t{segments} * kSegmentBytes;
  ASSERT_TRUE(CreateStore(path, create).ok());
}

class FullStore : public testing::TestWithParam<uint32_t> {};

TEST_P(FullStore, CanBeEmptiedOneByOne) {
  const uint32_t seed = GetParam();
  std::mt19937_64 random(seed);
  Scratch scratch;
  const std::string path = scratch.File("store");
  CreateSmall(path, 16 + random() % 20);
  auto store = Opened(path);

  const uint32_t in_batch = std::array{1u, 1u, 3u, 40u, 150u}[random() % 5];
  const uint32_t value_bytes = std::array{0u, 40u, 200u, 900u, 3000u, 20'000u}[random() % 6];
  const uint32_t key_bytes = std::array{4u, 30u, 400u, 1900u}[random() % 4];
  const bool ordered = random() % 2 == 0;
  std::vector<std::string> keys;
  const std::string value(value_bytes, 'v');
  uint64_t version;
  for (uint32_t n = 0;;) {
    std::vector<std::string> some;
    for (uint32_t i = 0; i < in_batch; ++i, ++n) {
      char digits[24];
      snprintf(digits, sizeof digits, "%06u", ordered ? n : n * 7919u % 100'003u);
      std::string key(key_bytes > 6 ? key_bytes - 6 : 0, 'k');
      some.push_back(random() % 4 == 0 ? digits + key : key + digits);
    }
    std::vector<Change> changes;
    for (const std::string& key : some) changes.push_back({kRecordPut, 0, kTreeUser, BytesOf(key), BytesOf(value)});
    Status status = in_batch == 1 ? store->Put(kTreeUser, changes[0].key, changes[0].value, false, &version)
                                  : store->Batch(changes.data(), in_batch, false, &version);
    if (status == Status::kFull) break;
    ASSERT_EQ(status, Status::kOk);
    keys.insert(keys.end(), some.begin(), some.end());
    if (random() % 500 == 0) {
      ASSERT_EQ(store->Close(), Status::kOk);
      store.reset();
      store = Opened(path);
    }
  }
  // What is left by a batch may take puts one by one.
  if (random() % 2 == 0) {
    for (uint32_t n = 0;; ++n) {
      std::string key = "z" + std::to_string(n);
      if (store->Put(kTreeUser, BytesOf(key), {}, false, &version) == Status::kFull) break;
      keys.push_back(key);
    }
  }
  if (random() % 3 == 0) {
    ASSERT_EQ(store->Close(), Status::kOk);
    store.reset();
    store = Opened(path);
  }
  if (random() % 3 == 0)
    std::shuffle(keys.begin(), keys.end(), random);
  else if (random() % 2 == 0)
    std::sort(keys.begin(), keys.end());
  std::set<std::string> gone;
  for (const std::string& key : keys) {
    if (!gone.insert(key).second) continue;
    ASSERT_EQ(store->Remove(kTreeUser, BytesOf(key), false, &version), Status::kOk)
        << gone.size() << " of " << keys.size() << " keys of " << key_bytes << " bytes, values of " << value_bytes
        << " put " << in_batch << " at once";
  }
  StoreStats stats{};
  store->Stats(&stats);
  EXPECT_EQ(stats.entries, 0);
  ASSERT_EQ(store->Put(kTreeUser, BytesOf("a"), {}, false, &version), Status::kOk);
  EXPECT_EQ(store->Close(), Status::kOk);
}

INSTANTIATE_TEST_SUITE_P(Seeds, FullStore, testing::Range(0u, 300u));

// A session that began, and was refused its first change for lack of space, leaves a LINK in the log.
TEST(FullStoreSession, IsCleanAfterARefusalAtItsBeginning) {
  Scratch scratch;
  const std::string path = scratch.File("store");
  CreateSmall(path, 16);
  uint64_t version;
  auto store = Opened(path);
  const std::string large(14'000, 'v'), value(100'000, 'v');
  for (int i = 0; i < 5; ++i) {
    const std::string key = "k" + std::to_string(i);
    ASSERT_EQ(store->Put(kTreeUser, BytesOf(key), BytesOf(large), false, &version), Status::kOk);
  }
  ASSERT_EQ(store->Close(), Status::kOk);
  store.reset();
  store = Opened(path);
  ASSERT_EQ(store->Put(kTreeUser, BytesOf("large"), BytesOf(value), false, &version), Status::kFull);
  ASSERT_EQ(store->Close(), Status::kOk);
  bool clean = false;
  store.reset();
  store = Opened(path, &clean);
  EXPECT_TRUE(clean);
}

// There is always some snapshot, but none for long.
TEST(FullStoreBesideSnapshots, IsCleanedAlthoughSomeAreAlwaysThere) {
  Scratch scratch;
  const std::string path = scratch.File("store");
  CreateSmall(path, 64);
  auto store = Opened(path);
  const std::string value(400, 'v');
  std::mt19937 random(1);
  uint64_t version = 0, lsn = 0, snapshot = 0;
  uint32_t refused = 0, in_a_row = 0;
  for (uint32_t n = 0; n < 40'000; ++n) {
    const std::string key = "k" + std::to_string(random() % 900);
    const Status status = store->Put(kTreeUser, BytesOf(key), BytesOf(value), false, &version);
    ASSERT_TRUE(status == Status::kOk || status == Status::kFull);
    // For a moment they may hold all that there is.
    in_a_row = status == Status::kFull ? in_a_row + 1 : 0;
    refused += status == Status::kFull;
    ASSERT_LE(in_a_row, 64u) << "put " << n;
    if (n % 16 != 0) continue;
    const uint64_t next = store->OpenSnapshot(&lsn);
    ASSERT_NE(next, 0u);
    if (snapshot != 0) store->ReleaseSnapshot(snapshot);
    snapshot = next;
  }
  EXPECT_LT(refused, 2000u);
}

}  // namespace
}  // namespace sealog::test
