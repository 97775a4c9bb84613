// One damaged record in a store: what depends on it is refused, all else stays right.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "support/store_test.h"

namespace sealog::test {
namespace {

constexpr int kKeys = 40;

class DamagedRecord : public StoreTest {
 protected:
  void SetUp() override {
    Create(24 * kSegmentBytesMin, kSegmentBytesMin);
    for (int i = 0; i < kKeys; ++i) Put(Key(i), std::string(200, 'v'));
  }

  static std::string Key(int i) { return "key" + std::to_string(100 + i); }
  void Close() {
    ASSERT_EQ(store_->Close(), Status::kOk);
    store_.reset();
  }
  void Put(const std::string& key, const std::string& value) {
    uint64_t version;
    ASSERT_EQ(store_->Put(kTreeUser, BytesOf(key), BytesOf(value), false, &version), Status::kOk);
  }
  // Flips a bit of the record that holds `key`, `delta` bytes from the beginning of the key.
  void Flip(const std::string& key, int delta, uint8_t mask) {
    Close();
    int file = open(path_.c_str(), O_RDWR);
    std::string bytes(24 * kSegmentBytesMin, '\0');
    ASSERT_EQ(pread(file, bytes.data(), bytes.size(), 0), static_cast<ssize_t>(bytes.size()));
    const size_t at = bytes.find(key + "v") + static_cast<size_t>(delta);
    bytes[at] = static_cast<char>(bytes[at] ^ mask);
    ASSERT_EQ(pwrite(file, &bytes[at], 1, static_cast<off_t>(at)), 1);
    close(file);
    Open();
  }
};

TEST_F(DamagedRecord, KeyIsNotMissedByABoundedRangeOrCount) {
  Flip(Key(20), 0, 0x10);  // "key120" is "{ey120": behind every key of the leaf
  const std::string low = Key(15), high = Key(25);
  RangeRequest request;
  request.range = {BytesOf(low), BytesOf(high), true, false, false};
  request.limit = 100;
  std::vector<uint8_t> block(1 << 16);
  request.out = block.data();
  request.out_bytes = block.size();
  EXPECT_EQ(store_->FillRange(request).status, Status::kCorrupt);
  uint64_t count = 0;
  EXPECT_EQ(store_->Count(request.range, &count), Status::kCorrupt);
  EXPECT_EQ(store_->Has(kTreeUser, BytesOf(Key(20))), Status::kCorrupt);
  EXPECT_EQ(store_->Has(kTreeUser, BytesOf(Key(21))), Status::kOk);
}

// The value's length, eight bytes into the header of 24. What the record really took up is then not known.
TEST_F(DamagedRecord, LengthDoesNotUpsetTheAccounts) {
  Flip(Key(20), 8 - 24 + 1, 0x20);
  EXPECT_EQ(store_->Get(kTreeUser, BytesOf(Key(20)), nullptr, 0).status, Status::kCorrupt);
  StoreStats before, after;
  store_->Stats(&before);
  Put(Key(20), "short");
  store_->Stats(&after);
  EXPECT_GT(after.live_bytes, before.live_bytes);
  for (int i = 0; i < kKeys; ++i) Put(Key(i), "short");
  Close();
  Open();
}

TEST_F(DamagedRecord, ErrorOfADamagedRootNamesIt) {
  Close();
  std::vector<uint8_t> bytes(24 * kSegmentBytesMin);
  int file = open(path_.c_str(), O_RDWR);
  ASSERT_EQ(pread(file, bytes.data(), bytes.size(), 0), static_cast<ssize_t>(bytes.size()));
  CheckpointSlot slots[2];
  for (int i = 0; i < 2; ++i) memcpy(&slots[i], bytes.data() + kCheckpointSlotOffset[i], sizeof slots[i]);
  const CheckpointSlot& slot = slots[slots[0].sequence > slots[1].sequence ? 0 : 1];
  const uint64_t root = NodeRefIndex(slot.roots[kTreeUser].ref) * kLeafBytes;
  bytes[root + 100] ^= 1;
  ASSERT_EQ(pwrite(file, &bytes[root + 100], 1, static_cast<off_t>(root + 100)), 1);
  close(file);
  Open();
  RangeRequest request;
  request.limit = 100;
  request.out = bytes.data();
  request.out_bytes = bytes.size();
  EXPECT_EQ(store_->FillRange(request).status, Status::kCorrupt);
  EXPECT_EQ(store_->damaged_offset(), root);
  // Nor is the store full, though nothing is known of the tree's height.
  uint64_t version;
  EXPECT_EQ(store_->Put(kTreeUser, BytesOf(Key(1)), {}, false, &version), Status::kCorrupt);
  EXPECT_EQ(store_->Remove(kTreeUser, BytesOf(Key(1)), false, &version), Status::kCorrupt);
}

// A commit of more frames than two segments hold, and one behind it: that one proves what is missing, far from it.
TEST_F(DamagedRecord, FirstFrameOfALongBatchIsMissed) {
  ASSERT_EQ(store_->Checkpoint(), Status::kOk);
  const std::string value(3000, 'w');
  std::vector<std::string> keys;
  for (int i = 0; i < 14; ++i) keys.push_back("long" + std::to_string(100 + i));
  std::vector<Change> changes;
  for (const std::string& key : keys) changes.push_back({kRecordPut, 0, kTreeUser, BytesOf(key), BytesOf(value)});
  uint64_t version;
  ASSERT_EQ(store_->Batch(changes.data(), static_cast<uint32_t>(changes.size()), false, &version), Status::kOk);
  Put("behind", "it");
  store_.reset();  // as if killed
  int file = open(path_.c_str(), O_RDWR);
  std::string bytes(24 * kSegmentBytesMin, '\0');
  ASSERT_EQ(pread(file, bytes.data(), bytes.size(), 0), static_cast<ssize_t>(bytes.size()));
  const size_t at = bytes.find("long100w");
  bytes[at] ^= 1;
  ASSERT_EQ(pwrite(file, &bytes[at], 1, static_cast<off_t>(at)), 1);
  close(file);
  EXPECT_EQ(OpenStore(path_).failure.status, Status::kCorrupt);
}

}  // namespace
}  // namespace sealog::test
