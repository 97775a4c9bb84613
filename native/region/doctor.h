// Facts about a directory: what a store there would get, found out by trying with a small file.
#pragma once

#include <cstdint>
#include <string>

#include "base/status.h"
#include "persist/flush.h"
#include "region/domain.h"
#include "region/seal.h"

namespace sealog {

struct DirectoryFacts {
  std::string fs_name;
  bool local = false;
  bool overwrites_in_place = false;  // can be sealed at all
  std::string mount_options;         // "" where not found
  std::string kernel_release;
  uint32_t block_bytes = 0;
  uint8_t fs_uuid[16] = {};
  uint64_t free_bytes = 0;  // for this user

  bool dax_attribute = false;
  bool map_sync = false;
  std::string map_sync_error;          // errno name, "EOPNOTSUPP"; "" if granted
  FlushKind flush = FlushKind::kNone;  // the best there is
  bool eadr = false;

  bool fallocate = false;    // is there such a thing here
  SealProbe allocated;       // after fallocate
  SealProbe sealed;          // after zeros and fsync: `level` is the highest to be had
  uint64_t probe_bytes = 0;  // the size of the file tried with

  Domain domain_sync = Domain::kAny;
  Domain domain_relaxed = Domain::kAny;
  bool lease = false;  // a write lease is granted to the only opener
};

// REQUIRES: the directory is writable. Makes an 8 MiB temporary file in it and removes it.
Failure Diagnose(const std::string& directory, DirectoryFacts* out);

}  // namespace sealog
