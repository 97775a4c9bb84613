// Places to test in: temporary directories, and file systems mounted from image files (root only). All gone at the end
// of scope.
#pragma once

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "platform/directory.h"
#include "platform/file.h"
#include "platform/syscall.h"

namespace sealog::test {

inline int Shell(const std::string& command) { return system((command + " >/dev/null 2>&1").c_str()); }

class TempDirectory {
 public:
  explicit TempDirectory(const std::string& parent = "/tmp") {
    std::string pattern = parent + "/sealog-platform-XXXXXX";
    if (mkdtemp(pattern.data()) != nullptr) path_ = pattern;
  }
  ~TempDirectory() {
    if (!path_.empty()) Shell("rm -rf --one-file-system '" + path_ + "'");
  }
  TempDirectory(const TempDirectory&) = delete;
  TempDirectory& operator=(const TempDirectory&) = delete;

  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  size_t entries() const { return ListDirectory(path_, 1000).size(); }

 private:
  std::string path_;
};

// tmpfs, whether or not /tmp is one.
inline const char* MemoryDirectory() { return "/dev/shm"; }

// A file system of its own kind: "ext4", "xfs" (reflink=1), "btrfs" from an image of `megabytes` by loop, or "tmpfs" of
// that size.
class Mounted {
 public:
  Mounted(const std::string& kind, int megabytes) {
    if (geteuid() != 0) {
      reason_ = "mounting needs root";
      return;
    }
    const std::string image = holder_ / "image", mount = holder_ / "mount", size = std::to_string(megabytes);
    mkdir(mount.c_str(), 0700);
    if (kind == "tmpfs") {
      mounted_ = Shell("mount -t tmpfs -o size=" + size + "m tmpfs '" + mount + "'") == 0;
      if (!mounted_) reason_ = "cannot mount tmpfs";
      return;
    }
    const std::string options = kind == "ext4" ? "-F -q" : kind == "xfs" ? "-f -q -m reflink=1" : "-f -q";
    if (Shell("command -v mkfs." + kind) != 0) {
      reason_ = "no mkfs." + kind;
    } else if (Shell("truncate -s " + size + "M '" + image + "'") != 0 ||
               Shell("mkfs." + kind + " " + options + " '" + image + "'") != 0) {
      reason_ = "mkfs." + kind + " failed";
    } else if (Shell("mount -t " + kind + " -o loop '" + image + "' '" + mount + "'") != 0) {
      reason_ = "cannot mount " + kind + " by loop";
    } else {
      mounted_ = true;
    }
  }
  ~Mounted() {
    if (mounted_ && Shell("umount '" + path() + "'") != 0) Shell("umount -l '" + path() + "'");
  }
  Mounted(const Mounted&) = delete;
  Mounted& operator=(const Mounted&) = delete;

  // Unmounts and mounts the image again: what is read afterwards comes from it. Not for tmpfs.
  bool Remount() {
    mounted_ = Shell("umount '" + path() + "' && mount -o loop '" + (holder_ / "image") + "' '" + path() + "'") == 0;
    return mounted_;
  }

  bool ok() const { return mounted_; }
  const std::string& reason() const { return reason_; }
  std::string path() const { return holder_ / "mount"; }
  std::string operator/(const std::string& name) const { return path() + "/" + name; }

 private:
  TempDirectory holder_;  // unmounted first, then removed
  bool mounted_ = false;
  std::string reason_;
};

#define SKIP_UNLESS_MOUNTED(mounted) \
  if (!(mounted).ok()) GTEST_SKIP() << (mounted).reason()

inline File MakeFile(const std::string& path) {
  File file;
  Failure failure = File::CreateAt(-100 /* AT_FDCWD */, path, &file);
  EXPECT_TRUE(failure.ok()) << path << ": errno " << failure.error_number;
  return file;
}

inline File MakeFile(const std::string& path, uint64_t bytes, uint8_t fill) {
  File file = MakeFile(path);
  std::string content(bytes, static_cast<char>(fill));
  EXPECT_TRUE(file.Pwrite(content.data(), content.size(), 0).ok());
  return file;
}

// Removes the hook at the end of scope.
struct HookScope {
  explicit HookScope(SyscallHook hook) { SetSyscallHook(hook); }
  ~HookScope() { SetSyscallHook(nullptr); }
};

}  // namespace sealog::test
