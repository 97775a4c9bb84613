#include "tap.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <cstdarg>

#include "store/store.h"

using sealog::test::tap;

namespace {

std::vector<uint8_t> Gather(const iovec* pieces, int count) {
  std::vector<uint8_t> out;
  for (int i = 0; i < count; ++i) {
    const auto* p = static_cast<const uint8_t*>(pieces[i].iov_base);
    out.insert(out.end(), p, p + pieces[i].iov_len);
  }
  return out;
}

bool IsDirectory(int fd) {
  struct stat st;
  return fstat(fd, &st) == 0 && S_ISDIR(st.st_mode);
}

void TellLength(int fd, int result) {
  struct stat st;
  if (tap != nullptr && result == 0 && fstat(fd, &st) == 0) tap->OnLength(static_cast<uint64_t>(st.st_size));
}

template <class Call>
int Sync(int fd, Call&& call) {
  if (tap == nullptr) return call();
  const bool directory = IsDirectory(fd);
  if (!directory) tap->OnSyncBegin();
  const int result = call();
  if (result == 0) directory ? tap->OnDirectorySync() : tap->OnSyncDone();
  return result;
}

}  // namespace

extern "C" {

#define REAL(name) __real_##name
#define WRAP(name) __wrap_##name

ssize_t REAL(pwritev2)(int fd, const iovec* pieces, int count, off_t offset, int flags);
ssize_t WRAP(pwritev2)(int fd, const iovec* pieces, int count, off_t offset, int flags) {
  if (tap == nullptr) return REAL(pwritev2)(fd, pieces, count, offset, flags);
  std::vector<uint8_t> content = Gather(pieces, count);
  tap->OnWrite(static_cast<uint64_t>(offset), content);
  const ssize_t n = REAL(pwritev2)(fd, pieces, count, offset, flags);
  if (n > 0 && (flags & (RWF_DSYNC | RWF_SYNC)) != 0) {
    content.resize(static_cast<size_t>(n));
    tap->OnWriteDurable(static_cast<uint64_t>(offset), content);
  }
  return n;
}

ssize_t REAL(pwritev)(int fd, const iovec* pieces, int count, off_t offset);
ssize_t WRAP(pwritev)(int fd, const iovec* pieces, int count, off_t offset) {
  if (tap != nullptr) tap->OnWrite(static_cast<uint64_t>(offset), Gather(pieces, count));
  return REAL(pwritev)(fd, pieces, count, offset);
}

ssize_t REAL(pwrite)(int fd, const void* data, size_t bytes, off_t offset);
ssize_t WRAP(pwrite)(int fd, const void* data, size_t bytes, off_t offset) {
  const auto* p = static_cast<const uint8_t*>(data);
  if (tap != nullptr) tap->OnWrite(static_cast<uint64_t>(offset), {p, p + bytes});
  return REAL(pwrite)(fd, data, bytes, offset);
}

int REAL(fdatasync)(int fd);
int WRAP(fdatasync)(int fd) {
  return Sync(fd, [fd] { return REAL(fdatasync)(fd); });
}

int REAL(fsync)(int fd);
int WRAP(fsync)(int fd) {
  return Sync(fd, [fd] { return REAL(fsync)(fd); });
}

int REAL(fallocate)(int fd, int mode, off_t offset, off_t bytes);
int WRAP(fallocate)(int fd, int mode, off_t offset, off_t bytes) {
  const int result = REAL(fallocate)(fd, mode, offset, bytes);
  TellLength(fd, result);
  return result;
}

int REAL(ftruncate)(int fd, off_t bytes);
int WRAP(ftruncate)(int fd, off_t bytes) {
  const int result = REAL(ftruncate)(fd, bytes);
  TellLength(fd, result);
  return result;
}

int REAL(openat)(int directory, const char* name, int flags, ...);
int WRAP(openat)(int directory, const char* name, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  const mode_t mode = (flags & O_CREAT) != 0 ? va_arg(rest, mode_t) : 0;
  va_end(rest);
  const int fd = REAL(openat)(directory, name, flags, mode);
  if (tap != nullptr && fd >= 0 && (flags & O_CREAT) != 0) tap->OnCreate(name);
  return fd;
}

int REAL(renameat2)(int from_directory, const char* from, int to_directory, const char* to, unsigned flags);
int WRAP(renameat2)(int from_directory, const char* from, int to_directory, const char* to, unsigned flags) {
  if (sealog::test::no_rename_noreplace) {
    errno = ENOSYS;
    return -1;
  }
  const int result = REAL(renameat2)(from_directory, from, to_directory, to, flags);
  if (tap != nullptr && result == 0) tap->OnRename(from, to);
  return result;
}

int REAL(linkat)(int from_directory, const char* from, int to_directory, const char* to, int flags);
int WRAP(linkat)(int from_directory, const char* from, int to_directory, const char* to, int flags) {
  const int result = REAL(linkat)(from_directory, from, to_directory, to, flags);
  if (tap != nullptr && result == 0) tap->OnLink(from, to);
  return result;
}

int REAL(unlinkat)(int directory, const char* name, int flags);
int WRAP(unlinkat)(int directory, const char* name, int flags) {
  const int result = REAL(unlinkat)(directory, name, flags);
  if (tap != nullptr && result == 0) tap->OnUnlink(name);
  return result;
}

// sealog::DetectDomain; a File is its descriptor for both sides.
sealog::Domain __real__ZN6sealog12DetectDomainERKNS_4FileENS_10DurabilityE(const sealog::File& file,
                                                                           sealog::Durability durability);
sealog::Domain __wrap__ZN6sealog12DetectDomainERKNS_4FileENS_10DurabilityE(const sealog::File& file,
                                                                           sealog::Durability durability) {
  if (sealog::test::domain_as != sealog::Domain::kAny) return sealog::test::domain_as;
  return __real__ZN6sealog12DetectDomainERKNS_4FileENS_10DurabilityE(file, durability);
}

// sealog::Store::~Store. The driver of test/crash expects to find what it deferred after it has dropped a store, as in
// the domains where the page cache outlives the process. In the disk domain that never left the process.
void __real__ZN6sealog5StoreD1Ev(sealog::Store* store);
void __wrap__ZN6sealog5StoreD1Ev(sealog::Store* store) {
  if (sealog::test::domain_as == sealog::Domain::kDisk) store->Commit();
  __real__ZN6sealog5StoreD1Ev(store);
}

}  // extern "C"
