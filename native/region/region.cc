#include "region/region.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "format/layout.h"
#include "platform/cpu.h"
#include "platform/file_system.h"
#include "platform/syscall.h"
#include "platform/system.h"

namespace sealog {
namespace {

constexpr uint64_t kRegionBytesMin = 64 << 10;
constexpr uint64_t kRegionGrain = kSegmentBytesMin;

// What must hold before the lock: it is not even tried on anything but a file of ours.
Failure CheckFile(const FileStat& stat) {
  if (stat.type != FileType::kRegular) return Refusal(Status::kNotRegular, "not a regular file");
  if (IsSwapFile(stat.device, stat.inode)) return Refusal(Status::kNotRegular, "in use for swapping");
  return {};
}

// And after it, when nobody who honours locks can change it any more.
Failure CheckContent(const FileStat& stat) {
  if (stat.links == 0) return Refusal(Status::kAbsent, "the file was deleted");
  return stat.bytes == 0 ? Refusal(Status::kNotAStore, "the file is empty") : Failure{};
}

Failure CheckStore(const File& file, const FileStat& stat) {
  if (stat.links == 0) return Refusal(Status::kAbsent, "the file was deleted");
  if (stat.links > 1) return Refusal(Status::kLinked, "the file has more than one hard link");
  bool found = false;
  for (uint64_t offset : kSuperblockOffset) {
    uint64_t magic = 0;
    size_t done = 0;
    Failure failure = file.Pread(&magic, sizeof magic, offset, &done);
    if (!failure.ok()) return failure;
    found = found || (done == sizeof magic && magic == kSuperblockMagic);
  }
  if (!found) return Refusal(Status::kNotAStore, "neither superblock begins with the magic");
  if (stat.bytes < kRegionBytesMin || stat.bytes % kRegionGrain != 0) {
    return Refusal(Status::kTruncated, "no store has this size", stat.bytes);
  }
  return {};
}

Failure LockForWriting(const File& file) {
  Failure failure = file.LockExclusive();
  // Also where whoever was in the way has gone since.
  if (failure.status == Status::kLocked && !file.IsLocked()) failure.status = Status::kBeingRead;
  return failure;
}

Failure ChooseFlush(const std::string& name, Domain domain, bool eadr, FlushKind* out) {
  *out = BestFlush(eadr);
  if (!name.empty()) {
    if (!FlushKindOf(name.c_str(), out)) return Refusal(Status::kInvalid, "no such flush: " + name);
    if (!FlushAvailable(*out)) return Refusal(Status::kUnsupported, "this CPU has no " + name);
    if (*out == FlushKind::kNone && domain == Domain::kPmem && !eadr) {
      return Refusal(Status::kInvalid, "caches are not persistent here: a flush is needed");
    }
  }
  if (domain == Domain::kDisk) *out = FlushKind::kNone;
  return {};
}

MapMode ModeFor(Domain domain, bool read_only) {
  if (read_only || domain == Domain::kDisk) return MapMode::kPrivate;
  return domain == Domain::kPmem ? MapMode::kSharedSync : MapMode::kShared;
}

// As much as there is, down to the file itself.
Failure ReserveFor(uint64_t bytes, uint64_t asked, Mapping* out) {
  if (bytes > SIZE_MAX / 2) return Refusal(Status::kNoMemory, "the file is larger than the address space");
  uint64_t wanted = std::max(Region::kReserveBytesMin, std::min<uint64_t>(asked, SIZE_MAX / 2));
  if (bytes <= SIZE_MAX / 2 / Region::kReserveFactor) wanted = std::max(wanted, bytes * Region::kReserveFactor);
  for (;; wanted = std::max(wanted / 2, bytes)) {
    Failure failure = Mapping::Reserve(wanted, out);
    if (failure.ok() || failure.error_number != ENOMEM || wanted <= bytes) return failure;
  }
}

// A session that ended without closing has left its file immutable. Taken away only from a store that nobody has open,
// and only if the flag is ours.
Failure LiftImmutable(const std::string& path) {
  File file;
  FileStat stat;
  Failure failure = File::Open(path, OpenMode::kReadOnly, &file);
  if (failure.ok()) failure = file.Stat(&stat);
  if (failure.ok()) failure = CheckFile(stat);
  if (failure.ok()) failure = file.LockShared();  // a living writer has it exclusively
  if (failure.ok()) failure = file.Stat(&stat);
  if (failure.ok()) failure = CheckStore(file, stat);
  if (failure.ok() && !ReadFileAttributes(file).immutable) failure = SystemFailure("open", EPERM);
  return failure.ok() ? ClearImmutable(file) : failure;
}

}  // namespace

Region::~Region() {
  // What fails here is for the next Open to do.
  if (immutable_) static_cast<void>(ClearImmutable(file_));
}

// In a forked child.
void Region::GiveUp() {
  immutable_ = false;
  file_.Close();
  mapping_.Abandon(false);
}

Failure Region::EnforceSeal() const {
  if (info_.domain != Domain::kPmem || info_.fs_name != "ext4") {
    return Refusal(Status::kUnsupported,
                   "the immutable flag holds, and lets a store work, only on ext4 with DAX; this is " + info_.fs_name +
                       ", domain " + DomainName(info_.domain));
  }
  if (info_.read_only) return Refusal(Status::kReadOnly, "");
  Failure failure = SetImmutable(file_);
  immutable_ = failure.ok();
  return failure;
}

Failure Region::Open(const std::string& path, const RegionOptions& options, std::unique_ptr<Region>* out) {
  Failure failure = EnsureGuardHandler();
  if (!failure.ok()) return failure;
  auto region = std::unique_ptr<Region>(new Region());
  File& file = region->file_;
  FileStat stat;
  const OpenMode mode = options.read_only ? OpenMode::kReadOnly : OpenMode::kReadWrite;
  failure = File::Open(path, mode, &file);
  if (failure.error_number == EPERM && !options.read_only) {
    failure = LiftImmutable(path);
    if (failure.ok()) failure = File::Open(path, mode, &file);
  }
  if (failure.ok()) failure = file.Stat(&stat);
  if (failure.ok()) failure = CheckFile(stat);
  if (failure.ok()) failure = options.read_only ? file.LockShared() : LockForWriting(file);
  const bool beside_writer = failure.status == Status::kLocked && options.read_only && options.beside_writer;
  if (beside_writer) failure = {};
  if (failure.ok()) failure = file.Stat(&stat);
  const bool any_content = options.read_only && options.any_content;
  if (failure.ok()) failure = any_content ? CheckContent(stat) : CheckStore(file, stat);
  FileSystem file_system;
  if (failure.ok()) failure = ReadFileSystem(file, &file_system);
  if (!failure.ok()) return failure;

  RegionInfo& info = region->info_;
  info.path = path;
  info.file_bytes = stat.bytes;
  info.domain = DetectDomain(file, options.durability);
  info.map_sync = info.domain == Domain::kPmem;
  info.dax = ReadFileAttributes(file).dax;
  info.eadr = HasEadr();
  info.fs_name = file_system.name;
  memcpy(info.fs_uuid, file_system.uuid, sizeof info.fs_uuid);
  info.device = stat.device;
  info.inode = stat.inode;
  info.block_bytes = file_system.block_bytes;
  info.read_only = options.read_only;
  info.beside_writer = beside_writer;
  if (info.domain < options.require_domain) {
    return Refusal(Status::kRequire, std::string("the file is in the domain ") + DomainName(info.domain) + ", " +
                                         DomainName(options.require_domain) + " is required");
  }
  failure = ChooseFlush(options.flush, info.domain, info.eadr, &info.flush);
  if (failure.ok()) failure = ReserveFor(stat.bytes, options.reserve_bytes, &region->mapping_);
  if (failure.ok()) {
    failure = region->mapping_.Map(file, 0, stat.bytes, ModeFor(info.domain, options.read_only));
  }
  if (failure.ok()) *out = std::move(region);
  return failure;
}

Failure Region::PinCheckpoint(uint64_t sequence) {
  Failure failure = file_.Mark(sequence);
  if (!failure.ok()) return failure;
  pinned_checkpoint_ = sequence;
  // With the fence in IsPinned: either the writer sees the mark, or we see the checkpoint that it has written.
  std::atomic_thread_fence(std::memory_order_seq_cst);
  return info_.domain == Domain::kMemory ? Failure{} : file_.Fdatasync();
}

bool Region::IsPinned(uint64_t first, uint64_t end) const {
  std::atomic_thread_fence(std::memory_order_seq_cst);
  return file_.HasMarks(first, end);
}

Failure Region::Read(uint64_t offset, void* out, size_t bytes, size_t* done) const {
  *done = 0;
  if (offset >= this->bytes()) return {};
  if (bytes > this->bytes() - offset) bytes = this->bytes() - offset;
  if (!Guarded(scope(), [&] { memcpy(out, base() + offset, bytes); })) {
    return Refusal(Status::kMedia, "the mapping is not there: the file was truncated, or the media failed", offset);
  }
  *done = bytes;
  return {};
}

}  // namespace sealog
