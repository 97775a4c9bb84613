#include "platform/directory.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <memory>

#include "platform/syscall.h"
#include "platform/system.h"

namespace sealog {

using internal::RestartedSyscall;
using internal::Syscall;

Failure Directory::Open(const std::string& path, Directory* out) {
  // Through the general door: a symlink to a directory is fine here, "/." makes it so in spite of O_NOFOLLOW.
  Failure failure = File::Open(path + "/.", OpenMode::kReadOnly, &out->file_);
  if (!failure.ok()) return failure;
  FileStat stat;
  failure = out->file_.Stat(&stat);
  if (failure.ok() && stat.type != FileType::kDirectory) failure = SystemFailure("open", ENOTDIR);
  return failure;
}

bool Directory::Split(const std::string& path, std::string* directory, std::string* name) {
  size_t slash = path.rfind('/');
  *name = slash == std::string::npos ? path : path.substr(slash + 1);
  *directory = slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
  return !name->empty() && *name != "." && *name != ".." && path.find('\0') == std::string::npos;
}

bool Directory::Has(const std::string& name) const {
  struct stat st;
  return Syscall("fstatat", [&] { return fstatat(file_.descriptor(), name.c_str(), &st, AT_SYMLINK_NOFOLLOW); }) == 0;
}

Failure Directory::CreateTemporary(const std::string& prefix, std::string* name, File* out) const {
  for (int attempt = 0;; ++attempt) {
    uint64_t random = 0;
    Failure failure = RandomBytes(&random, sizeof random);
    if (!failure.ok()) return failure;
    char digits[17];
    snprintf(digits, sizeof digits, "%016llx", static_cast<unsigned long long>(random));
    *name = prefix + digits;
    failure = File::CreateAt(file_.descriptor(), *name, out);
    if (failure.status != Status::kExists || attempt == 8) return failure;
  }
}

Failure Directory::Unlink(const std::string& name) const {
  int injected = internal::EnterSyscall("unlink");
  if (unlinkat(file_.descriptor(), name.c_str(), 0) != 0) return SystemFailure("unlink", errno);
  return injected == 0 ? Failure{} : SystemFailure("unlink", injected);
}

Failure Directory::RenameNew(const std::string& from, const std::string& to) const {
  int fd = file_.descriptor();
  if (Syscall("renameat2", [&] { return renameat2(fd, from.c_str(), fd, to.c_str(), RENAME_NOREPLACE); }) == 0) {
    return {};
  }
  if (errno != EINVAL && errno != ENOSYS && errno != EOPNOTSUPP) return SystemFailure("renameat2", errno);
  if (Syscall("linkat", [&] { return linkat(fd, from.c_str(), fd, to.c_str(), 0); }) != 0) {
    return SystemFailure("linkat", errno);
  }
  Failure failure = Unlink(from);
  if (!failure.ok()) Unlink(to);
  return failure;
}

std::vector<std::string> ListDirectory(const std::string& path, size_t count_max) {
  std::vector<std::string> names;
  if (internal::EnterSyscall("opendir") != 0) return names;
  std::unique_ptr<DIR, int (*)(DIR*)> directory(opendir(path.c_str()), closedir);
  if (directory == nullptr) return names;
  while (names.size() < count_max) {
    if (internal::EnterSyscall("readdir") != 0) break;
    const dirent* entry = readdir(directory.get());
    if (entry == nullptr) break;
    std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(std::move(name));
  }
  return names;
}

}  // namespace sealog
