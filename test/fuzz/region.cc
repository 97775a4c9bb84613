// Region for the fuzzers, in place of native/region/region.cc: a file that stays mapped from one input to the next,
// always shared and in the memory domain. What it leaves out are system calls.
#include "region/region.h"

#include <cstring>
#include <map>

#include "format/meta.h"

// Coverage is that of the core.
#pragma clang attribute push(__attribute__((no_sanitize("coverage"))), apply_to = function)

namespace sealog {
namespace {

std::map<std::string, Mapping>& Idle() {
  static auto* idle = new std::map<std::string, Mapping>();
  return *idle;
}

Failure MapFile(const std::string& path, Mapping* out) {
  File file;
  FileStat stat;
  Failure failure = File::Open(path, OpenMode::kReadWrite, &file);
  if (failure.ok()) failure = file.Stat(&stat);
  if (failure.ok()) failure = Mapping::Reserve(stat.bytes * Region::kReserveFactor, out);
  if (failure.ok()) failure = out->Map(file, 0, stat.bytes, MapMode::kShared);
  return failure;
}

}  // namespace

Failure Region::Open(const std::string& path, const RegionOptions& options, std::unique_ptr<Region>* out) {
  auto region = std::unique_ptr<Region>(new Region());
  Mapping& mapping = Idle()[path];
  if (mapping.base() == nullptr) {
    if (Failure failure = MapFile(path, &mapping); !failure.ok()) return failure;
  }
  bool found = false;
  for (uint64_t offset : kSuperblockOffset) {
    uint64_t magic;
    memcpy(&magic, mapping.base() + offset, sizeof magic);
    found = found || magic == kSuperblockMagic;
  }
  if (!found) return {Status::kNotAStore, 0, "", 0, "neither superblock begins with the magic"};
  region->mapping_ = std::move(mapping);
  region->info_.path = path;
  region->info_.file_bytes = region->bytes();
  region->info_.domain = Domain::kMemory;
  region->info_.read_only = options.read_only;
  *out = std::move(region);
  return {};
}

void Region::GiveUp() {}

bool Region::IsPinned(uint64_t, uint64_t) const { return false; }

Region::~Region() {
  if (mapping_.base() != nullptr) Idle()[info_.path] = std::move(mapping_);
}

}  // namespace sealog

#pragma clang attribute pop
