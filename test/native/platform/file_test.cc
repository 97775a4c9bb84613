// Files: what is refused at the door, transfers that come back short, locks, and the gate that faults are injected
// through.
#include "platform/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cerrno>
#include <cstring>
#include <vector>

#include "platform/scratch.h"

namespace sealog::test {
namespace {

int interruptions_left;
int Interrupt(const char*) { return interruptions_left > 0 && interruptions_left-- > 0 ? EINTR : 0; }

int fdatasyncs;
int RefuseDsync(const char* name) {
  if (strcmp(name, "fdatasync") == 0) ++fdatasyncs;
  return strcmp(name, "pwritev2") == 0 ? EOPNOTSUPP : 0;
}

int injected_errno;
int Inject(const char*) { return injected_errno; }

TEST(FileOpen, RefusesWhatIsNoRegularFile) {
  TempDirectory dir;
  MakeFile(dir / "target");
  ASSERT_EQ(symlink("target", (dir / "link").c_str()), 0);
  ASSERT_EQ(mkfifo((dir / "fifo").c_str(), 0600), 0);
  File file;
  EXPECT_EQ(File::Open(dir / "link", OpenMode::kReadWrite, &file).status, Status::kNotRegular);
  EXPECT_EQ(File::Open(dir.path(), OpenMode::kReadWrite, &file).status, Status::kNotRegular);
  EXPECT_EQ(File::Open(dir / "none", OpenMode::kReadOnly, &file).status, Status::kAbsent);
  EXPECT_FALSE(file.is_open());
  ASSERT_TRUE(File::Open(dir / "fifo", OpenMode::kReadOnly, &file).ok());  // does not wait for a writer
  FileStat stat;
  ASSERT_TRUE(file.Stat(&stat).ok());
  EXPECT_EQ(stat.type, FileType::kOther);
}

TEST(FileCreate, NeverTakesOverAFileAndIsForTheOwnerOnly) {
  TempDirectory dir;
  File file = MakeFile(dir / "f");
  struct stat st;
  ASSERT_EQ(stat((dir / "f").c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 07777, 0600u);
  EXPECT_NE(fcntl(file.descriptor(), F_GETFD) & FD_CLOEXEC, 0);
  File second;
  EXPECT_EQ(File::CreateAt(AT_FDCWD, dir / "f", &second).status, Status::kExists);
  ASSERT_EQ(symlink("nowhere", (dir / "link").c_str()), 0);
  EXPECT_EQ(File::CreateAt(AT_FDCWD, dir / "link", &second).status, Status::kExists);
}

TEST(FileTransfer, GathersManyPiecesEmptyOnesToo) {
  TempDirectory dir;
  File file = MakeFile(dir / "f");
  std::string expected;
  std::vector<std::string> parts;
  for (int i = 0; i < 1000; ++i) parts.emplace_back(static_cast<size_t>(i % 7), static_cast<char>('a' + i % 26));
  std::vector<iovec> pieces;
  for (std::string& part : parts) {
    pieces.push_back({part.data(), part.size()});
    expected += part;
  }
  for (bool dsync : {false, true}) {
    const uint64_t offset = dsync ? 10000 : 5;
    ASSERT_TRUE((dsync ? file.PwriteGatherDsync(pieces, offset) : file.PwriteGather(pieces, offset)).ok());
    std::string read(expected.size(), '\0');
    ASSERT_TRUE(file.Pread(read.data(), read.size(), offset).ok());
    EXPECT_EQ(read, expected);
  }
  EXPECT_TRUE(file.PwriteGather({}, 0).ok());
  EXPECT_TRUE(file.Pwrite("", 0, 0).ok());
}

TEST(FileTransfer, GoesOnAfterInterruptions) {
  TempDirectory dir;
  File file = MakeFile(dir / "f");
  HookScope hook(Interrupt);
  interruptions_left = 3;
  EXPECT_TRUE(file.Pwrite("abc", 3, 0).ok());
  interruptions_left = 3;
  char read[3];
  EXPECT_TRUE(file.Pread(read, 3, 0).ok());
  EXPECT_EQ(memcmp(read, "abc", 3), 0);
  interruptions_left = 3;
  EXPECT_TRUE(file.Fsync().ok());
}

TEST(FileTransfer, AnEarlyEndIsToldNotPadded) {
  TempDirectory dir;
  File file = MakeFile(dir / "f", 100, 7);
  char buffer[200];
  size_t done = 0;
  ASSERT_TRUE(file.Pread(buffer, 200, 50, &done).ok());
  EXPECT_EQ(done, 50u);
  Failure failure = file.Pread(buffer, 200, 50);
  EXPECT_EQ(failure.status, Status::kTruncated);
  EXPECT_EQ(failure.offset, 100u);
}

TEST(FileDsync, FallsBackToWriteAndFdatasync) {
  TempDirectory dir;
  File file = MakeFile(dir / "f");
  HookScope hook(RefuseDsync);
  fdatasyncs = 0;
  ASSERT_TRUE(file.PwriteDsync("abc", 3, 4).ok());
  EXPECT_EQ(fdatasyncs, 1);
  char read[3];
  ASSERT_TRUE(file.Pread(read, 3, 4).ok());
  EXPECT_EQ(memcmp(read, "abc", 3), 0);
}

TEST(FileDsync, IsOneCall) {
  TempDirectory dir;
  File file = MakeFile(dir / "f");
  const uint64_t before = SyscallCount();
  ASSERT_TRUE(file.PwriteDsync("abc", 3, 0).ok());
  EXPECT_EQ(SyscallCount() - before, 1u);
}

TEST(FileFailure, ErrnoBecomesAStatus) {
  TempDirectory dir;
  File file = MakeFile(dir / "f");
  HookScope hook(Inject);
  const std::pair<int, Status> expected[] = {
      {ENOSPC, Status::kNoSpace},    {EDQUOT, Status::kNoSpace},   {EFBIG, Status::kNoSpace},
      {EACCES, Status::kPermission}, {EPERM, Status::kPermission}, {EROFS, Status::kPermission},
      {ENOENT, Status::kAbsent},     {ELOOP, Status::kNotRegular}, {EISDIR, Status::kNotRegular},
      {ENOMEM, Status::kNoMemory},   {EIO, Status::kIo},           {EBADF, Status::kIo},
  };
  for (auto [error_number, status] : expected) {
    injected_errno = error_number;
    Failure failure = file.Pwrite("a", 1, 17);
    EXPECT_EQ(failure.status, status) << error_number;
    EXPECT_EQ(failure.error_number, error_number);
    EXPECT_STREQ(failure.syscall, "pwrite");
    EXPECT_EQ(failure.offset, 17u);
    EXPECT_EQ(file.Fdatasync().status, status) << error_number;
  }
  injected_errno = 0;
}

TEST(FileAllocate, NeverPassesTheSealBit) {
  TempDirectory dir;
  File file = MakeFile(dir / "f");
  const uint64_t before = SyscallCount();
  EXPECT_EQ(file.Fallocate(0x80, 0, 4096).status, Status::kInvalid);
  EXPECT_EQ(SyscallCount(), before);
}

TEST(FileAllocate, AFullFileSystemIsNoSpace) {
  Mounted tmpfs("tmpfs", 4);
  SKIP_UNLESS_MOUNTED(tmpfs);
  File file = MakeFile(tmpfs / "f");
  EXPECT_EQ(file.Fallocate(0, 0, 8 << 20).status, Status::kNoSpace);
}

TEST(FileLock, ExcludesOtherDescriptorsOfTheSameProcess) {
  TempDirectory dir;
  File first = MakeFile(dir / "f"), second;
  ASSERT_TRUE(File::Open(dir / "f", OpenMode::kReadWrite, &second).ok());
  ASSERT_TRUE(first.LockExclusive().ok());
  EXPECT_EQ(second.LockExclusive().status, Status::kLocked);
  EXPECT_EQ(second.LockShared().status, Status::kLocked);
  first.Close();
  ASSERT_TRUE(second.LockShared().ok());
  File third;
  ASSERT_TRUE(File::Open(dir / "f", OpenMode::kReadOnly, &third).ok());
  EXPECT_TRUE(third.LockShared().ok());
}

TEST(FileLock, ExcludesOtherProcesses) {
  TempDirectory dir;
  File file = MakeFile(dir / "f");
  ASSERT_TRUE(file.LockExclusive().ok());
  pid_t child = fork();
  if (child == 0) {
    File other;
    bool opened = File::Open(dir / "f", OpenMode::kReadWrite, &other).ok();
    _exit(opened && other.LockExclusive().status == Status::kLocked ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

TEST(FileLease, ProvesThatNobodyElseHasItOpen) {
  TempDirectory dir;
  File file = MakeFile(dir / "f");
  EXPECT_TRUE(file.CanLease());
  File other;
  ASSERT_TRUE(File::Open(dir / "f", OpenMode::kReadOnly, &other).ok());  // and it was given back
  EXPECT_FALSE(file.CanLease());
}

TEST(Directory, SplitsPaths) {
  std::string directory, name;
  ASSERT_TRUE(Directory::Split("a/b/c", &directory, &name));
  EXPECT_EQ(directory + " " + name, "a/b c");
  ASSERT_TRUE(Directory::Split("c", &directory, &name));
  EXPECT_EQ(directory + " " + name, ". c");
  ASSERT_TRUE(Directory::Split("/c", &directory, &name));
  EXPECT_EQ(directory + " " + name, "/ c");
  for (const char* bad : {"", "/", "a/", "a/.", "..", "."}) {
    EXPECT_FALSE(Directory::Split(bad, &directory, &name)) << bad;
  }
}

int RefuseNoReplace(const char* name) { return strcmp(name, "renameat2") == 0 ? EINVAL : 0; }

TEST(Directory, NeverRenamesOverAFile) {
  for (SyscallHook hook : {static_cast<SyscallHook>(nullptr), static_cast<SyscallHook>(RefuseNoReplace)}) {
    TempDirectory dir;
    Directory directory;
    ASSERT_TRUE(Directory::Open(dir.path(), &directory).ok());
    HookScope scope(hook);
    MakeFile(dir / "a");
    MakeFile(dir / "b");
    EXPECT_EQ(directory.RenameNew("a", "b").status, Status::kExists);
    EXPECT_TRUE(directory.Has("a"));
    ASSERT_TRUE(directory.RenameNew("a", "c").ok());
    EXPECT_FALSE(directory.Has("a"));
    EXPECT_TRUE(directory.Has("c"));
    struct stat st;
    ASSERT_EQ(stat((dir / "c").c_str(), &st), 0);
    EXPECT_EQ(st.st_nlink, 1u);
  }
}

TEST(Directory, OpensThroughASymlinkButNotAFile) {
  TempDirectory dir;
  MakeFile(dir / "f");
  ASSERT_EQ(symlink(".", (dir / "link").c_str()), 0);
  Directory directory;
  EXPECT_TRUE(Directory::Open(dir / "link", &directory).ok());
  EXPECT_FALSE(Directory::Open(dir / "f", &directory).ok());
  EXPECT_EQ(Directory::Open(dir / "none", &directory).status, Status::kAbsent);
}

}  // namespace
}  // namespace sealog::test
