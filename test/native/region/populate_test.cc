// Populating: everything, in the right order, stopped at once, and no trouble when the file loses its end.
#include "region/populate.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <vector>

#include "platform/scratch.h"

namespace sealog::test {
namespace {

constexpr size_t kBytes = 64 << 20;

class PopulateTest : public testing::Test {
 protected:
  void SetUp() override {
    file_ = MakeFile(dir_ / "f");
    ASSERT_TRUE(file_.Fallocate(0, 0, kBytes).ok());
    ASSERT_TRUE(Mapping::Reserve(kBytes, &mapping_).ok());
    ASSERT_TRUE(mapping_.Map(file_, 0, kBytes, MapMode::kShared).ok());
  }
  template <class Done>
  void Wait(const Populator& populator, Done done) {
    for (int i = 0; i < 10000 && !done() && populator.status() == Status::kOk; ++i) usleep(1000);
  }
  TempDirectory dir_{MemoryDirectory()};
  File file_;
  Mapping mapping_;
};

TEST_F(PopulateTest, ReachesEveryPageFromTheMiddleOn) {
  Populator populator;
  ASSERT_TRUE(populator.Start(mapping_, kBytes / 2 + 12345).ok());
  Wait(populator, [&] { return populator.complete(); });
  if (populator.status() == Status::kUnsupported) GTEST_SKIP() << "no MADV_POPULATE_WRITE before Linux 5.14";
  EXPECT_TRUE(populator.complete());
  EXPECT_EQ(populator.done_bytes(), kBytes);
  EXPECT_EQ(populator.Start(mapping_, 0).status, Status::kInvalid);  // once
  populator.Stop();
  populator.Stop();
}

// The hook sees each madvise: the n-th slice is as good a place as any to stop at.
std::atomic<int> slices;
int CountSlices(const char* name) {
  if (strcmp(name, "madvise") == 0 && slices.fetch_add(1) == 3) usleep(50000);
  return 0;
}

TEST_F(PopulateTest, StopsWithinASlice) {
  slices = 0;
  HookScope hook(CountSlices);
  Populator populator;
  ASSERT_TRUE(populator.Start(mapping_, 0).ok());
  while (slices < 4 && populator.status() == Status::kOk) usleep(100);
  populator.Stop();
  EXPECT_FALSE(populator.complete());
  EXPECT_LE(populator.done_bytes(), 4 * Populator::kSliceBytes);
}

int RefuseMadvise(const char* name) { return strcmp(name, "madvise") == 0 ? EINVAL : 0; }

TEST_F(PopulateTest, AnOldKernelIsToldNotFatal) {
  HookScope hook(RefuseMadvise);
  Populator populator;
  ASSERT_TRUE(populator.Start(mapping_, 0).ok());
  Wait(populator, [&] { return false; });
  populator.Stop();
  EXPECT_EQ(populator.status(), Status::kUnsupported);
  EXPECT_EQ(populator.error_number(), EINVAL);
  EXPECT_FALSE(populator.complete());
}

TEST_F(PopulateTest, ATruncatedFileIsToldNotFatal) {
  ASSERT_TRUE(file_.Truncate(kBytes / 2).ok());
  Populator populator;
  ASSERT_TRUE(populator.Start(mapping_, 0).ok());
  Wait(populator, [&] { return false; });
  populator.Stop();
  if (populator.status() == Status::kUnsupported) GTEST_SKIP() << "no MADV_POPULATE_WRITE before Linux 5.14";
  EXPECT_EQ(populator.status(), Status::kMedia);
  EXPECT_EQ(populator.done_bytes(), kBytes / 2);
}

TEST_F(PopulateTest, PrivatePagesAreLeftAlone) {
  Mapping own;
  ASSERT_TRUE(Mapping::Reserve(kBytes, &own).ok());
  ASSERT_TRUE(own.Map(file_, 0, kBytes, MapMode::kPrivate).ok());
  Populator populator;
  EXPECT_EQ(populator.Start(own, 0).status, Status::kInvalid);
}

}  // namespace
}  // namespace sealog::test
