// Many keys at once: the answers are those of as many gets, and damage shows in the key that it hits.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "region/create.h"
#include "support/recovery_twin.h"
#include "support/scratch.h"

namespace sealog::test {
namespace {

constexpr int kKeys = 3000;

class GetMany : public ::testing::Test {
 protected:
  void SetUp() override {
    path_ = scratch_.File("store.sealog");
    CreateOptions options;
    options.segment_bytes = kSegmentBytesMin;
    options.capacity_bytes = 64 * kSegmentBytesMin;
    ASSERT_TRUE(CreateStore(path_, options).ok());
    Open();
    for (int i = 0; i < kKeys; ++i) {
      uint64_t version;
      ASSERT_EQ(store_->Put(kTreeUser, BytesOf(Key(i)), BytesOf(Value(i)), true, &version), Status::kOk);
    }
  }

  static std::string Key(int i) { return "key" + std::to_string(10000 + i * 7919 % 10007); }
  static std::string Value(int i) { return std::string(static_cast<size_t>(i % 90), 'v') + std::to_string(i); }
  void Open() {
    OpenResult result = OpenStore(path_);
    ASSERT_TRUE(result.failure.ok()) << result.failure.detail;
    store_ = std::move(result.store);
  }

  GetManyResult Ask(const std::vector<std::string>& keys, size_t out_bytes) {
    std::vector<Bytes> bytes;
    for (const std::string& key : keys) bytes.push_back(BytesOf(key));
    out_.assign(out_bytes, 0xaa);
    answers_.assign(keys.size(), -2);
    GetManyRequest request;
    request.keys = bytes.data();
    request.count = static_cast<uint32_t>(bytes.size());
    request.out = out_.data();
    request.out_bytes = out_bytes;
    return store_->GetMany(request, answers_.data());
  }

  Scratch scratch_;
  std::string path_;
  std::unique_ptr<Store> store_;
  std::vector<uint8_t> out_;
  std::vector<int32_t> answers_;
};

TEST_F(GetMany, AnswersAsGetsDo) {
  std::vector<std::string> keys;
  for (int i = 0; i < 100; ++i) keys.push_back(i % 10 == 9 ? "absent" + std::to_string(i) : Key(i * 29));
  GetManyResult result = Ask(keys, 64 << 10);
  ASSERT_EQ(result.status, Status::kOk);
  ASSERT_EQ(result.done, 100u);
  size_t at = 0;
  for (int i = 0; i < 100; ++i) {
    if (i % 10 == 9) {
      EXPECT_EQ(answers_[i], -1);
      continue;
    }
    const std::string value = Value(i * 29);
    ASSERT_EQ(answers_[i], static_cast<int32_t>(value.size())) << i;
    EXPECT_EQ(std::string(reinterpret_cast<char*>(&out_[at]), value.size()), value);
    at += RoundUp(value.size(), 8);
  }
}

TEST_F(GetMany, StopsAtTheValueThatDoesNotFit) {
  const std::vector<std::string> keys{"absent", Key(40), Key(50), Key(60)};
  GetManyResult result = Ask(keys, 48 + 51);
  EXPECT_EQ(result.done, 2u);  // 42 bytes, then 52 where 51 are left
  EXPECT_EQ(result.needed, 0u);
  EXPECT_EQ(out_[48], 0xaa);
  result = Ask(keys, 48 + 52);
  EXPECT_EQ(result.done, 3u);  // the padding of the last one does not have to fit
  result = Ask({Key(50), Key(40)}, 51);
  EXPECT_EQ(result.status, Status::kOk);
  EXPECT_EQ(result.done, 0u);
  EXPECT_EQ(result.needed, 52u);
}

TEST_F(GetMany, OfAnEmptyTreeAndAClosedStore) {
  GetManyRequest request;
  Bytes key = BytesOf("k");
  request.keys = &key;
  request.count = 1;
  request.tree = kTreeSpaces;
  int32_t answer = 0;
  EXPECT_EQ(store_->GetMany(request, &answer).done, 1u);
  EXPECT_EQ(answer, -1);
  request.tree = kTreeCount;
  EXPECT_EQ(store_->GetMany(request, &answer).status, Status::kClosed);
  request.tree = kTreeUser;
  request.snapshot = 99;
  EXPECT_EQ(store_->GetMany(request, &answer).status, Status::kClosed);
}

TEST_F(GetMany, RefusesADamagedRecordAndReadsTheOthers) {
  ASSERT_EQ(store_->Close(), Status::kOk);
  store_.reset();
  const std::string target = Key(89) + Value(89);
  int file = open(path_.c_str(), O_RDWR);
  std::string bytes(64 * kSegmentBytesMin, '\0');
  ASSERT_EQ(pread(file, bytes.data(), bytes.size(), 0), static_cast<ssize_t>(bytes.size()));
  const size_t at = bytes.find(target) + target.size() - 1;
  const char flipped = static_cast<char>(bytes[at] ^ 1);
  ASSERT_EQ(pwrite(file, &flipped, 1, static_cast<off_t>(at)), 1);
  close(file);
  Open();
  EXPECT_EQ(Ask({Key(1), Key(89)}, 1024).status, Status::kCorrupt);
  EXPECT_NE(store_->damaged_offset(), 0u);
  EXPECT_EQ(Ask({Key(1), Key(2)}, 1024).done, 2u);
}

}  // namespace
}  // namespace sealog::test
