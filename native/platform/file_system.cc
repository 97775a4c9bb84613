#include "platform/file_system.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include <cstring>

#include "platform/mapping.h"
#include "platform/syscall.h"

#ifndef STATX_ATTR_DAX
#define STATX_ATTR_DAX 0x00200000
#endif

namespace sealog {
namespace {

using internal::Syscall;

enum Traits : uint8_t { kRemote = 0, kLocal = 1, kMemory = 2, kInPlace = 4 };

struct Kind {
  uint64_t magic;
  const char* name;
  uint8_t traits;
};

constexpr uint64_t kXfsMagic = 0x58465342;
constexpr uint64_t kBtrfsMagic = 0x9123683e;
constexpr uint64_t kF2fsMagic = 0xf2f52010;

constexpr Kind kKinds[] = {
    {0xef53, "ext4", kLocal | kInPlace},  // ext2, ext3: the same magic, and no less in place
    {kXfsMagic, "xfs", kLocal | kInPlace},
    {kBtrfsMagic, "btrfs", kLocal},
    {kF2fsMagic, "f2fs", kLocal},  // in place if pinned: see below
    {0x01021994, "tmpfs", kLocal | kMemory},
    {0x858458f6, "ramfs", kLocal | kMemory},
    {0x958458f6, "hugetlbfs", kLocal | kMemory},
    {0x2fc12fc1, "zfs", kLocal},
    {0xca451a4e, "bcachefs", kLocal},
    {0x794c7630, "overlay", kLocal},  // what is below it does not show
    {0x4d44, "vfat", kLocal},
    {0x2011bab0, "exfat", kLocal},
    {0x7366746e, "ntfs3", kLocal},
    {0x3153464a, "jfs", kLocal},
    {0x3434, "nilfs2", kLocal},
    {0x6969, "nfs", kRemote},
    {0x65735546, "fuse", kRemote},  // virtiofs as well
    {0x01021997, "9p", kRemote},
    {0xff534d42, "cifs", kRemote},
    {0xfe534d42, "smb2", kRemote},
    {0x00c36400, "ceph", kRemote},
    {0x0bd00bd0, "lustre", kRemote},
    {0x01161970, "gfs2", kRemote},
    {0x7461636f, "ocfs2", kRemote},
    {0x5346414f, "afs", kRemote},
};

// Linux 6.9; not in every <linux/fs.h>.
struct FsUuid {
  uint8_t bytes;
  uint8_t uuid[16];
};
#define SEALOG_IOC_GETFSUUID _IOR(0x15, 0, FsUuid)
#define SEALOG_IOC_F2FS_SET_PIN_FILE _IOW(0xf5, 13, uint32_t)

int Ioctl(const File& file, const char* name, unsigned long request, void* argument) {
  return Syscall(name, [&] { return ioctl(file.descriptor(), request, argument); });
}

constexpr char kImmutableMark[] = "user.sealog.immutable";

Failure ChangeImmutable(const File& file, bool immutable) {
  int flags = 0;
  if (Ioctl(file, "ioctl GETFLAGS", FS_IOC_GETFLAGS, &flags) != 0) return SystemFailure("ioctl GETFLAGS", errno);
  flags = immutable ? flags | FS_IMMUTABLE_FL : flags & ~FS_IMMUTABLE_FL;
  if (Ioctl(file, "ioctl SETFLAGS", FS_IOC_SETFLAGS, &flags) == 0) return {};
  Failure failure = SystemFailure("ioctl SETFLAGS", errno);
  if (failure.status == Status::kPermission) failure.detail = "the immutable flag needs CAP_LINUX_IMMUTABLE";
  return failure;
}

void AddInodeFlag(const File& file, int flag) {
  int flags = 0;
  if (Ioctl(file, "ioctl GETFLAGS", FS_IOC_GETFLAGS, &flags) != 0) return;
  flags |= flag;
  Ioctl(file, "ioctl SETFLAGS", FS_IOC_SETFLAGS, &flags);
}

void PrepareXfs(const File& file) {
  fsxattr attributes = {};
  if (Ioctl(file, "ioctl FSGETXATTR", FS_IOC_FSGETXATTR, &attributes) != 0) return;
  attributes.fsx_xflags |= FS_XFLAG_NODEFRAG;
  fsxattr with_hint = attributes;
  with_hint.fsx_xflags |= FS_XFLAG_EXTSIZE;
  with_hint.fsx_extsize = kHugePageBytes;
  // The hint is refused where it is not a multiple of the (realtime) extent; then NODEFRAG alone.
  if (Ioctl(file, "ioctl FSSETXATTR", FS_IOC_FSSETXATTR, &with_hint) != 0) {
    Ioctl(file, "ioctl FSSETXATTR", FS_IOC_FSSETXATTR, &attributes);
  }
}

}  // namespace

Failure ReadFileSystem(const File& file, FileSystem* out) {
  struct statfs st;
  if (internal::RestartedSyscall("fstatfs", [&] { return fstatfs(file.descriptor(), &st); }) != 0) {
    return SystemFailure("fstatfs", errno);
  }
  *out = {};
  out->magic = static_cast<uint32_t>(st.f_type);  // the same on every word size
  for (const Kind& kind : kKinds) {
    if (kind.magic != out->magic) continue;
    out->name = kind.name;
    out->local = (kind.traits & kLocal) != 0;
    out->memory = (kind.traits & kMemory) != 0;
    out->overwrites_in_place = (kind.traits & kInPlace) != 0;
  }
  if (out->magic == kF2fsMagic) {  // shows pinning as NOCOW
    int flags = 0;
    out->overwrites_in_place =
        Ioctl(file, "ioctl GETFLAGS", FS_IOC_GETFLAGS, &flags) == 0 && (flags & FS_NOCOW_FL) != 0;
  }
  out->block_bytes = static_cast<uint32_t>(st.f_bsize);
  const bool limited = st.f_blocks != 0;  // a tmpfs with size=0 reports nothing
  out->free_bytes = limited ? uint64_t{st.f_bavail} * out->block_bytes : UINT64_MAX;
  out->root_free_bytes = limited ? uint64_t{st.f_bfree} * out->block_bytes : UINT64_MAX;
  FsUuid uuid = {};
  if (Ioctl(file, "ioctl GETFSUUID", SEALOG_IOC_GETFSUUID, &uuid) == 0 && uuid.bytes <= sizeof uuid.uuid) {
    memcpy(out->uuid, uuid.uuid, uuid.bytes);
  }
  return {};
}

Failure SetImmutable(const File& file) {
  // The mark first: an immutable file takes no attributes.
  if (Syscall("fsetxattr", [&] { return fsetxattr(file.descriptor(), kImmutableMark, "1", 1, 0); }) != 0) {
    return SystemFailure("fsetxattr", errno);
  }
  return ChangeImmutable(file, true);
}

Failure ClearImmutable(const File& file) {
  char mark = 0;
  if (Syscall("fgetxattr", [&] { return fgetxattr(file.descriptor(), kImmutableMark, &mark, 1); }) != 1) {
    Failure failure = SystemFailure("fgetxattr", EPERM);
    failure.detail = "somebody else has made the file immutable (chattr -i)";
    return failure;
  }
  Failure failure = ChangeImmutable(file, false);
  if (failure.ok()) {
    Syscall("fremovexattr", [&] { return fremovexattr(file.descriptor(), kImmutableMark); });
  }
  return failure;
}

FileAttributes ReadFileAttributes(const File& file) {
  FileAttributes attributes;
  struct statx stx = {};
  if (Syscall("statx", [&] { return statx(file.descriptor(), "", AT_EMPTY_PATH, STATX_BASIC_STATS, &stx); }) == 0) {
    attributes.dax = (stx.stx_attributes & STATX_ATTR_DAX) != 0;
    attributes.immutable = (stx.stx_attributes & STATX_ATTR_IMMUTABLE) != 0;
  }
  long generation = 0;  // the kernel writes an int, whatever the request number says
  if (Ioctl(file, "ioctl GETVERSION", FS_IOC_GETVERSION, &generation) == 0) {
    attributes.generation = static_cast<uint32_t>(generation);
  }
  return attributes;
}

std::string ReadMountOptions(uint64_t device) {
  std::string text;
  if (!ReadTextFile("/proc/self/mountinfo", 1 << 20, &text).ok()) return "";
  const std::string wanted = std::to_string(major(device)) + ":" + std::to_string(minor(device));
  std::string options;
  // "36 35 98:0 /root /mount rw,noatime master:1 - ext4 /dev/x rw,errors=continue": fields 3, 6, and the third behind
  // the dash.
  for (size_t begin = 0, end; begin < text.size(); begin = end + 1) {
    end = std::min(text.find('\n', begin), text.size());
    std::string found;
    int field = 0, dash = 0;
    for (size_t at = begin, stop; at < end; at = stop + 1) {
      stop = std::min(text.find(' ', at), end);
      std::string value = text.substr(at, stop - at);
      ++field;
      if (field == 3 && value != wanted) break;
      if (field == 6) found = value;
      if (dash != 0 && field == dash + 3) options = found + "," + value;  // the last mount of the device counts
      if (dash == 0 && field > 6 && value == "-") dash = field;
    }
  }
  return options;
}

void PrepareForAllocation(const File& file, const FileSystem& file_system) {
  if (file_system.magic == kXfsMagic) {
    PrepareXfs(file);
  } else if (file_system.magic == kBtrfsMagic) {
    AddInodeFlag(file, FS_NOCOW_FL);
  } else if (file_system.magic == kF2fsMagic) {
    uint32_t pin = 1;
    Ioctl(file, "ioctl SET_PIN_FILE", SEALOG_IOC_F2FS_SET_PIN_FILE, &pin);
  }
}

}  // namespace sealog
