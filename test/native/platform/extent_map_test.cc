// Extent maps: impossible ones, a digest that depends on where blocks are and on nothing else, and what real file
// systems say.
#include "platform/extent_map.h"

#include <linux/falloc.h>
#include <linux/fs.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

#include "platform/file_system.h"
#include "platform/guard.h"
#include "platform/mapping.h"
#include "platform/scratch.h"

namespace sealog::test {
namespace {

constexpr uint64_t kMiB = 1 << 20;

// What `extents`, told by a kernel, add up to for a file of `bytes`. False if they are impossible.
bool Sum(uint64_t bytes, const std::vector<Extent>& extents, ExtentSummary* out) {
  ExtentAccumulator accumulator(bytes);
  const std::function<void(const Extent&)> visit = [&](const Extent& e) { accumulator.Add(e); };
  ExtentMerger merger(bytes, visit);
  for (const Extent& extent : extents) {
    if (!merger.Add(extent)) return false;
  }
  merger.Finish();
  *out = accumulator.Finish();
  return true;
}

ExtentSummary Sum(uint64_t bytes, const std::vector<Extent>& extents) {
  ExtentSummary summary;
  EXPECT_TRUE(Sum(bytes, extents, &summary));
  return summary;
}

TEST(ExtentDigest, DoesNotDependOnHowTheKernelSplits) {
  ExtentSummary whole = Sum(4 * kMiB, {{0, 8 * kMiB, 4 * kMiB, 0}});
  ExtentSummary split = Sum(4 * kMiB, {{0, 8 * kMiB, kMiB, 0}, {kMiB, 9 * kMiB, 3 * kMiB, 0}});
  ExtentSummary longer = Sum(4 * kMiB, {{0, 8 * kMiB, 100 * kMiB, 0}});  // preallocated beyond the end
  EXPECT_EQ(whole.digest, split.digest);
  EXPECT_EQ(whole.digest, longer.digest);
  EXPECT_EQ(split.extents, 1u);
  EXPECT_EQ(whole.digest, 0xeeaae4a625aa04c5ull);  // format: another implementation must agree
}

TEST(ExtentDigest, DependsOnEveryPlace) {
  const uint64_t digest = Sum(2 * kMiB, {{0, 8 * kMiB, kMiB, 0}, {kMiB, 32 * kMiB, kMiB, 0}}).digest;
  EXPECT_NE(digest, Sum(2 * kMiB, {{0, 8 * kMiB, kMiB, 0}, {kMiB, 33 * kMiB, kMiB, 0}}).digest);
  EXPECT_NE(digest, Sum(2 * kMiB, {{0, 9 * kMiB, kMiB, 0}, {kMiB, 32 * kMiB, kMiB, 0}}).digest);
  EXPECT_NE(digest, Sum(2 * kMiB, {{0, 8 * kMiB, 2 * kMiB, 0}}).digest);
  EXPECT_NE(digest, Sum(2 * kMiB, {{0, 8 * kMiB, kMiB, 0}}).digest);
}

TEST(ExtentSummary, CountsWhatAStoreWouldTripOver) {
  ExtentSummary s = Sum(10 * kMiB, {{0, 2 * kMiB, 4 * kMiB, 0},
                                    {4 * kMiB, 6 * kMiB, kMiB, kExtentUnwritten},
                                    {5 * kMiB, 20 * kMiB, kMiB, kExtentShared},
                                    {7 * kMiB, 30 * kMiB, 2 * kMiB, kExtentOther | kExtentShared}});
  EXPECT_EQ(s.extents, 4u);
  EXPECT_EQ(s.unwritten_bytes, kMiB);
  EXPECT_EQ(s.shared_bytes, 3 * kMiB);
  EXPECT_EQ(s.other_bytes, 2 * kMiB);
  EXPECT_EQ(s.hole_bytes, 2 * kMiB);
  EXPECT_FALSE(s.covers);
  EXPECT_TRUE(Sum(kMiB, {{0, 5, kMiB, 0}}).covers);
  EXPECT_EQ(Sum(kMiB, {}).hole_bytes, kMiB);
}

TEST(ExtentSummary, CountsAlignedPieces) {
  EXPECT_EQ(Sum(8 * kMiB, {{0, 4 * kMiB, 8 * kMiB, 0}}).aligned_bytes, 8 * kMiB);
  EXPECT_EQ(Sum(8 * kMiB, {{0, 5 * kMiB, 8 * kMiB, 0}}).aligned_bytes, 0u);
  EXPECT_EQ(Sum(8 * kMiB, {{0, 4 * kMiB, kMiB, 0}, {kMiB, 33 * kMiB, 7 * kMiB, 0}}).aligned_bytes, 6 * kMiB);
}

TEST(ExtentMap, ImpossibleOnesAreRefused) {
  ExtentSummary s;
  EXPECT_FALSE(Sum(kMiB, {{0, 0, 0, 0}}, &s));                                 // no progress
  EXPECT_FALSE(Sum(kMiB, {{0, 0, 8192, 0}, {4096, 0, 8192, 0}}, &s));          // overlap
  EXPECT_FALSE(Sum(kMiB, {{8192, 0, 4096, 0}, {0, 0, 4096, 0}}, &s));          // backwards
  EXPECT_FALSE(Sum(kMiB, {{4096, 0, UINT64_MAX, 0}}, &s));                     // wraps
  EXPECT_TRUE(Sum(kMiB, {{0, UINT64_MAX, kMiB, 0}, {kMiB, 0, kMiB, 0}}, &s));  // a wild address is only an address
}

TEST(ExtentMap, TmpfsHasNone) {
  TempDirectory dir(MemoryDirectory());
  File file = MakeFile(dir / "f", kMiB, 1);
  ExtentSummary s;
  EXPECT_EQ(SummarizeExtents(file, kMiB, &s).status, Status::kUnsupported);
}

TEST(ExtentMap, ManyBatchesAddUp) {
  Mounted ext4("ext4", 64);
  SKIP_UNLESS_MOUNTED(ext4);
  File file = MakeFile(ext4 / "f", 8 * kMiB, 1);
  ASSERT_TRUE(file.Fsync().ok());
  for (uint64_t at = 0; at < 8 * kMiB; at += 16384) {
    ASSERT_TRUE(file.Fallocate(FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, at, 4096).ok());
  }
  ExtentSummary s;
  ASSERT_TRUE(SummarizeExtents(file, 8 * kMiB, &s).ok());
  EXPECT_EQ(s.extents, 512u);
  EXPECT_EQ(s.hole_bytes, 2 * kMiB);
  EXPECT_FALSE(s.covers);
}

TEST(FileSystem, IsNamedByItsMagic) {
  TempDirectory memory(MemoryDirectory());
  File file = MakeFile(memory / "f");
  FileSystem fs;
  ASSERT_TRUE(ReadFileSystem(file, &fs).ok());
  EXPECT_STREQ(fs.name, "tmpfs");
  EXPECT_TRUE(fs.memory && fs.local && !fs.overwrites_in_place);
  for (auto [kind, megabytes] : {std::pair("ext4", 32), std::pair("xfs", 320), std::pair("btrfs", 128)}) {
    Mounted mounted(kind, megabytes);
    if (!mounted.ok()) {
      printf("left out %s: %s\n", kind, mounted.reason().c_str());
      continue;
    }
    File there = MakeFile(mounted / "f");
    ASSERT_TRUE(ReadFileSystem(there, &fs).ok());
    EXPECT_STREQ(fs.name, kind);
    EXPECT_TRUE(fs.local && !fs.memory);
    EXPECT_EQ(fs.overwrites_in_place, strcmp(kind, "btrfs") != 0);
    EXPECT_GT(fs.free_bytes, 1u << 20);
    FileStat stat;
    ASSERT_TRUE(there.Stat(&stat).ok());
    if (strcmp(kind, "btrfs") != 0) {  // whose device numbers are made up
      EXPECT_NE(ReadMountOptions(stat.device).find("rw"), std::string::npos);
    }
  }
}

TEST(FileSystem, PreparationOnXfsIsStored) {
  Mounted xfs("xfs", 320);
  SKIP_UNLESS_MOUNTED(xfs);
  File file = MakeFile(xfs / "f");
  FileSystem fs;
  ASSERT_TRUE(ReadFileSystem(file, &fs).ok());
  PrepareForAllocation(file, fs);
  ASSERT_TRUE(file.Fallocate(0, 0, 16 * kMiB).ok());
  fsxattr attributes = {};
  ASSERT_EQ(ioctl(file.descriptor(), FS_IOC_FSGETXATTR, &attributes), 0);
  EXPECT_EQ(attributes.fsx_extsize, 2 * kMiB);
  EXPECT_NE(attributes.fsx_xflags & FS_XFLAG_NODEFRAG, 0u);
  ExtentSummary s;
  ASSERT_TRUE(SummarizeExtents(file, 16 * kMiB, &s).ok());
  EXPECT_EQ(s.extents, 1u);
}

// Why CreateStore writes no zeros on tmpfs.
TEST(FileSystem, TmpfsFallocateReallyTakesThePages) {
  Mounted tmpfs("tmpfs", 12);
  SKIP_UNLESS_MOUNTED(tmpfs);
  File file = MakeFile(tmpfs / "f"), sparse = MakeFile(tmpfs / "sparse"), rest = MakeFile(tmpfs / "rest");
  ASSERT_TRUE(file.Fallocate(0, 0, 8 * kMiB).ok());
  ASSERT_TRUE(sparse.Truncate(kMiB).ok());
  FileStat stat;
  ASSERT_TRUE(file.Stat(&stat).ok());
  EXPECT_GE(stat.allocated_bytes, 8 * kMiB);
  std::string block(4096, 'x');
  uint64_t filled = 0;
  while (rest.Pwrite(block.data(), block.size(), filled).ok()) filled += block.size();
  EXPECT_GE(filled, 3 * kMiB);
  ASSERT_TRUE(EnsureGuardHandler().ok());
  Mapping mapping, hole;
  ASSERT_TRUE(Mapping::Reserve(8 * kMiB, &mapping).ok());
  ASSERT_TRUE(mapping.Map(file, 0, 8 * kMiB, MapMode::kShared).ok());
  EXPECT_TRUE(std::all_of(mapping.base(), mapping.base() + kMiB, [](uint8_t b) { return b == 0; }));
  EXPECT_TRUE(Guarded({mapping.base(), 8 * kMiB}, [&] {
    for (size_t i = 0; i < 8 * kMiB; i += 4096) const_cast<volatile uint8_t*>(mapping.base())[i] = 1;
  }));
  ASSERT_TRUE(Mapping::Reserve(kMiB, &hole).ok());
  ASSERT_TRUE(hole.Map(sparse, 0, kMiB, MapMode::kShared).ok());
  EXPECT_FALSE(Guarded({hole.base(), kMiB}, [&] { const_cast<volatile uint8_t*>(hole.base())[0] = 1; }));
}

}  // namespace
}  // namespace sealog::test
