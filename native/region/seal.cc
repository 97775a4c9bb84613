#include "region/seal.h"

#include <linux/falloc.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "base/crc32c.h"
#include "platform/extent_map.h"
#include "platform/file_system.h"
#include "platform/system.h"
#include "region/meta_writer.h"

namespace sealog {
namespace {

constexpr uint64_t kChunkBytes = 1 << 20;

SealLevel LevelOf(const ExtentSummary& map, const FileSystem& file_system) {
  if (!map.covers) return SealLevel::kSparse;
  if (map.unwritten_bytes != 0 || map.shared_bytes != 0 || map.other_bytes != 0) return SealLevel::kAllocated;
  return file_system.overwrites_in_place ? SealLevel::kSealed : SealLevel::kAllocated;
}

// Writes what the chunks marked contain back to them, which turns unwritten extents into written ones.
Failure RewriteChunks(const File& file, const std::vector<bool>& marked) {
  std::vector<uint8_t> buffer(kChunkBytes);
  for (uint64_t chunk = 0; chunk < marked.size(); ++chunk) {
    if (!marked[chunk]) continue;
    size_t bytes = 0;
    Failure failure = file.Pread(buffer.data(), buffer.size(), chunk * kChunkBytes, &bytes);
    if (failure.ok()) failure = file.Pwrite(buffer.data(), bytes, chunk * kChunkBytes);
    if (!failure.ok()) return failure;
  }
  return {};
}

// Marks what a store would have to allocate for, convert or copy.
Failure MarkChunks(const File& file, uint64_t bytes, std::vector<bool>* marked) {
  marked->assign((bytes + kChunkBytes - 1) / kChunkBytes, false);
  auto mark = [&](uint64_t begin, uint64_t end) {
    for (uint64_t at = begin / kChunkBytes; begin < end && at <= (end - 1) / kChunkBytes; ++at) (*marked)[at] = true;
  };
  uint64_t next = 0;
  Failure failure = VisitExtents(file, bytes, [&](const Extent& extent) {
    mark(next, extent.logical);
    next = extent.logical + extent.length;
    if (extent.flags != 0) mark(extent.logical, next);
  });
  mark(next, bytes);
  return failure;
}

}  // namespace

Failure ProbeSeal(const File& file, SealProbe* out) {
  *out = {};
  FileStat stat;
  Failure failure = file.Stat(&stat);
  if (!failure.ok()) return failure;
  FileSystem file_system;
  failure = ReadFileSystem(file, &file_system);
  if (!failure.ok()) return failure;
  const FileAttributes attributes = ReadFileAttributes(file);
  out->region_bytes = stat.bytes;
  out->device = stat.device;
  out->inode = stat.inode;
  out->generation = attributes.generation;
  out->immutable = attributes.immutable;

  ExtentSummary map;
  failure = SummarizeExtents(file, stat.bytes, &map);
  if (failure.ok()) {
    out->method = "fiemap";
    out->level = LevelOf(map, file_system);
    out->extents = map.extents;
    out->digest = map.digest;
    out->aligned_bytes = map.aligned_bytes;
    out->unwritten_bytes = map.unwritten_bytes;
    out->shared_bytes = map.shared_bytes;
    out->hole_bytes = map.hole_bytes;
    out->other_bytes = map.other_bytes;
    return {};
  }
  if (failure.status != Status::kUnsupported) return failure;
  if (file_system.memory) {
    out->method = "blocks";
    out->hole_bytes = stat.bytes - std::min(stat.bytes, stat.allocated_bytes);
    out->level = out->hole_bytes == 0 ? SealLevel::kAllocated : SealLevel::kSparse;
  }
  return {};
}

Failure RepairSeal(const File& file, SealProbe* after) {
  SealProbe before;
  Failure failure = ProbeSeal(file, &before);
  if (!failure.ok()) return failure;
  const uint64_t bytes = before.region_bytes;
  if (before.hole_bytes != 0) {
    // Contiguous where it can be; where there is no fallocate the rewriting fills the holes.
    failure = file.Fallocate(0, 0, bytes);
    if (!failure.ok() && failure.status != Status::kUnsupported) return failure;
  }
  if (before.shared_bytes != 0) {
    // btrfs has no such call; there the rewriting copies.
    failure = file.Fallocate(FALLOC_FL_UNSHARE_RANGE, 0, bytes);
    if (!failure.ok() && failure.status != Status::kUnsupported) return failure;
  }
  if (strcmp(before.method, "fiemap") == 0) {
    std::vector<bool> marked;
    failure = MarkChunks(file, bytes, &marked);
    if (failure.ok()) failure = RewriteChunks(file, marked);
    if (!failure.ok()) return failure;
  }
  failure = file.Fsync();
  return failure.ok() ? ProbeSeal(file, after) : failure;
}

Failure WriteSealRecord(const File& file, const uint8_t uuid[16], uint64_t sequence, const SealProbe& probe) {
  FileSystem file_system;
  Failure failure = ReadFileSystem(file, &file_system);
  if (!failure.ok()) return failure;
  SealRecord record = {};
  record.sequence = sequence;
  record.device = probe.device;
  record.inode = probe.inode;
  record.generation = probe.generation;
  record.region_bytes = probe.region_bytes;
  record.extent_digest = probe.digest;
  record.extent_count = static_cast<uint32_t>(std::min<uint64_t>(probe.extents, UINT32_MAX));
  record.level = static_cast<uint32_t>(probe.level);
  record.time_unix_ms = UnixMillis();
  record.aligned_bytes = probe.aligned_bytes;
  memcpy(record.fs_uuid, file_system.uuid, sizeof record.fs_uuid);
  strncpy(record.fs_name, file_system.name, sizeof record.fs_name - 1);
  strncpy(record.kernel_release, KernelRelease().c_str(), sizeof record.kernel_release - 1);
  Complete(&record, StoreSeed(uuid));
  return file.PwriteDsync(&record, sizeof record, kSealRecordOffset[sequence & 1]);
}

}  // namespace sealog
