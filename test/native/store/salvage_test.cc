// Salvage, from below: media that refuse pages, nodes that mislead, seeds that are lost.
#include "store/salvage.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <map>

#include "base/crc32c.h"
#include "index/node_pool.h"
#include "region/create.h"
#include "store/salvage_source.h"
#include "support/recovery_twin.h"
#include "support/scratch.h"

namespace sealog::test {
namespace {

constexpr uint32_t kSegments = 64;
constexpr int kKeys = 2000;

using Entries = std::map<std::string, std::string>;

class SalvageTest : public ::testing::Test {
 protected:
  void SetUp() override {
    path_ = Create("store.sealog");
    OpenResult store = OpenStore(path_);
    ASSERT_TRUE(store.failure.ok()) << store.failure.detail;
    for (int i = 0; i < kKeys; ++i) {
      const std::string key = "key" + std::to_string(10000 + i);
      const std::string value = std::to_string(i * 7919) + std::string(i % 100 == 0 ? 9000 : 20, 'v');
      uint64_t version;
      ASSERT_EQ(store.store->Put(kTreeUser, BytesOf(key), BytesOf(value), false, &version), Status::kOk);
      entries_[key] = value;
    }
    ASSERT_EQ(store.store->Close(), Status::kOk);
    store.store.reset();
    bytes_ = ReadFile(path_);
    const MetaPlan meta = MetaTwin(bytes_.data(), bytes_.size(), bytes_.size()).Plan(true, 1 << 20);
    ASSERT_EQ(meta.status, Status::kOk);
    Plan plan;
    ASSERT_TRUE(ParsePlan(meta.bytes.data(), meta.bytes.size(), bytes_.size(), &plan).ok());
    const PlanHeader& h = plan.header;
    plan_.header = {kSalvagePlanVersion,
                    StoreSeed(h.uuid),
                    h.segment_bytes_log2,
                    h.segment_count,
                    h.meta_segments,
                    1,
                    h.epoch,
                    h.lsn,
                    h.hot,
                    h.cold,
                    {}};
    memcpy(plan_.header.roots, h.roots, sizeof h.roots);
    for (const PlanSegment& s : plan.segments) {
      plan_.halves.push_back({1, s.type, 1, s.live, s.check, 0, s.sequence});
      plan_.halves.push_back({});
    }
  }

  std::string Create(const std::string& name) {
    CreateOptions options;
    options.segment_bytes = kSegmentBytesMin;
    options.capacity_bytes = kSegments * kSegmentBytesMin;
    EXPECT_TRUE(CreateStore(scratch_.File(name), options).ok());
    return scratch_.File(name);
  }
  void Write() {
    const int file = open(path_.c_str(), O_RDWR);
    ASSERT_EQ(pwrite(file, bytes_.data(), bytes_.size(), 0), static_cast<ssize_t>(bytes_.size()));
    close(file);
  }
  std::unique_ptr<Region> Damaged() {
    RegionOptions options;
    options.read_only = options.any_content = true;
    std::unique_ptr<Region> region;
    EXPECT_TRUE(Region::Open(path_, options, &region).ok());
    return region;
  }
  void Salvage(const Region& region) {
    const std::string out = Create("out.sealog");
    OpenResult store = OpenStore(out);
    ASSERT_TRUE(store.failure.ok());
    const Failure failure = SalvageStore(region, plan_, store.store.get(), nullptr, &report_);
    ASSERT_TRUE(failure.ok()) << failure.detail;
    std::vector<uint8_t> value(20000);
    for (const auto& [key, expected] : entries_) {
      const GetResult got = store.store->Get(kTreeUser, BytesOf(key), value.data(), value.size());
      if (got.status == Status::kNotFound) continue;
      ASSERT_EQ(got.status, Status::kOk);
      ASSERT_EQ(std::string(reinterpret_cast<char*>(value.data()), got.bytes), expected);
      ++out_;
    }
  }
  template <class T>
  T* At(uint64_t offset) {
    return reinterpret_cast<T*>(&bytes_[offset]);
  }
  InnerNode* Root() { return At<InnerNode>(NodeRefIndex(plan_.header.roots[kTreeUser].ref) * kLeafBytes); }
  void Seal(InnerNode* node) {
    SealNode(&node->header, static_cast<uint64_t>(reinterpret_cast<uint8_t*>(node) - bytes_.data()) / kLeafBytes,
             plan_.header.store_seed);
  }
  size_t Listed(const char* what) const {
    size_t count = 0;
    for (const SalvageLoss& loss : report_.listed) count += strcmp(loss.what, what) == 0;
    return count;
  }

