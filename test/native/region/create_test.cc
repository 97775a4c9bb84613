// Creation: complete or not there at all, whatever fails, and never over a file.
#include "region/create.h"

#include <sys/stat.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <set>

#include "base/crc32c.h"
#include "region/store_file.h"

namespace sealog::test {
namespace {

uint32_t CrcWithout(Superblock superblock) {
  superblock.crc = 0;
  return Crc32c(0, &superblock, sizeof superblock);
}

template <class T>
uint32_t CrcBehind(const T& t, uint32_t seed) {
  return Crc32c(seed, reinterpret_cast<const char*>(&t) + 4, sizeof t - 4);
}

// Everything the format promises about a new store.
void ExpectCompleteStore(const std::string& path) {
  File file = OpenFile(path, OpenMode::kReadOnly);
  auto superblock = ReadAt<Superblock>(file, kSuperblockOffset[0]);
  EXPECT_EQ(superblock.magic, kSuperblockMagic);
  EXPECT_EQ(superblock.format_version, kFormatVersion);
  EXPECT_EQ(superblock.crc, CrcWithout(superblock));
  EXPECT_EQ(superblock.sequence, 1u);
  EXPECT_EQ(superblock.uuid[6] >> 4, 4);
  EXPECT_EQ(superblock.uuid[8] >> 6, 2);
  EXPECT_EQ(superblock.region_bytes, uint64_t{superblock.segment_count} << superblock.segment_bytes_log2);
  EXPECT_EQ(superblock.meta_segments, MetaSegments(1u << superblock.segment_bytes_log2, superblock.table_capacity));
  EXPECT_STREQ(superblock.created_by, "sealog");
  FileStat stat;
  ASSERT_TRUE(file.Stat(&stat).ok());
  EXPECT_EQ(stat.bytes, superblock.region_bytes);
  EXPECT_EQ(stat.links, 1u);
  EXPECT_GE(stat.allocated_bytes, stat.bytes);
  auto other = ReadAt<Superblock>(file, kSuperblockOffset[1]);
  EXPECT_EQ(memcmp(&other, &superblock, sizeof superblock), 0);

  const uint32_t seed = StoreSeed(superblock.uuid);
  auto slot = ReadAt<CheckpointSlot>(file, kCheckpointSlotOffset[1]);
  EXPECT_EQ(slot.crc, CrcBehind(slot, seed));
  EXPECT_EQ(slot.magic, kSlotMagic);
  EXPECT_EQ(slot.sequence, 1u);
  EXPECT_EQ(slot.epoch, 1u);
  EXPECT_EQ(slot.lsn, 0u);
  EXPECT_EQ(slot.hot.segment, kSegmentNone);
  EXPECT_EQ(slot.cold.segment, kSegmentNone);
  EXPECT_EQ(slot.segment_count, superblock.segment_count);
  EXPECT_EQ(slot.next_log_sequence, 1u);
  EXPECT_EQ(slot.flags, kSlotClean);
  EXPECT_EQ(ReadAt<CheckpointSlot>(file, kCheckpointSlotOffset[0]).magic, 0u);

  uint32_t check = 0;
  for (uint32_t i = 0; i < superblock.segment_count; ++i) {
    auto half = ReadAt<SegmentHalf>(file, SegmentHalfOffset(i, 0));
    EXPECT_EQ(half.crc, CrcBehind(half, seed ^ i));
    EXPECT_EQ(half.type, static_cast<uint8_t>(i < superblock.meta_segments ? SegmentType::kMeta : SegmentType::kFree));
    EXPECT_EQ(half.epoch, 1u);
    EXPECT_EQ(ReadAt<SegmentHalf>(file, SegmentHalfOffset(i, 1)).crc, 0u);
    check ^= TableTerm(half.crc);
  }
  EXPECT_EQ(slot.table_check, check);

  auto seal = ReadAt<SealRecord>(file, kSealRecordOffset[1]);
  EXPECT_EQ(seal.crc, CrcBehind(seal, seed));
  EXPECT_EQ(seal.magic, kSealMagic);
  EXPECT_EQ(seal.sequence, 1u);
  EXPECT_EQ(seal.inode, stat.inode);
  EXPECT_EQ(seal.device, stat.device);
  EXPECT_EQ(seal.region_bytes, stat.bytes);
  EXPECT_NE(seal.fs_name[0], 0);
  EXPECT_EQ(ReadAt<SealRecord>(file, kSealRecordOffset[0]).magic, 0u);
}

TEST(Create, MakesACompleteStore) {
  for (const char* parent : {"/tmp", MemoryDirectory()}) {
    TempDirectory dir(parent);
    ExpectCompleteStore(MakeStore(dir / "a.sealog"));
    EXPECT_EQ(dir.entries(), 1u);
    struct stat st;
    ASSERT_EQ(stat((dir / "a.sealog").c_str(), &st), 0);
    EXPECT_EQ(st.st_mode & 07777, 0600u);
  }
}

TEST(Create, EverySegmentSizeAndGeometry) {
  TempDirectory dir(MemoryDirectory());
  for (uint32_t segment = kSegmentBytesMin; segment <= kSegmentBytesMax; segment *= 2) {
    CreateOptions options;
    options.segment_bytes = segment;
    options.capacity_bytes = 40ull * segment + 1;  // rounded up
    const std::string path = MakeStore(dir / std::to_string(segment), options);
    ExpectCompleteStore(path);
    auto superblock = ReadAt<Superblock>(OpenFile(path), 0);
    EXPECT_EQ(superblock.segment_count, 41u);
    EXPECT_GE(superblock.table_capacity, 4 * 41u);
    // META's segments are used up: one entry more would take another.
    EXPECT_EQ(MetaSegments(segment, superblock.table_capacity + 1), superblock.meta_segments + 1);
    unlink(path.c_str());
  }
  CreateOptions options = SmallStore();
  options.table_capacity = 64;
  EXPECT_EQ(ReadAt<Superblock>(OpenFile(MakeStore(dir / "x", options)), 0).table_capacity, 64u);
}

TEST(Create, RefusesNumbersThatDoNotFit) {
  TempDirectory dir(MemoryDirectory());
  auto expect_invalid = [&](auto change) {
    CreateOptions options = SmallStore();
    change(&options);
    EXPECT_EQ(CreateStore(dir / "a", options).status, Status::kInvalid);
    EXPECT_EQ(dir.entries(), 0u);
  };
  expect_invalid([](CreateOptions* o) { o->capacity_bytes = 0; });
  expect_invalid([](CreateOptions* o) { o->capacity_bytes = UINT64_MAX; });
  expect_invalid([](CreateOptions* o) { o->capacity_bytes = kRegionBytesMax + 1; });
  expect_invalid([](CreateOptions* o) { o->capacity_bytes = 8 * o->segment_bytes; });  // META and 7
  expect_invalid([](CreateOptions* o) { o->segment_bytes = 0; });
  expect_invalid([](CreateOptions* o) { o->segment_bytes = 8 << 10; });
  expect_invalid([](CreateOptions* o) { o->segment_bytes = 4 << 20; });
  expect_invalid([](CreateOptions* o) { o->segment_bytes = 65537; });
  expect_invalid([](CreateOptions* o) { o->table_capacity = 63; });
  expect_invalid([](CreateOptions* o) { o->table_capacity = UINT32_MAX; });
  EXPECT_EQ(CreateStore(dir.path() + "/", SmallStore()).status, Status::kInvalid);
  EXPECT_EQ(CreateStore(dir / "none/a", SmallStore()).status, Status::kAbsent);
  CreateOptions least = SmallStore();
  least.capacity_bytes = 9 * least.segment_bytes;
  MakeStore(dir / "least", least);
}

TEST(Create, NeverTouchesWhatIsThere) {
  TempDirectory dir(MemoryDirectory());
  MakeFile(dir / "file", 10, 'x');
  ASSERT_EQ(symlink("nowhere", (dir / "link").c_str()), 0);
  ASSERT_EQ(mkdir((dir / "dir").c_str(), 0700), 0);
  for (const char* name : {"file", "link", "dir"}) {
    EXPECT_EQ(CreateStore(dir / name, SmallStore()).status, Status::kExists) << name;
  }
  EXPECT_EQ(dir.entries(), 3u);
  EXPECT_EQ(ReadAt<char>(OpenFile(dir / "file"), 9), 'x');
}

const TempDirectory* racing_directory;
int SomebodyElseWasFaster(const char* name) {
  if (strcmp(name, "renameat2") == 0) MakeFile(*racing_directory / "a", 3, 'y');
  return 0;
}

TEST(Create, LosesARaceForTheName) {
  TempDirectory dir(MemoryDirectory());
  racing_directory = &dir;
  HookScope hook(SomebodyElseWasFaster);
  EXPECT_EQ(CreateStore(dir / "a", SmallStore()).status, Status::kExists);
  EXPECT_EQ(dir.entries(), 1u);
  EXPECT_EQ(ReadAt<char>(OpenFile(dir / "a"), 2), 'y');
}

TEST(Create, LeftoversOfACrashAreHarmless) {
  TempDirectory dir(MemoryDirectory());
  MakeFile(dir / ".a.sealog-creating-0123456789abcdef", 4096, 1);
  ExpectCompleteStore(MakeStore(dir / "a"));
  std::string long_name(255, 'n');
  ExpectCompleteStore(MakeStore(dir / long_name));
}

TEST(Create, AbortsInTheMiddleAndLeavesNothing) {
  for (const char* parent : {"/tmp", MemoryDirectory()}) {
    TempDirectory dir(parent);
    CreateOptions options;
    options.capacity_bytes = 64 << 20;
    alignas(8) int64_t progress[3] = {0, 0, 1};
    options.progress = progress;
    EXPECT_EQ(CreateStore(dir / "a", options).status, Status::kAborted);
    EXPECT_EQ(dir.entries(), 0u);
    EXPECT_EQ(progress[1], 64 << 20);
    progress[2] = 0;
    MakeStore(dir / "a", options);
    EXPECT_EQ(progress[0], 64 << 20);
  }
}

int writes_seen;
int CountWrites(const char* name) {
  if (strncmp(name, "pwrite", 6) == 0) ++writes_seen;
  return 0;
}

TEST(Create, TellsARequirementItCannotMeetBeforeWriting) {
  TempDirectory dir("/tmp");
  CreateOptions options = SmallStore();
  options.require_domain = Domain::kPmem;
  HookScope hook(CountWrites);
  writes_seen = 0;
  EXPECT_EQ(CreateStore(dir / "a", options).status, Status::kRequire);
  EXPECT_EQ(writes_seen, 0);
  EXPECT_EQ(dir.entries(), 0u);
  options.require_domain = Domain::kDisk;
  options.durability = Durability::kRelaxed;
  EXPECT_EQ(CreateStore(dir / "a", options).status, Status::kRequire);
}

TEST(Create, AFullFileSystemIsToldAndLeavesNothing) {
  for (auto [kind, megabytes] : {std::pair("tmpfs", 8), std::pair("ext4", 32)}) {
    Mounted mounted(kind, megabytes);
    SKIP_UNLESS_MOUNTED(mounted);
    const size_t before = ListDirectory(mounted.path(), 100).size();
    CreateOptions options;
    options.capacity_bytes = 64 << 20;
    EXPECT_EQ(CreateStore(mounted / "a", options).status, Status::kNoSpace) << kind;
    EXPECT_EQ(ListDirectory(mounted.path(), 100).size(), before);
  }
}

// Fault campaign: the n-th system call fails, for every n. Either there is a complete store or there is nothing.
std::atomic<int> calls_left;
const char* failed_call;
int FailTheNth(const char* name) {
  if (calls_left.fetch_sub(1) != 0) return 0;
  failed_call = name;
  return EIO;
}

// What only describes, improves or looks ahead. Anything else that fails must fail the creation.
bool MayBeIgnored(const std::string& call) {
  static const std::set<std::string> calls = {
      "fstatat",         "mmap",           "munmap",           "close",
      "uname",           "statx",          "ioctl GETVERSION", "ioctl GETFSUUID",
      "ioctl GETFLAGS",  "ioctl SETFLAGS", "fstatfs",          "ioctl FSGETXATTR",
      "ioctl FSSETXATTR"};
  return calls.count(call) != 0;
}

TEST(Create, AnySystemCallMayFail) {
  for (const char* parent : {"/tmp", MemoryDirectory()}) {
    int failed = 0, n = 0;
    for (bool more = true; more && n < 1000; ++n) {
      TempDirectory dir(parent);
      calls_left = n;
      Failure failure;
      {
        HookScope hook(FailTheNth);
        failure = CreateStore(dir / "a", SmallStore());
      }
      more = calls_left < 0;
      if (failure.ok()) {
        EXPECT_TRUE(!more || MayBeIgnored(failed_call)) << failed_call;
        ExpectCompleteStore(dir / "a");
        EXPECT_EQ(dir.entries(), 1u) << "call " << n;
      } else {
        ++failed;
        EXPECT_EQ(dir.entries(), 0u) << "call " << n;
      }
    }
    printf("%s: %d faults injected, %d of them failed the creation\n", parent, n - 1, failed);
    EXPECT_GT(failed, 10);
    EXPECT_LT(n, 1000);
  }
}

// A slot of which only some lines arrived must not keep a right checksum, though its sums follow from one another.
TEST(CheckpointSlot, SumsDoNotCancelOut) {
  for (uint32_t live = 100; live < 400000; live = live * 3 + 17) {
    SegmentHalf before{}, after{};
    before.live = 96;
    after.live = live;
    before.epoch = after.epoch = 7;
    Complete(&before, 1234, 5);
    Complete(&after, 1234, 5);
    auto torn = [&](auto term) {
      CheckpointSlot slot{};
      slot.live_bytes = after.live;
      slot.table_check = term(after.crc);
      const uint32_t whole = Crc32c(1, &slot, sizeof slot);
      slot.live_bytes = before.live;
      slot.table_check = term(before.crc);
      return Crc32c(1, &slot, sizeof slot) == whole;
    };
    EXPECT_TRUE(torn([](uint32_t crc) { return crc; })) << "the weakness that TableTerm is there for";
    EXPECT_FALSE(torn(TableTerm));
  }
}

}  // namespace
}  // namespace sealog::test
