// Seals on real file systems: holes, unwritten and shared blocks are seen and repaired, and overwriting moves nothing.
#include "region/seal.h"

#include <linux/falloc.h>
#include <linux/fs.h>
#include <sys/ioctl.h>

#include <cstring>
#include <vector>

#include "base/crc32c.h"
#include "region/store_file.h"

namespace sealog::test {
namespace {

constexpr uint64_t kBytes = 4 << 20;
const uint8_t kUuid[16] = {1, 2, 3};

SealProbe Probe(const File& file) {
  SealProbe probe;
  EXPECT_TRUE(ProbeSeal(file, &probe).ok());
  return probe;
}

SealProbe Repair(const File& file) {
  SealProbe probe;
  Failure failure = RepairSeal(file, &probe);
  EXPECT_TRUE(failure.ok()) << failure.syscall << " errno " << failure.error_number;
  return probe;
}

// On each of the file systems that can be sealed.
class SealTest : public testing::TestWithParam<std::pair<const char*, int>> {
 protected:
  SealTest() : mounted_(GetParam().first, GetParam().second) {}
  void SetUp() override { SKIP_UNLESS_MOUNTED(mounted_); }
  Mounted mounted_;
};

TEST_P(SealTest, FallocateIsNotEnoughAndRepairSealsWithoutLosingContent) {
  File file = MakeFile(mounted_ / "f");
  ASSERT_TRUE(file.Fallocate(0, 0, kBytes).ok());
  const char content[] = "written already";
  ASSERT_TRUE(file.Pwrite(content, sizeof content, 1234567).ok());
  SealProbe probe = Probe(file);
  EXPECT_STREQ(probe.method, "fiemap");
  EXPECT_EQ(probe.level, SealLevel::kAllocated);
  EXPECT_GT(probe.unwritten_bytes, kBytes / 2);
  probe = Repair(file);
  EXPECT_EQ(probe.level, SealLevel::kSealed);
  EXPECT_EQ(probe.unwritten_bytes, 0u);
  char read[sizeof content];
  ASSERT_TRUE(file.Pread(read, sizeof read, 1234567).ok());
  EXPECT_STREQ(read, content);
}

TEST_P(SealTest, ACreatedStoreIsSealedAndStaysSoUnderStoresAndReopening) {
  const std::string path = MakeStore(mounted_ / "a");
  auto record = ReadAt<SealRecord>(OpenFile(path), kSealRecordOffset[1]);
  EXPECT_EQ(record.level, static_cast<uint32_t>(SealLevel::kSealed));
  EXPECT_STREQ(record.fs_name, GetParam().first);
  for (int round = 0; round < 3; ++round) {
    std::unique_ptr<Region> region;
    RegionOptions options;
    options.durability = Durability::kRelaxed;
    ASSERT_TRUE(Region::Open(path, options, &region).ok());
    SealProbe probe = Probe(region->file());
    EXPECT_EQ(probe.level, SealLevel::kSealed);
    EXPECT_EQ(probe.digest, record.extent_digest);
    EXPECT_EQ(probe.extents, record.extent_count);
    EXPECT_EQ(probe.generation, record.generation);
    EXPECT_EQ(probe.inode, record.inode);
    for (uint64_t at = 1 << 20; at < region->bytes(); at += 3 * 4096) region->base()[at] += 1;
    ASSERT_TRUE(region->file().PwriteDsync("x", 1, 2 << 20).ok());
    ASSERT_TRUE(region->file().Fsync().ok());
  }
  ASSERT_TRUE(mounted_.Remount());
  EXPECT_EQ(Probe(OpenFile(path)).digest, record.extent_digest);
}

TEST_P(SealTest, APunchedHoleIsSeenAndRefilled) {
  const std::string path = MakeStore(mounted_ / "a");
  File file = OpenFile(path);
  const uint64_t digest = Probe(file).digest;
  ASSERT_TRUE(file.Fallocate(FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 1 << 20, 128 << 10).ok());
  SealProbe probe = Probe(file);
  EXPECT_EQ(probe.level, SealLevel::kSparse);
  EXPECT_EQ(probe.hole_bytes, 128u << 10);
  EXPECT_NE(probe.digest, digest);
  probe = Repair(file);
  EXPECT_EQ(probe.level, SealLevel::kSealed);
  EXPECT_EQ(probe.hole_bytes, 0u);
}

TEST_P(SealTest, AFileCutAndExtendedAgainIsSparse) {
  File file = OpenFile(MakeStore(mounted_ / "a"));
  const uint64_t bytes = Probe(file).region_bytes;
  ASSERT_TRUE(file.Truncate(bytes / 2).ok());
  ASSERT_TRUE(file.Truncate(bytes).ok());
  EXPECT_EQ(Probe(file).level, SealLevel::kSparse);
  EXPECT_EQ(Repair(file).level, SealLevel::kSealed);
}

TEST_P(SealTest, ZeroRangeUnseals) {
  File file = OpenFile(MakeStore(mounted_ / "a"));
  ASSERT_TRUE(file.Fallocate(FALLOC_FL_ZERO_RANGE, 1 << 20, 1 << 20).ok());
  EXPECT_EQ(Probe(file).level, SealLevel::kAllocated);
  EXPECT_EQ(Repair(file).level, SealLevel::kSealed);
}

INSTANTIATE_TEST_SUITE_P(FileSystems, SealTest, testing::Values(std::pair("ext4", 64), std::pair("xfs", 320)),
                         [](const auto& parameter) { return std::string(parameter.param.first); });

// From 512 MB on mkfs makes blocks of 4 KiB.
TEST(Seal, ALargeStoreOnExt4IsInWholeHugePages) {
  Mounted ext4("ext4", 600);
  SKIP_UNLESS_MOUNTED(ext4);
  CreateOptions options;
  options.capacity_bytes = 70 << 20;
  EXPECT_EQ(Probe(OpenFile(MakeStore(ext4 / "a", options))).aligned_bytes, 70u << 20);
}

TEST(Seal, ACloneIsSeenAndUnshared) {
  Mounted xfs("xfs", 320);
  SKIP_UNLESS_MOUNTED(xfs);
  const std::string path = MakeStore(xfs / "a");
  File file = OpenFile(path), reader = OpenFile(path, OpenMode::kReadOnly), clone = MakeFile(xfs / "clone");
  ASSERT_EQ(ioctl(clone.descriptor(), FICLONE, reader.descriptor()), 0);  // whoever can read it can do this
  SealProbe probe = Probe(file);
  EXPECT_EQ(probe.level, SealLevel::kAllocated);
  EXPECT_GT(probe.shared_bytes, 0u);
  const auto superblock = ReadAt<Superblock>(file, 0);
  probe = Repair(file);
  EXPECT_EQ(probe.level, SealLevel::kSealed);
  EXPECT_EQ(probe.shared_bytes, 0u);
  const auto after = ReadAt<Superblock>(file, 0);
  EXPECT_EQ(memcmp(&after, &superblock, sizeof after), 0);
  EXPECT_EQ(ReadAt<uint64_t>(clone, 0), kSuperblockMagic);
}

TEST(Seal, OnBtrfsNothingLasts) {
  Mounted btrfs("btrfs", 128);
  SKIP_UNLESS_MOUNTED(btrfs);
  const std::string path = MakeStore(btrfs / "a");
  File file = OpenFile(path);
  EXPECT_EQ(Probe(file).level, SealLevel::kAllocated);
  EXPECT_EQ(Probe(file).unwritten_bytes, 0u);
  EXPECT_EQ(ReadAt<SealRecord>(file, kSealRecordOffset[1]).level, static_cast<uint32_t>(SealLevel::kAllocated));
}

TEST(Seal, OnTmpfsBlocksAreCounted) {
  TempDirectory dir(MemoryDirectory());
  File file = OpenFile(MakeStore(dir / "a"));
  SealProbe probe = Probe(file);
  EXPECT_STREQ(probe.method, "blocks");
  EXPECT_EQ(probe.level, SealLevel::kAllocated);
  ASSERT_TRUE(file.Fallocate(FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 1 << 20, 128 << 10).ok());
  probe = Probe(file);
  EXPECT_EQ(probe.level, SealLevel::kSparse);
  EXPECT_EQ(probe.hole_bytes, 128u << 10);
  EXPECT_EQ(Repair(file).level, SealLevel::kAllocated);
}

TEST(Seal, RecordsAlternateAndCarryTheStoresSeed) {
  TempDirectory dir(MemoryDirectory());
  File file = MakeFile(dir / "f", 1 << 20, 0);
  SealProbe probe = Probe(file);
  ASSERT_TRUE(WriteSealRecord(file, kUuid, 4, probe).ok());
  ASSERT_TRUE(WriteSealRecord(file, kUuid, 5, probe).ok());
  for (uint64_t sequence : {4, 5}) {
    auto record = ReadAt<SealRecord>(file, kSealRecordOffset[sequence & 1]);
    EXPECT_EQ(record.sequence, sequence);
    SealRecord again = record;
    Complete(&again, StoreSeed(kUuid));
    EXPECT_EQ(again.crc, record.crc);
    const uint8_t other[16] = {9};
    Complete(&again, StoreSeed(other));
    EXPECT_NE(again.crc, record.crc);
  }
}

}  // namespace
}  // namespace sealog::test
