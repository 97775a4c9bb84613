#include "region/create.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "base/crc32c.h"
#include "format/meta.h"
#include "platform/directory.h"
#include "platform/file_system.h"
#include "platform/syscall.h"
#include "platform/system.h"
#include "region/extender.h"
#include "region/meta_writer.h"
#include "region/seal.h"
#include "region/unpublished.h"

namespace sealog {
namespace {

constexpr uint64_t kBufferBytes = 1 << 20;
constexpr uint32_t kTableGrowth = 4;

struct Geometry {
  uint64_t region_bytes;
  uint32_t segment_count;
  uint32_t meta_segments;
  uint32_t table_capacity;
};

Failure ComputeGeometry(const CreateOptions& options, Geometry* out) {
  const uint64_t segment = options.segment_bytes;
  if (segment < kSegmentBytesMin || segment > kSegmentBytesMax || (segment & (segment - 1)) != 0) {
    return Refusal(Status::kInvalid, "segmentBytes must be a power of two from 16 KiB to 2 MiB");
  }
  if (options.capacity_bytes == 0 || options.capacity_bytes > kRegionBytesMax) {
    return Refusal(Status::kInvalid, "capacityBytes must be from 1 to 16 TiB");
  }
  const uint64_t count = (options.capacity_bytes + segment - 1) / segment;
  uint64_t table = options.table_capacity;
  if (table == 0) {
    table = std::min<uint64_t>(count * kTableGrowth, kSegmentNone - 1);
    const uint64_t room = MetaSegments(options.segment_bytes, static_cast<uint32_t>(table)) * segment;
    table = std::min<uint64_t>((room - kSegmentTableOffset) / kSegmentEntryBytes, kSegmentNone - 1);
  }
  const uint64_t meta = MetaSegments(options.segment_bytes, static_cast<uint32_t>(table));
  if (count < meta + kFreeSegmentsMin) {
    return Refusal(Status::kInvalid,
                   "capacityBytes must be at least " + std::to_string((meta + kFreeSegmentsMin) * segment) + " here");
  }
  if (table < count) return Refusal(Status::kInvalid, "tableCapacity is less than the segments there are to be");
  *out = {count * segment, static_cast<uint32_t>(count), static_cast<uint32_t>(meta), static_cast<uint32_t>(table)};
  return {};
}

class Maker {
 public:
  Maker(const File& file, const CreateOptions& options, const Geometry& geometry)
      : file_(file), options_(options), geometry_(geometry), buffer_(kBufferBytes) {}

  Failure Make() {
    Failure failure = file_.LockExclusive();
    if (failure.ok()) failure = ReadFileSystem(file_, &file_system_);
    if (!failure.ok()) return failure;
    PrepareForAllocation(file_, file_system_);
    bool zeroed = false;
    Extender extender(file_, file_system_, 0, geometry_.region_bytes, options_.progress, nullptr);
    failure = extender.Allocate(&zeroed);
    if (failure.ok()) failure = CheckDomain();
    if (failure.ok() && !zeroed) failure = extender.WriteZeros();
    if (failure.ok()) failure = WriteMeta();
    if (failure.ok()) failure = file_.Fsync();
    if (failure.ok()) failure = Seal();
    return failure.ok() ? extender.CheckAbort() : failure;
  }

 private:
  Failure CheckDomain() {
    const Domain domain = DetectDomain(file_, options_.durability);
    if (domain >= options_.require_domain) return {};
    return Refusal(Status::kRequire, std::string("a store here is in the domain ") + DomainName(domain) + ", " +
                                         DomainName(options_.require_domain) + " is required");
  }

