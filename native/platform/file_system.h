// The file system below a file, and the file's attributes there.
#pragma once

#include <cstdint>
#include <string>

#include "base/status.h"
#include "platform/file.h"

namespace sealog {

struct FileSystem {
  const char* name = "unknown";  // "ext4" (ext2 and ext3 share its magic), "xfs", "btrfs", "tmpfs", "f2fs", "nfs", ...
  uint64_t magic = 0;
  bool local = false;                // known to be on this machine; unknown ones and FUSE are not
  bool memory = false;               // tmpfs, ramfs: gone at reboot
  bool overwrites_in_place = false;  // a written block stays until somebody asks otherwise: ext4, xfs, f2fs (pinned)
  uint32_t block_bytes = 0;
  uint64_t free_bytes = 0;       // for this user; UINT64_MAX where there is no limit
  uint64_t root_free_bytes = 0;  // with what is reserved for root
  uint8_t uuid[16] = {};         // FS_IOC_GETFSUUID (Linux 6.9), zeros where there is none
};

Failure ReadFileSystem(const File& file, FileSystem* out);

struct FileAttributes {
  bool dax = false;  // STATX_ATTR_DAX: information only
  bool immutable = false;
  uint64_t generation = 0;  // FS_IOC_GETVERSION, 0 where there is none: tells a reused inode number
};

// Best effort: what cannot be had stays false or 0.
FileAttributes ReadFileAttributes(const File& file);

// The immutable flag: the kernel refuses writes, truncation, fallocate, links, renames and opening for writing to
// anybody, until it is taken away. Needs CAP_LINUX_IMMUTABLE (kPermission). A file that is immutable through here
// carries the mark "user.sealog.immutable", so that a flag that a crash left is told from one that somebody else has
// set.
Failure SetImmutable(const File& file);
// Takes the flag and the mark away; kPermission too if the mark is missing.
Failure ClearImmutable(const File& file);

// "rw,relatime,dax=always": of the mount that the file is on, as /proc/self/mountinfo has it; "" if not found.
std::string ReadMountOptions(uint64_t device);

// What each file system wants to be told before the first block is allocated. REQUIRES: the file is empty. Best effort:
//   xfs    extent size hint 2 MiB (contiguous, huge mappings), NODEFRAG (xfs_fsr would move even mapped blocks)
//   f2fs   pinned: the cleaner leaves the blocks alone
//   btrfs  NOCOW: overwrites in place, for as long as nobody snapshots or balances
//   ext4   nothing: it moves nothing that is on DAX, and has no hint to give
void PrepareForAllocation(const File& file, const FileSystem& file_system);

}  // namespace sealog
