// A store file, checked, locked and mapped. Knows no structure in it but the magic of the superblock; META is decoded
// in TypeScript, the rest by the layers above. Also the umbrella of this layer, see the end.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "base/status.h"
#include "persist/flush.h"
#include "platform/file.h"
#include "platform/fork.h"
#include "platform/guard.h"
#include "platform/mapping.h"
#include "region/domain.h"
#include "region/seal.h"

namespace sealog {

struct RegionOptions {
  bool read_only = false;
  Durability durability = Durability::kSync;
  Domain require_domain = Domain::kAny;
  bool beside_writer = false;  // read_only only: a living writer is no obstacle
  bool any_content = false;    // read_only only: opens what is no store any more, of whatever size but 0
  std::string flush;           // "", or the write-back to insist on, by its FlushName
  uint64_t reserve_bytes = 0;  // addresses to reserve, if that is more than what is reserved anyway
};

struct RegionInfo {
  std::string path;
  uint64_t file_bytes = 0;
  Domain domain = Domain::kAny;
  bool map_sync = false;
  bool dax = false;                    // the statx attribute: information only, no promise
  FlushKind flush = FlushKind::kNone;  // kNone with eADR, and in the disk domain
  bool eadr = false;
  std::string fs_name;
  uint8_t fs_uuid[16] = {};  // zeros where unknown
  uint64_t device = 0;
  uint64_t inode = 0;
  uint32_t block_bytes = 0;
  bool read_only = false;
  bool beside_writer = false;  // there was one at open: the region is not locked, and changes
};

class Region {
 public:
  // Addresses reserved at open, as a multiple of the file's size, and at least: growth up to there keeps the base. Less
  // if addresses are short.
  static constexpr uint64_t kReserveFactor = 4;
  static constexpr uint64_t kReserveBytesMin = uint64_t{64} << 30;

  // Opens, locks (exclusively; shared if read-only, or beside a writer not at all), checks and maps. The file is left
  // as it was. Never waits.
  //   kAbsent, kPermission, kNotRegular (directory, symlink, device, swap file), kLinked, kLocked
  //   kBeingRead: to a writer; readers lock it for a moment only, so it is worth trying again
  //   kNotAStore: no superblock magic
  //   kTruncated: there is one, but no store has this size (at least 64 KiB, a multiple of 16 KiB)
  //   kRequire: the domain is weaker
  //   kUnsupported: this CPU lacks the flush asked for. kInvalid: no such flush, or one too weak
  // Mapping, by domain: pmem kSharedSync; memory, os kShared; disk kPrivate, where the file changes by file() only. A
  // read-only region is kPrivate always: replay may store to it.
  static Failure Open(const std::string& path, const RegionOptions& options, std::unique_ptr<Region>* out);

  // In a forked child it is of no bytes, and file() is closed: what is there is the parent's, and its lock goes with
  // it.

  // Takes the immutable flag away again, if EnforceSeal has set it.
  ~Region();
  Region(const Region&) = delete;
  Region& operator=(const Region&) = delete;

  // The enforced seal: until the region is closed the kernel refuses every change of the file but by stores through a
  // mapping, also to descriptors opened before. A crash leaves the flag, and the next Open takes it away.
  //   kUnsupported: not ext4 with MAP_SYNC. Elsewhere our own stores would fail (ext4 without DAX) or descriptors
  //   opened before could still write and truncate (xfs). kPermission: no CAP_LINUX_IMMUTABLE
  // REQUIRES: not read-only; nothing writes to file() from now on.
  Failure EnforceSeal() const;

  // The file grows to `bytes`, written and durable, and is mapped as far, behind what is there. Its superblock does not
  // say so yet. Takes long: on a thread that may wait; the region is used meanwhile. After a failure (kNoSpace,
  // kAborted, kIo, kNoMemory) the file has its old size again. `*seal` is the block map then, recorded in the file.
  // REQUIRES: not read-only; one at a time; bytes() < bytes <= mapping().reserved_bytes().
  struct Extension {
    uint64_t bytes = 0;
    const uint8_t* uuid = nullptr;
    uint64_t seal_sequence = 0;   // of the record to write
    bool populate = false;        // the pages as well
    int64_t* progress = nullptr;  // as in CreateOptions, of the new part
    const std::atomic<bool>* stop = nullptr;
  };
  Failure Extend(const Extension& extension, SealProbe* seal, bool* populated);

  // A reader says which checkpoint it reads, until it is closed: no writer uses anything again that belongs to it. It
  // counts if the checkpoint is still the newest, or the one before, when META is looked at afterwards. What was seen
  // of the file up to now is on the device then, where that is what durable means. Invariant I-PIN-5.
  Failure PinCheckpoint(uint64_t sequence);
  uint64_t pinned_checkpoint() const { return pinned_checkpoint_; }  // 0: none
  // Gives a reader's lock back: a writer may come. REQUIRES: PinCheckpoint.
  void Unlock() const { file_.Unlock(); }
  // Whether another process, or region, has pinned a checkpoint in [first, end). REQUIRES: the checkpoint behind that
  // one is visible to those who look.
  bool IsPinned(uint64_t first, uint64_t end) const;
  // Whether another region, of whatever process, has it open for writing.
  bool HasWriter() const { return file_.IsLocked(); }
  static constexpr uint64_t kCheckpointsMax = File::kMarksMax;

  // Cuts file and mapping to `bytes`: what is behind is no store's. REQUIRES: not read-only; nobody uses that part.
  Failure Trim(uint64_t bytes);

  uint8_t* base() const { return mapping_.base(); }
  uint64_t bytes() const { return mapping_.mapped_bytes(); }
  Domain domain() const { return info_.domain; }
  bool read_only() const { return info_.read_only; }
  const RegionInfo& info() const { return info_; }
  const File& file() const { return file_; }
  File& file() { return file_; }
  const Mapping& mapping() const { return mapping_; }
  // Everything that may ever be mapped: the scope does not change as the region grows.
  GuardScope scope() const { return {mapping_.base(), mapping_.reserved_bytes()}; }

  bool Contains(const void* p) const {
    return reinterpret_cast<uintptr_t>(p) - reinterpret_cast<uintptr_t>(base()) < bytes();
  }
  // Is [offset, offset + length) inside? Any two numbers will do.
  bool ContainsRange(uint64_t offset, uint64_t length) const { return offset <= bytes() && length <= bytes() - offset; }

  // Copies from the mapping, guarded: short at the end of the region, kMedia on SIGBUS (offset: where the copy began).
  Failure Read(uint64_t offset, void* out, size_t bytes, size_t* done) const;

 private:
  Region() = default;
  void GiveUp();
  Failure Populate(uint64_t begin, uint64_t end, const std::atomic<bool>* stop) const;

  File file_;  // first, so that it is closed last: the lock covers the mapping
  Mapping mapping_;
  RegionInfo info_;
  uint64_t pinned_checkpoint_ = 0;
  mutable bool immutable_ = false;  // of the inode, not of what is mapped
  ForkWatch fork_watch_{[](void* region) { static_cast<Region*>(region)->GiveUp(); }, this};
};

}  // namespace sealog

#include "region/create.h"
#include "region/doctor.h"
#include "region/meta_writer.h"
#include "region/populate.h"
#include "region/seal.h"
