// Mappings: a base that never moves, private pages that never reach the file, pages that do not fault after populating.
#include "platform/mapping.h"

#include <sys/resource.h>

#include <cerrno>
#include <cstring>

#include "platform/scratch.h"

namespace sealog::test {
namespace {

constexpr size_t kMiB = 1 << 20;

long Faults() {
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_minflt + usage.ru_majflt;
}

// Not instrumented: the shadow pages of the sanitizers would be counted as well.
__attribute__((no_sanitize("address", "thread"))) void StoreToEveryPage(volatile uint8_t* p, size_t bytes) {
  for (size_t i = 0; i < bytes; i += 4096) p[i] = 1;
}

TEST(Mapping, GrowsInPlace) {
  TempDirectory dir;
  File file = MakeFile(dir / "f", 2 * kMiB, 1);
  Mapping mapping;
  ASSERT_TRUE(Mapping::Reserve(8 * kMiB, &mapping).ok());
  EXPECT_EQ(reinterpret_cast<uintptr_t>(mapping.base()) % kHugePageBytes, 0u);
  ASSERT_TRUE(mapping.Map(file, 0, kMiB, MapMode::kShared).ok());
  const uint8_t* base = mapping.base();
  ASSERT_TRUE(mapping.Map(file, kMiB, kMiB, MapMode::kShared).ok());
  EXPECT_EQ(mapping.base(), base);
  EXPECT_EQ(mapping.mapped_bytes(), 2 * kMiB);
  EXPECT_EQ(base[2 * kMiB - 1], 1);
}

TEST(Mapping, RefusesWhatDoesNotContinueOrFit) {
  TempDirectory dir;
  File file = MakeFile(dir / "f", 2 * kMiB, 1);
  Mapping mapping;
  ASSERT_TRUE(Mapping::Reserve(2 * kMiB, &mapping).ok());
  EXPECT_EQ(mapping.Map(file, 4096, 4096, MapMode::kShared).status, Status::kInvalid);
  EXPECT_EQ(mapping.Map(file, 0, 3 * kMiB, MapMode::kShared).status, Status::kInvalid);
  EXPECT_EQ(mapping.Map(file, 0, 0, MapMode::kShared).status, Status::kInvalid);
  ASSERT_TRUE(mapping.Map(file, 0, kMiB, MapMode::kShared).ok());
  EXPECT_EQ(mapping.Map(file, kMiB, kMiB, MapMode::kPrivate).status, Status::kInvalid);
  EXPECT_EQ(mapping.PopulateWrite(kMiB, 4096).status, Status::kInvalid);
  EXPECT_EQ(mapping.PopulateWrite(4096, SIZE_MAX).status, Status::kInvalid);
  EXPECT_EQ(mapping.DropPrivate(0, 4096).status, Status::kInvalid);  // would drop shared pages
  EXPECT_EQ(Mapping::Reserve(0, &mapping).status, Status::kInvalid);
  EXPECT_EQ(Mapping::Reserve(SIZE_MAX, &mapping).status, Status::kInvalid);
}

TEST(Mapping, PrivateStoresStayHereAndFileWritesShow) {
  TempDirectory dir;
  MakeFile(dir / "f", kMiB, 1);
  File reader, writer;
  ASSERT_TRUE(File::Open(dir / "f", OpenMode::kReadOnly, &reader).ok());
  ASSERT_TRUE(File::Open(dir / "f", OpenMode::kReadWrite, &writer).ok());
  Mapping mapping;
  ASSERT_TRUE(Mapping::Reserve(kMiB, &mapping).ok());
  ASSERT_TRUE(mapping.Map(reader, 0, kMiB, MapMode::kPrivate).ok());  // writable over a read-only descriptor
  volatile uint8_t* p = mapping.base();
  p[0] = 9;
  uint8_t in_file = 0;
  ASSERT_TRUE(writer.Pread(&in_file, 1, 0).ok());
  EXPECT_EQ(in_file, 1);
  const uint8_t five = 5;
  ASSERT_TRUE(writer.Pwrite(&five, 1, 0).ok());
  ASSERT_TRUE(writer.Pwrite(&five, 1, 8192).ok());
  EXPECT_EQ(p[0], 9);     // copied already
  EXPECT_EQ(p[8192], 5);  // not stored to: the file's own page
  ASSERT_TRUE(mapping.DropPrivate(0, 4096).ok());
  EXPECT_EQ(p[0], 5);
}

TEST(Mapping, SharedSyncIsRefusedWithoutDax) {
  TempDirectory dir(MemoryDirectory());
  File file = MakeFile(dir / "f", kMiB, 1);
  int error_number = 0;
  EXPECT_FALSE(CanMapSync(file, &error_number));
  EXPECT_EQ(error_number, EOPNOTSUPP);
  Mapping mapping;
  ASSERT_TRUE(Mapping::Reserve(kMiB, &mapping).ok());
  EXPECT_EQ(mapping.Map(file, 0, kMiB, MapMode::kSharedSync).status, Status::kUnsupported);
  EXPECT_EQ(mapping.mapped_bytes(), 0u);
  ASSERT_TRUE(mapping.Map(file, 0, kMiB, MapMode::kShared).ok());  // the reservation is still whole
}

TEST(Mapping, PopulatedPagesDoNotFault) {
  TempDirectory dir(MemoryDirectory());
  File file = MakeFile(dir / "f");
  ASSERT_TRUE(file.Fallocate(0, 0, 8 * kMiB).ok());
  Mapping mapping;
  ASSERT_TRUE(Mapping::Reserve(8 * kMiB, &mapping).ok());
  ASSERT_TRUE(mapping.Map(file, 0, 8 * kMiB, MapMode::kShared).ok());
  Failure failure = mapping.PopulateWrite(0, 8 * kMiB);
  if (failure.status == Status::kUnsupported) GTEST_SKIP() << "no MADV_POPULATE_WRITE before Linux 5.14";
  ASSERT_TRUE(failure.ok());
  const long before = Faults();
  const uint64_t calls = SyscallCount();
  StoreToEveryPage(mapping.base(), 8 * kMiB);
  EXPECT_LT(Faults() - before, 20);  // of 2048; some are the test's own
  EXPECT_EQ(SyscallCount(), calls);
}

TEST(Mapping, PopulatingBeyondTheEndIsToldNotFatal) {
  TempDirectory dir(MemoryDirectory());
  File file = MakeFile(dir / "f", kMiB, 1);
  Mapping mapping;
  ASSERT_TRUE(Mapping::Reserve(kMiB, &mapping).ok());
  ASSERT_TRUE(mapping.Map(file, 0, kMiB, MapMode::kShared).ok());
  ASSERT_TRUE(file.Truncate(kMiB / 2).ok());
  Failure failure = mapping.PopulateWrite(0, kMiB);
  if (failure.status == Status::kUnsupported) GTEST_SKIP() << "no MADV_POPULATE_WRITE before Linux 5.14";
  EXPECT_EQ(failure.status, Status::kMedia);
}

}  // namespace
}  // namespace sealog::test
