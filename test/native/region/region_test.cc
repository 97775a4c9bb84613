// Regions: files that are not ours to open, two openers, files that lose their end.
#include "region/region.h"

#include <sys/stat.h>
#include <sys/wait.h>

#include <cerrno>
#include <cstring>
#include <vector>

#include "platform/file_system.h"
#include "region/store_file.h"

namespace sealog::test {
namespace {

Failure OpenRegion(const std::string& path, std::unique_ptr<Region>* out, bool read_only = false) {
  RegionOptions options;
  options.read_only = read_only;
  return Region::Open(path, options, out);
}

Status StatusOfOpening(const std::string& path, bool read_only = false) {
  std::unique_ptr<Region> region;
  Failure failure = OpenRegion(path, &region, read_only);
  EXPECT_EQ(region == nullptr, !failure.ok());
  return failure.status;
}

TEST(Region, RefusesWhatIsNotAStoreFile) {
  TempDirectory dir(MemoryDirectory());
  const std::string store = MakeStore(dir / "store");
  MakeFile(dir / "empty");
  MakeFile(dir / "other", 1 << 20, 'x');
  ASSERT_EQ(symlink("store", (dir / "link").c_str()), 0);
  ASSERT_EQ(mkfifo((dir / "fifo").c_str(), 0600), 0);
  for (bool read_only : {false, true}) {
    EXPECT_EQ(StatusOfOpening(dir / "none", read_only), Status::kAbsent);
    EXPECT_EQ(StatusOfOpening(dir / "empty", read_only), Status::kNotAStore);
    EXPECT_EQ(StatusOfOpening(dir / "other", read_only), Status::kNotAStore);
    EXPECT_EQ(StatusOfOpening(dir / "link", read_only), Status::kNotRegular);
    EXPECT_EQ(StatusOfOpening(dir / "fifo", read_only), Status::kNotRegular);
    EXPECT_EQ(StatusOfOpening(dir.path(), read_only), Status::kNotRegular);
    EXPECT_EQ(StatusOfOpening("/dev/null", read_only), Status::kNotRegular);
    EXPECT_EQ(StatusOfOpening(store, read_only), Status::kOk);
  }
  ASSERT_EQ(link(store.c_str(), (dir / "second-name").c_str()), 0);
  EXPECT_EQ(StatusOfOpening(store), Status::kLinked);
}

TEST(Region, TellsATruncatedStoreFromSomethingElse) {
  TempDirectory dir(MemoryDirectory());
  const std::string path = MakeStore(dir / "store");
  ASSERT_EQ(truncate(path.c_str(), (1 << 20) + 1), 0);
  EXPECT_EQ(StatusOfOpening(path), Status::kTruncated);
  ASSERT_EQ(truncate(path.c_str(), 48 << 10), 0);
  EXPECT_EQ(StatusOfOpening(path), Status::kTruncated);
  ASSERT_EQ(truncate(path.c_str(), 7), 0);
  EXPECT_EQ(StatusOfOpening(path), Status::kNotAStore);
}

TEST(Region, OneSuperblockOfTwoIsEnough) {
  TempDirectory dir(MemoryDirectory());
  const std::string path = MakeStore(dir / "store");
  File file = OpenFile(path);
  auto superblock = ReadAt<Superblock>(file, 0);
  const Superblock zero = {};
  ASSERT_TRUE(file.Pwrite(&superblock, sizeof superblock, kSuperblockOffset[1]).ok());
  ASSERT_TRUE(file.Pwrite(&zero, sizeof zero, 0).ok());
  EXPECT_EQ(StatusOfOpening(path), Status::kOk);
  ASSERT_TRUE(file.Pwrite(&zero, sizeof zero, kSuperblockOffset[1]).ok());
  EXPECT_EQ(StatusOfOpening(path), Status::kNotAStore);
}

TEST(Region, ASecondOpenerIsLockedOut) {
  TempDirectory dir(MemoryDirectory());
  const std::string path = MakeStore(dir / "store");
  std::unique_ptr<Region> writer, other, third;
  ASSERT_TRUE(OpenRegion(path, &writer).ok());
  EXPECT_EQ(StatusOfOpening(path), Status::kLocked);  // in the same process
  EXPECT_EQ(StatusOfOpening(path, true), Status::kLocked);
  fflush(nullptr);
  pid_t child = fork();
  if (child == 0) _exit(StatusOfOpening(path) == Status::kLocked ? 0 : 1);
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  writer.reset();
  ASSERT_TRUE(OpenRegion(path, &other, true).ok());
  ASSERT_TRUE(OpenRegion(path, &third, true).ok());  // readers share
  // A writer does not wait, and is told that trying again is worth it.
  EXPECT_EQ(StatusOfOpening(path), Status::kBeingRead);
  other.reset();
  EXPECT_EQ(StatusOfOpening(path), Status::kBeingRead);
  third->Unlock();
  EXPECT_EQ(StatusOfOpening(path), Status::kOk);
}

TEST(Region, TheMappingFollowsTheDomain) {
  TempDirectory memory(MemoryDirectory()), disk("/tmp");
  FileSystem disk_system;
  ASSERT_TRUE(ReadFileSystem(MakeFile(disk / "probe"), &disk_system).ok());
  RegionOptions options;
  std::unique_ptr<Region> region;
  ASSERT_TRUE(Region::Open(MakeStore(memory / "a"), options, &region).ok());
  EXPECT_EQ(region->domain(), Domain::kMemory);
  EXPECT_EQ(region->mapping().mode(), MapMode::kShared);
  EXPECT_EQ(region->info().flush, BestFlush(region->info().eadr));
  if (disk_system.memory) GTEST_SKIP() << "/tmp is a tmpfs";
  const std::string path = MakeStore(disk / "a");
  ASSERT_TRUE(Region::Open(path, options, &region).ok());
  if (region->domain() == Domain::kPmem) GTEST_SKIP() << "/tmp is persistent memory";
  EXPECT_EQ(region->domain(), Domain::kDisk);
  EXPECT_EQ(region->mapping().mode(), MapMode::kPrivate);
  EXPECT_EQ(region->info().flush, FlushKind::kNone);
  region->base()[100 << 10] = 77;  // stays here until written through the descriptor
  EXPECT_EQ(ReadAt<uint8_t>(region->file(), 100 << 10), 0);
  region.reset();
  options.durability = Durability::kRelaxed;
  ASSERT_TRUE(Region::Open(path, options, &region).ok());
  EXPECT_EQ(region->domain(), Domain::kOs);
  EXPECT_EQ(region->mapping().mode(), MapMode::kShared);
  region->base()[100 << 10] = 77;
  EXPECT_EQ(ReadAt<uint8_t>(region->file(), 100 << 10), 77);
}

TEST(Region, GivesNoLessThanRequired) {
  TempDirectory dir(MemoryDirectory());
  const std::string path = MakeStore(dir / "a");
  std::unique_ptr<Region> region;
  RegionOptions options;
  for (Domain domain : {Domain::kOs, Domain::kDisk, Domain::kPmem}) {
    options.require_domain = domain;
    EXPECT_EQ(Region::Open(path, options, &region).status, Status::kRequire);
  }
  options.require_domain = Domain::kMemory;
  EXPECT_TRUE(Region::Open(path, options, &region).ok());
}

TEST(Region, TakesTheFlushAskedForOrSaysWhyNot) {
  TempDirectory dir(MemoryDirectory());
  const std::string path = MakeStore(dir / "a");
  RegionOptions options;
  std::unique_ptr<Region> region;
  options.flush = "sometimes";
  EXPECT_EQ(Region::Open(path, options, &region).status, Status::kInvalid);
  for (FlushKind kind :
       {FlushKind::kClwb, FlushKind::kClflushOpt, FlushKind::kClflush, FlushKind::kNonTemporal, FlushKind::kDcCvap}) {
    options.flush = FlushName(kind);
    Failure failure = Region::Open(path, options, &region);
    EXPECT_EQ(failure.status, FlushAvailable(kind) ? Status::kOk : Status::kUnsupported) << options.flush;
    if (failure.ok()) {
      EXPECT_EQ(region->info().flush, kind);
    }
    region.reset();
  }
}

TEST(Region, SaysWhatItIs) {
  TempDirectory dir(MemoryDirectory());
  const std::string path = MakeStore(dir / "a");
  std::unique_ptr<Region> region;
  ASSERT_TRUE(OpenRegion(path, &region, true).ok());
  struct stat st;
  ASSERT_EQ(stat(path.c_str(), &st), 0);
  const RegionInfo& info = region->info();
  EXPECT_EQ(info.path, path);
  EXPECT_EQ(info.file_bytes, static_cast<uint64_t>(st.st_size));
  EXPECT_EQ(info.inode, st.st_ino);
  EXPECT_EQ(info.device, st.st_dev);
  EXPECT_EQ(info.fs_name, "tmpfs");
  EXPECT_TRUE(info.read_only);
  EXPECT_FALSE(info.map_sync);
  EXPECT_GE(region->mapping().reserved_bytes(), Region::kReserveFactor * region->bytes());
  EXPECT_TRUE(region->Contains(region->base()));
  EXPECT_TRUE(region->Contains(region->base() + region->bytes() - 1));
  EXPECT_FALSE(region->Contains(region->base() + region->bytes()));
  EXPECT_FALSE(region->Contains(nullptr));
  EXPECT_TRUE(region->ContainsRange(0, region->bytes()));
  EXPECT_FALSE(region->ContainsRange(1, region->bytes()));
  EXPECT_FALSE(region->ContainsRange(UINT64_MAX, 2));
}

TEST(Region, AReadOnlyOneTakesStoresThatGoNowhere) {
  TempDirectory dir(MemoryDirectory());
  const std::string path = MakeStore(dir / "a");
  std::unique_ptr<Region> region;
  ASSERT_TRUE(OpenRegion(path, &region, true).ok());
  const_cast<volatile uint8_t*>(region->base())[0] = 0;
  EXPECT_EQ(ReadAt<uint64_t>(region->file(), 0), kSuperblockMagic);
}

TEST(Region, ReadsAreClampedAndSurviveTruncation) {
  TempDirectory dir(MemoryDirectory());
  const std::string path = MakeStore(dir / "a");
  std::unique_ptr<Region> region;
  ASSERT_TRUE(OpenRegion(path, &region).ok());
  std::vector<uint8_t> buffer(8192, 1);
  size_t done = 1;
  ASSERT_TRUE(region->Read(0, buffer.data(), 8, &done).ok());
  EXPECT_EQ(done, 8u);
  EXPECT_EQ(memcmp(buffer.data(), &kSuperblockMagic, 8), 0);
  ASSERT_TRUE(region->Read(region->bytes() - 100, buffer.data(), buffer.size(), &done).ok());
  EXPECT_EQ(done, 100u);
  for (uint64_t offset : {region->bytes(), region->bytes() + 1, UINT64_MAX}) {
    ASSERT_TRUE(region->Read(offset, buffer.data(), buffer.size(), &done).ok());
    EXPECT_EQ(done, 0u);
  }
  ASSERT_EQ(truncate(path.c_str(), 64 << 10), 0);
  Failure failure = region->Read(60 << 10, buffer.data(), buffer.size(), &done);
  EXPECT_EQ(failure.status, Status::kMedia);
  EXPECT_EQ(done, 0u);
  ASSERT_TRUE(region->Read(0, buffer.data(), buffer.size(), &done).ok());
}

TEST(Region, AFailedOpenHoldsNothing) {
  TempDirectory dir(MemoryDirectory());
  const std::string path = MakeStore(dir / "a");
  static int calls_left;
  int failed = 0;
  for (int n = 0; n < 200; ++n) {
    calls_left = n;
    {
      HookScope hook([](const char*) { return calls_left-- == 0 ? EIO : 0; });
      std::unique_ptr<Region> region;
      failed += OpenRegion(path, &region).ok() ? 0 : 1;
    }
    EXPECT_EQ(StatusOfOpening(path), Status::kOk) << n;
    if (calls_left >= 0) break;
  }
  EXPECT_GT(failed, 5);
}

}  // namespace
}  // namespace sealog::test
