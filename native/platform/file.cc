#include "platform/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <utility>

#include "platform/syscall.h"

namespace sealog {
namespace {

using internal::RestartedSyscall;
using internal::Syscall;

// More pieces than this take several calls, each with its own sync.
constexpr size_t kPiecesPerCall = 128;

// No file is that long.
constexpr off_t kMarksOffset = off_t{1} << 62;

Failure NoProgress(const char* syscall) { return SystemFailure(syscall, EIO, "the call made no progress"); }

// `l_pid` stays 0, as locks of open files want it.
struct flock LockOf(int type, off_t first, off_t bytes) {
  struct flock lock = {};
  lock.l_type = static_cast<short>(type);
  lock.l_whence = SEEK_SET;
  lock.l_start = first;
  lock.l_len = bytes;
  return lock;
}

Failure SetLock(int descriptor, struct flock lock) {
  if (RestartedSyscall("fcntl", [&] { return fcntl(descriptor, F_OFD_SETLK, &lock); }) == 0) return {};
  return SystemFailure("fcntl", errno);
}

// The type of another one's lock that is in the way of this one; F_UNLCK: none is; -1: not known.
int Obstacle(int descriptor, struct flock lock) {
  const int result = RestartedSyscall("fcntl", [&] { return fcntl(descriptor, F_OFD_GETLK, &lock); });
  return result == 0 ? lock.l_type : -1;
}

// However the file grows.
struct flock WholeFile(int type) {
  return LockOf(type, 0, kMarksOffset);
}

}  // namespace

File::~File() { Close(); }

File::File(File&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}

File& File::operator=(File&& other) noexcept {
  if (this != &other) {
    Close();
    descriptor_ = std::exchange(other.descriptor_, -1);
  }
  return *this;
}

void File::Close() {
  if (descriptor_ < 0) return;
  internal::EnterSyscall("close");
  close(std::exchange(descriptor_, -1));  // never again after EINTR: the descriptor is gone either way
}

Failure File::Open(const std::string& path, OpenMode mode, File* out) { return OpenAt(AT_FDCWD, path, mode, out); }

Failure File::OpenAt(int directory, const std::string& name, OpenMode mode, File* out) {
  int flags = (mode == OpenMode::kReadWrite ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;
  int fd = RestartedSyscall("open", [&] { return openat(directory, name.c_str(), flags); });
  if (fd < 0) {
    Failure failure = SystemFailure("open", errno);
    if (errno == EWOULDBLOCK) failure.status = Status::kLocked;  // someone's lease
    return failure;
  }
  *out = File(fd);
  return {};
}

Failure File::CreateAt(int directory, const std::string& name, File* out) {
  int flags = O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW;
  int fd = RestartedSyscall("open", [&] { return openat(directory, name.c_str(), flags, 0600); });
  if (fd < 0) return SystemFailure("open", errno);
  *out = File(fd);
  return {};
}

Failure File::Pread(void* out, size_t bytes, uint64_t offset, size_t* done) const {
  size_t got = 0;
  if (done != nullptr) *done = 0;
  while (got < bytes) {
    ssize_t n = RestartedSyscall("pread", [&] {
      return pread(descriptor_, static_cast<uint8_t*>(out) + got, bytes - got, static_cast<off_t>(offset + got));
    });
    if (n < 0) return SystemFailure("pread", errno);
    if (n == 0) break;
    got += static_cast<size_t>(n);
  }
  if (done != nullptr) {
    *done = got;
  } else if (got < bytes) {
    Failure failure;
    failure.status = Status::kTruncated;
    failure.syscall = "pread";
    failure.offset = offset + got;
    failure.detail = "the file ends early";
    return failure;
  }
  return {};
}

Failure File::WriteAll(std::span<const iovec> pieces, uint64_t offset, int flags) const {
  const char* name = flags != 0 ? "pwritev2" : pieces.size() == 1 ? "pwrite" : "pwritev";
  size_t skip = 0;  // bytes of pieces[0] that are written
  for (;;) {
    iovec window[kPiecesPerCall];
    int count = 0;
    for (size_t i = 0; i < pieces.size() && count < static_cast<int>(kPiecesPerCall); ++i) {
      size_t from = i == 0 ? skip : 0;
      if (pieces[i].iov_len > from) {
        window[count++] = {static_cast<uint8_t*>(pieces[i].iov_base) + from, pieces[i].iov_len - from};
      }
    }
    if (count == 0) return {};
    ssize_t n = RestartedSyscall(name, [&]() -> ssize_t {
      auto at = static_cast<off_t>(offset);
      if (flags != 0) return pwritev2(descriptor_, window, count, at, flags);
      if (count == 1) return pwrite(descriptor_, window[0].iov_base, window[0].iov_len, at);
      return pwritev(descriptor_, window, count, at);
    });
    if (n < 0) {
      Failure failure = SystemFailure(name, errno);
      failure.offset = offset;
      return failure;
    }
    if (n == 0) return NoProgress(name);
    offset += static_cast<uint64_t>(n);
    for (auto left = static_cast<size_t>(n); left > 0;) {
      size_t step = std::min(left, pieces[0].iov_len - skip);
      skip += step;
      left -= step;
      if (skip == pieces[0].iov_len) {
        pieces = pieces.subspan(1);
        skip = 0;
      }
    }
    while (!pieces.empty() && pieces[0].iov_len == skip) {  // empty ones
      pieces = pieces.subspan(1);
      skip = 0;
    }
  }
}

Failure File::Pwrite(const void* data, size_t bytes, uint64_t offset) const {
  const iovec piece{const_cast<void*>(data), bytes};
  return WriteAll({&piece, 1}, offset, 0);
}

Failure File::PwriteGather(std::span<const iovec> pieces, uint64_t offset) const { return WriteAll(pieces, offset, 0); }

Failure File::PwriteDsync(const void* data, size_t bytes, uint64_t offset) const {
  const iovec piece{const_cast<void*>(data), bytes};
  return PwriteGatherDsync({&piece, 1}, offset);
}

Failure File::PwriteGatherDsync(std::span<const iovec> pieces, uint64_t offset) const {
  Failure failure = WriteAll(pieces, offset, RWF_DSYNC);
  if (failure.status != Status::kUnsupported) return failure;
  failure = WriteAll(pieces, offset, 0);
  return failure.ok() ? Fdatasync() : failure;
}

Failure File::Fdatasync() const {
  if (RestartedSyscall("fdatasync", [&] { return fdatasync(descriptor_); }) != 0) {
    return SystemFailure("fdatasync", errno);
  }
  return {};
}

Failure File::Fsync() const {
  if (RestartedSyscall("fsync", [&] { return fsync(descriptor_); }) != 0) return SystemFailure("fsync", errno);
  return {};
}

Failure File::Fallocate(int mode, uint64_t offset, uint64_t bytes) const {
  if ((mode & 0x80) != 0) {
    Failure failure;
    failure.status = Status::kInvalid;
    failure.syscall = "fallocate";
    return failure;
  }
  int result = RestartedSyscall(
      "fallocate", [&] { return fallocate(descriptor_, mode, static_cast<off_t>(offset), static_cast<off_t>(bytes)); });
  return result == 0 ? Failure{} : SystemFailure("fallocate", errno);
}

Failure File::Truncate(uint64_t bytes) const {
  int result = RestartedSyscall("ftruncate", [&] { return ftruncate(descriptor_, static_cast<off_t>(bytes)); });
  return result == 0 ? Failure{} : SystemFailure("ftruncate", errno);
}

Failure File::Stat(FileStat* out) const {
  struct stat st;
  if (Syscall("fstat", [&] { return fstat(descriptor_, &st); }) != 0) return SystemFailure("fstat", errno);
  out->type = S_ISREG(st.st_mode) ? FileType::kRegular : S_ISDIR(st.st_mode) ? FileType::kDirectory : FileType::kOther;
  out->links = st.st_nlink;
  out->bytes = static_cast<uint64_t>(st.st_size);
  out->device = st.st_dev;
  out->inode = st.st_ino;
  out->allocated_bytes = static_cast<uint64_t>(st.st_blocks) * 512;
  out->block_bytes = static_cast<uint32_t>(st.st_blksize);
  return {};
}

Failure File::Lock(bool exclusive) const {
  Failure failure = SetLock(descriptor_, WholeFile(exclusive ? F_WRLCK : F_RDLCK));
  if (failure.error_number == EAGAIN || failure.error_number == EACCES) failure.status = Status::kLocked;
  return failure;
}

void File::Unlock() const { static_cast<void>(SetLock(descriptor_, WholeFile(F_UNLCK))); }

bool File::IsLocked() const { return Obstacle(descriptor_, WholeFile(F_RDLCK)) == F_WRLCK; }

Failure File::Mark(uint64_t number) const {
  return SetLock(descriptor_, LockOf(F_RDLCK, kMarksOffset + static_cast<off_t>(number % kMarksMax), 1));
}

bool File::HasMarks(uint64_t first, uint64_t end) const {
  if (first >= end) return false;
  const off_t bytes = static_cast<off_t>(end - first);
  // What any mark conflicts with.
  return Obstacle(descriptor_, LockOf(F_WRLCK, kMarksOffset + static_cast<off_t>(first), bytes)) != F_UNLCK;
}

bool File::CanLease() const {
  // A lease that is broken sends SIGIO, which kills by default: SIGURG is ignored by default.
  if (Syscall("fcntl", [&] { return fcntl(descriptor_, F_SETSIG, SIGURG); }) != 0) return false;
  if (Syscall("fcntl", [&] { return fcntl(descriptor_, F_SETLEASE, F_WRLCK); }) != 0) return false;
  Syscall("fcntl", [&] { return fcntl(descriptor_, F_SETLEASE, F_UNLCK); });
  return true;
}

Failure ReadTextFile(const std::string& path, size_t bytes_max, std::string* out) {
  out->clear();
  File file;
  Failure failure = File::Open(path, OpenMode::kReadOnly, &file);
  if (!failure.ok()) return failure;
  char buffer[4096];
  while (out->size() < bytes_max) {
    size_t done = 0;
    failure = file.Pread(buffer, std::min(sizeof buffer, bytes_max - out->size()), out->size(), &done);
    if (!failure.ok() || done == 0) return failure;
    out->append(buffer, done);
  }
  return {};
}

}  // namespace sealog
