// An open file. Everything that reaches a store's file other than by mapping goes through here.
// Calls are complete: EINTR and short transfers are dealt with inside. Safe from several threads at once, but for
// moves.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "base/status.h"

namespace sealog {

enum class OpenMode { kReadOnly, kReadWrite };

enum class FileType { kRegular, kDirectory, kOther };

struct FileStat {
  FileType type = FileType::kOther;
  uint64_t links = 0;
  uint64_t bytes = 0;
  uint64_t device = 0;
  uint64_t inode = 0;
  uint64_t allocated_bytes = 0;  // st_blocks * 512
  uint32_t block_bytes = 0;      // st_blksize
};

class File {
 public:
  File() = default;
  ~File();
  File(File&& other) noexcept;
  File& operator=(File&& other) noexcept;
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  // Opens what exists; never creates. A symlink as the last component is refused (kNotRegular), as is a directory for
  // writing. Never blocks on a FIFO or on another's lease. Anything but a regular file is for the caller to refuse, by
  // Stat.
  static Failure Open(const std::string& path, OpenMode mode, File* out);
  // The same, relative to an open directory (a descriptor, or AT_FDCWD).
  static Failure OpenAt(int directory, const std::string& name, OpenMode mode, File* out);
  // Creates a file that must not exist, mode 0600, open for reading and writing.
  static Failure CreateAt(int directory, const std::string& name, File* out);

  bool is_open() const { return descriptor_ >= 0; }
  int descriptor() const { return descriptor_; }
  void Close();

  // Reads `bytes` at `offset`, fewer only at the end of the file. `*done` gets the count; without `done`, fewer is
  // kTruncated.
  Failure Pread(void* out, size_t bytes, uint64_t offset, size_t* done = nullptr) const;

  // Writes all, to the page cache (on DAX: to the media, unfenced).
  Failure Pwrite(const void* data, size_t bytes, uint64_t offset) const;
  Failure PwriteGather(std::span<const iovec> pieces, uint64_t offset) const;

  // Writes all and makes exactly that durable, in one call: RWF_DSYNC, which leaves other dirty pages of the file
  // alone. Where the kernel or the file system has no such thing: a write and fdatasync.
  // After a failure nothing is known about what is on the device: poison, do not retry.
  Failure PwriteDsync(const void* data, size_t bytes, uint64_t offset) const;
  Failure PwriteGatherDsync(std::span<const iovec> pieces, uint64_t offset) const;

  Failure Fdatasync() const;
  Failure Fsync() const;

  // fallocate(2) with `mode`. REQUIRES: the bit 0x80 is not set: since Linux 6.17 it means WRITE_ZEROES. EOPNOTSUPP:
  // kUnsupported.
  Failure Fallocate(int mode, uint64_t offset, uint64_t bytes) const;
  Failure Truncate(uint64_t bytes) const;

  Failure Stat(FileStat* out) const;

  // An open-file-description lock on all that the file can hold, not waited for: kLocked if there is a conflicting one,
  // also one held by another `File` of this process. Gone when the file is closed; a forked child shares it until it
  // closes or execs. The exclusive one needs kReadWrite.
  Failure LockExclusive() const { return Lock(true); }
  Failure LockShared() const { return Lock(false); }
  void Unlock() const;
  // Whether another open file has the exclusive lock.
  bool IsLocked() const;

  // Shared locks on single bytes behind all that: numbers that whoever holds them says, by the kernel, to anyone who
  // asks, for as long as it lives. kReadOnly is enough.
  static constexpr uint64_t kMarksMax = uint64_t{1} << 53;
  Failure Mark(uint64_t number) const;
  // Whether another open file has a mark in [first, end). True as well where that cannot be asked.
  bool HasMarks(uint64_t first, uint64_t end) const;

  // True if a write lease is granted, that is: nobody else has this file open. It is given back at once.
  bool CanLease() const;

 private:
  explicit File(int descriptor) : descriptor_(descriptor) {}
  Failure Lock(bool exclusive) const;
  Failure WriteAll(std::span<const iovec> pieces, uint64_t offset, int flags) const;

  int descriptor_ = -1;
};

// The whole of a small text file, as in /proc and /sys; at most `bytes_max` of it.
Failure ReadTextFile(const std::string& path, size_t bytes_max, std::string* out);

}  // namespace sealog