  Scratch scratch_;
  std::string path_;
  std::vector<uint8_t> bytes_;
  SalvagePlan plan_;
  Entries entries_;
  SalvageReport report_;
  size_t out_ = 0;
};

TEST_F(SalvageTest, OfAWholeStoreIsAllOfIt) {
  Salvage(*Damaged());
  EXPECT_EQ(out_, entries_.size());
  EXPECT_EQ(report_.by_index, entries_.size());
  EXPECT_EQ(report_.losses, 0u);
  EXPECT_FALSE(report_.unknown);
}

// The file is cut off under the mapping: every page behind that is SIGBUS.
TEST_F(SalvageTest, PagesThatAreRefusedAreNotedAndPassedOver) {
  std::unique_ptr<Region> region = Damaged();
  const uint64_t there = 12 * kSegmentBytesMin;
  ASSERT_EQ(truncate(path_.c_str(), static_cast<off_t>(there)), 0);
  Salvage(*region);
  EXPECT_GT(Listed("page"), 0u);
  EXPECT_GT(out_, 0u);
  EXPECT_LT(out_, entries_.size());
  EXPECT_TRUE(report_.lost_entries != 0 || report_.unknown);
  for (const SalvageLoss& loss : report_.listed) {
    if (strcmp(loss.what, "page") == 0) {
      EXPECT_GE(loss.where, there);
    }
  }
}

// A whole node that leads back to itself, or to a node of another place.
TEST_F(SalvageTest, NodesThatAreMetTwiceAreDamage) {
  ASSERT_GT(Root()->header.level, 0);
  ASSERT_GT(Root()->header.count, 3);
  Root()->entries[1].child = Root()->entries[0].child;
  Root()->entries[2].child = plan_.header.roots[kTreeUser].ref;
  Seal(Root());
  Write();
  Salvage(*Damaged());
  EXPECT_EQ(Listed("node"), 2u);
  EXPECT_EQ(out_, entries_.size());  // the log has them
  EXPECT_GT(report_.from_scan, 0u);
  EXPECT_TRUE(report_.unknown);
}

TEST_F(SalvageTest, SeedsComeFromTheRecordsWhereNothingElseHasThem) {
  for (size_t i = plan_.header.meta_segments; i < kSegments; ++i) {
    plan_.halves[i * 2] = {};
    memset(&bytes_[i * kSegmentBytesMin], 0, kLogFirstFrame);
  }
  Write();
  Salvage(*Damaged());
  EXPECT_EQ(out_, entries_.size());
}

TEST_F(SalvageTest, WithoutARootEverythingIsInTheLog) {
  memset(Root(), 0, sizeof(NodeHeader));
  Write();
  Salvage(*Damaged());
  EXPECT_EQ(out_, entries_.size());
  EXPECT_EQ(report_.by_index, 0u);
  EXPECT_EQ(report_.from_scan, entries_.size());
}

TEST_F(SalvageTest, IsAborted) {
  const std::string out = Create("out.sealog");
  OpenResult store = OpenStore(out);
  int64_t progress[3] = {0, 0, 1};
  const std::unique_ptr<Region> region = Damaged();
  EXPECT_EQ(SalvageStore(*region, plan_, store.store.get(), progress, &report_).status, Status::kAborted);
}

TEST_F(SalvageTest, GuessesWhatTheStoreWas) {
  memset(bytes_.data(), 0, kSegmentTableOffset);
  Write();
  SalvageGuess guess;
  ASSERT_TRUE(GuessStore(*Damaged(), &guess));
  EXPECT_EQ(guess.segment_bytes, kSegmentBytesMin);
  EXPECT_EQ(guess.store_seed, plan_.header.store_seed);
}

TEST_F(SalvageTest, PlanOfOtherNumbersIsRefused) {
  std::vector<uint8_t> buffer(sizeof(SalvagePlanHeader) + plan_.halves.size() * sizeof(SalvageHalf));
  const auto parse = [&](const SalvagePlanHeader& header, size_t bytes) {
    memcpy(buffer.data(), &header, sizeof header);
    SalvagePlan parsed;
    return ParseSalvagePlan(buffer.data(), bytes, &parsed).ok();
  };
  EXPECT_TRUE(parse(plan_.header, buffer.size()));
  EXPECT_FALSE(parse(plan_.header, buffer.size() - 1));
  EXPECT_FALSE(parse(plan_.header, 10));
  SalvagePlanHeader h = plan_.header;
  h.segment_bytes_log2 = 40;
  EXPECT_FALSE(parse(h, buffer.size()));
  h = plan_.header;
  h.segment_count = 0xffffffff;
  EXPECT_FALSE(parse(h, buffer.size()));
  h = plan_.header;
  h.hot.segment = kSegments;
  EXPECT_FALSE(parse(h, buffer.size()));
}

TEST(Crc32cStart, IsWhatTheChecksumStartedWith) {
  const uint8_t bytes[] = {1, 200, 3, 0, 255, 17, 9};
  for (uint32_t seed : {0u, 1u, 0xffffffffu, 0x12345678u}) {
    EXPECT_EQ(Crc32cStart(Crc32c(seed, bytes, sizeof bytes), bytes, sizeof bytes), seed);
  }
}

}  // namespace
}  // namespace sealog::test
