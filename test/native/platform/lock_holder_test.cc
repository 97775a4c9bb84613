#include "platform/lock_holder.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>

#include "platform/file.h"
#include "support/scratch.h"

namespace sealog::test {
namespace {

class LockHolderTest : public ::testing::Test {
 protected:
  void SetUp() override {
    File file;
    ASSERT_TRUE(File::CreateAt(AT_FDCWD, path_, &file).ok());
  }
  File Opened(OpenMode mode) const {
    File file;
    EXPECT_TRUE(File::Open(path_, mode, &file).ok());
    return file;
  }
  LockHolder Found() const {
    LockHolder holder;
    EXPECT_TRUE(FindLockHolder(path_, &holder).ok());
    return holder;
  }

  Scratch scratch_;
  const std::string path_ = scratch_.File("file");
};

TEST_F(LockHolderTest, NoneOfAFileThatIsOnlyOpen) {
  const File file = Opened(OpenMode::kReadWrite);
  EXPECT_EQ(Found().pid, 0);
}

TEST_F(LockHolderTest, AReaderOfThisProcess) {
  const File reader = Opened(OpenMode::kReadOnly);
  ASSERT_TRUE(reader.LockShared().ok());
  const LockHolder holder = Found();
  EXPECT_EQ(holder.pid, getpid());
  EXPECT_FALSE(holder.exclusive);
  EXPECT_FALSE(holder.command.empty());
}

TEST_F(LockHolderTest, AnotherProcessForAsLongAsItLives) {
  int ready[2], end[2];
  ASSERT_EQ(pipe(ready) + pipe(end), 0);
  const pid_t child = fork();
  if (child == 0) {
    const File file = Opened(OpenMode::kReadWrite);
    char byte = file.LockExclusive().ok() ? 'y' : 'n';
    if (write(ready[1], &byte, 1) != 1 || read(end[0], &byte, 1) != 1) _exit(1);
    _exit(0);
  }
  char byte = 0;
  ASSERT_EQ(read(ready[0], &byte, 1), 1);
  EXPECT_EQ(byte, 'y');
  const LockHolder holder = Found();
  EXPECT_EQ(holder.pid, child);
  EXPECT_TRUE(holder.exclusive);
  ASSERT_EQ(write(end[1], &byte, 1), 1);
  int status = 1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(Found().pid, 0);
  for (int fd : {ready[0], ready[1], end[0], end[1]}) close(fd);
}

TEST(LockHolder, OfNoFile) {
  LockHolder holder;
  EXPECT_EQ(FindLockHolder("/nowhere/at all", &holder).status, Status::kAbsent);
}

}  // namespace
}  // namespace sealog::test
