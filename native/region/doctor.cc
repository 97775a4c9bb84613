#include "region/doctor.h"

#include <cstring>
#include <vector>

#include "platform/cpu.h"
#include "platform/directory.h"
#include "platform/file_system.h"
#include "platform/mapping.h"
#include "platform/system.h"

namespace sealog {
namespace {

constexpr uint64_t kProbeBytes = 8 << 20;

std::string ErrorName(int error_number) {
#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 32)
  if (const char* name = strerrorname_np(error_number); name != nullptr) return name;
#endif
  return "errno " + std::to_string(error_number);
}

void DescribeFileSystem(const File& file, const FileSystem& file_system, DirectoryFacts* out) {
  FileStat stat;
  if (file.Stat(&stat).ok()) out->mount_options = ReadMountOptions(stat.device);
  out->fs_name = file_system.name;
  out->local = file_system.local;
  out->overwrites_in_place = file_system.overwrites_in_place;
  out->block_bytes = file_system.block_bytes;
  memcpy(out->fs_uuid, file_system.uuid, sizeof out->fs_uuid);
  out->free_bytes = file_system.free_bytes;
}

void DescribeMapping(const File& file, DirectoryFacts* out) {
  int refusal = 0;
  out->map_sync = CanMapSync(file, &refusal);
  if (!out->map_sync) out->map_sync_error = ErrorName(refusal);
  out->dax_attribute = ReadFileAttributes(file).dax;
  out->domain_sync = DetectDomain(file, Durability::kSync);
  out->domain_relaxed = DetectDomain(file, Durability::kRelaxed);
}

Failure TrySealing(const File& file, DirectoryFacts* out) {
  Failure failure = file.Fallocate(0, 0, kProbeBytes);
  out->fallocate = failure.ok();
  if (failure.status == Status::kUnsupported) failure = file.Truncate(kProbeBytes);
  if (failure.ok()) failure = ProbeSeal(file, &out->allocated);
  if (!failure.ok()) return failure;
  const std::vector<uint8_t> zeros(kProbeBytes);
  failure = file.Pwrite(zeros.data(), zeros.size(), 0);
  if (failure.ok()) failure = file.Fsync();
  return failure.ok() ? ProbeSeal(file, &out->sealed) : failure;
}

}  // namespace

Failure Diagnose(const std::string& directory, DirectoryFacts* out) {
  *out = {};
  out->kernel_release = KernelRelease();
  out->eadr = HasEadr();
  out->flush = BestFlush(out->eadr);
  out->probe_bytes = kProbeBytes;
  Directory opened;
  File file;
  std::string name;
  Failure failure = Directory::Open(directory, &opened);
  if (failure.ok()) failure = opened.CreateTemporary(".sealog-doctor-", &name, &file);
  if (failure.ok()) failure = opened.Unlink(name);  // nameless from here: nothing to clean up, crash or not
  FileSystem file_system;
  if (failure.ok()) failure = ReadFileSystem(file, &file_system);
  if (!failure.ok()) return failure;
  PrepareForAllocation(file, file_system);
  ReadFileSystem(file, &file_system);  // f2fs: in place only now
  DescribeFileSystem(file, file_system, out);
  failure = TrySealing(file, out);
  if (!failure.ok()) return failure;
  DescribeMapping(file, out);
  out->lease = file.CanLease();
  return {};
}

}  // namespace sealog