  Failure WriteMeta() {
    Superblock superblock = {};
    Failure failure = RandomBytes(superblock.uuid, sizeof superblock.uuid);
    if (!failure.ok()) return failure;
    superblock.uuid[6] = static_cast<uint8_t>((superblock.uuid[6] & 0x0f) | 0x40);  // version 4
    superblock.uuid[8] = static_cast<uint8_t>((superblock.uuid[8] & 0x3f) | 0x80);  // variant 1
    memcpy(uuid_, superblock.uuid, sizeof uuid_);
    superblock.features_incompat = kFeatureExpiry | kFeatureCleaning;
    superblock.sequence = 1;
    superblock.created_unix_ms = UnixMillis();
    superblock.region_bytes = geometry_.region_bytes;
    superblock.segment_bytes_log2 = static_cast<uint32_t>(__builtin_ctz(options_.segment_bytes));
    superblock.segment_count = geometry_.segment_count;
    superblock.meta_segments = geometry_.meta_segments;
    superblock.table_capacity = geometry_.table_capacity;
    superblock.key_codec = options_.key_codec;
    superblock.value_codec = options_.value_codec;
    strncpy(superblock.created_by, options_.created_by.c_str(), sizeof superblock.created_by - 1);
    Complete(&superblock);
    // Twice, so that one that rots does not take the store with it.
    for (uint64_t offset : kSuperblockOffset) {
      if (failure.ok()) failure = file_.Pwrite(&superblock, sizeof superblock, offset);
    }

    CheckpointSlot slot = {};
    slot.sequence = 1;
    slot.epoch = 1;
    slot.hot.segment = kSegmentNone;  // no log segment yet: the first session takes one
    slot.cold.segment = kSegmentNone;
    slot.segment_count = geometry_.segment_count;
    slot.next_log_sequence = 1;
    slot.flags = kSlotClean;
    slot.time_unix_ms = superblock.created_unix_ms;
    if (failure.ok()) failure = WriteTable(&slot.table_check);
    Complete(&slot, StoreSeed(uuid_));
    return failure.ok() ? file_.Pwrite(&slot, sizeof slot, kCheckpointSlotOffset[slot.sequence & 1]) : failure;
  }

  // Half A of every entry, B zero. `*check` is what the slot says about it.
  Failure WriteTable(uint32_t* check) {
    const uint32_t seed = StoreSeed(uuid_);
    const uint32_t entries_per_write = kBufferBytes / kSegmentEntryBytes;
    for (uint32_t first = 0; first < geometry_.segment_count; first += entries_per_write) {
      const uint32_t count = std::min(entries_per_write, geometry_.segment_count - first);
      std::fill(buffer_.begin(), buffer_.end(), 0);
      for (uint32_t i = 0; i < count; ++i) {
        SegmentHalf half = {};
        half.type = static_cast<uint8_t>(first + i < geometry_.meta_segments ? SegmentType::kMeta : SegmentType::kFree);
        half.epoch = 1;
        Complete(&half, seed, first + i);
        *check ^= TableTerm(half.crc);
        memcpy(buffer_.data() + size_t{i} * kSegmentEntryBytes, &half, sizeof half);
      }
      Failure failure = file_.Pwrite(buffer_.data(), size_t{count} * kSegmentEntryBytes, SegmentHalfOffset(first, 0));
      if (!failure.ok()) return failure;
    }
    return {};
  }

  Failure Seal() {
    SealProbe probe;
    Failure failure = ProbeSeal(file_, &probe);
    if (!failure.ok()) return failure;
    if (file_system_.overwrites_in_place && probe.level < SealLevel::kSealed) failure = RepairSeal(file_, &probe);
    if (!failure.ok()) return failure;
    if (strcmp(probe.method, "fiemap") == 0 && probe.hole_bytes != 0) {
      return Refusal(Status::kUnsupported, "this file system leaves holes in a file that was written in full");
    }
    return WriteSealRecord(file_, uuid_, 1, probe);
  }

  const File& file_;
  const CreateOptions& options_;
  const Geometry& geometry_;
  FileSystem file_system_;
  std::vector<uint8_t> buffer_;
  uint8_t uuid_[16] = {};
};

}  // namespace

Failure CreateStore(const std::string& path, const CreateOptions& options) {
  Geometry geometry;
  Failure failure = ComputeGeometry(options, &geometry);
  if (!failure.ok()) return failure;
  std::string parent, name;
  if (!Directory::Split(path, &parent, &name)) return Refusal(Status::kInvalid, "the path ends in no file name");
  Directory directory;
  failure = Directory::Open(parent, &directory);
  if (!failure.ok()) return failure;
  if (directory.Has(name)) return SystemFailure("open", EEXIST);  // early; RenameNew is what decides
  Unpublished made(&directory);
  failure = made.Make(name, "creating");
  if (failure.ok()) failure = Maker(made.file(), options, geometry).Make();
  if (failure.ok() && options.on_publish) {
    FileStat stat;
    failure = made.file().Stat(&stat);
    if (failure.ok()) options.on_publish(stat.device, stat.inode);
  }
  return failure.ok() ? made.Publish(name) : failure;
}

Failure PublishStore(const std::string& from, const std::string& to) {
  std::string path, to_path, name, to_name;
  if (!Directory::Split(from, &path, &name) || !Directory::Split(to, &to_path, &to_name) || path != to_path) {
    return Refusal(Status::kInvalid, "both names must be of one directory");
  }
  Directory directory;
  Failure failure = Directory::Open(path, &directory);
  if (failure.ok()) failure = directory.RenameNew(name, to_name);
  return failure.ok() ? directory.Fsync() : failure;
}

}  // namespace sealog
