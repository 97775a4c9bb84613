// Persistence domains: detected on the very file, reported, never assumed.
#pragma once

#include <cstdint>

#include "platform/file.h"

namespace sealog {

// The numbers cross the boundary (requireDomain) and are ordered: a greater one survives more.
enum class Domain : uint8_t {
  kAny = 0,     // only as a requirement
  kMemory = 1,  // tmpfs: until reboot
  kOs = 2,      // relaxed: survives kill -9; a consistent prefix survives an OS crash
  kDisk = 3,    // each commit is flushed to the device through the descriptor
  kPmem = 4,    // mapped with MAP_SYNC: a fenced line is durable
};

enum class Durability : uint8_t { kSync = 0, kRelaxed = 1 };

// "pmem", "disk", "os", "memory"; "any".
const char* DomainName(Domain domain);

// MAP_SYNC granted: pmem, whatever else is asked. tmpfs, ramfs: memory. Else relaxed: os. Else disk.
// Never inferred from DAX attributes: virtio-pmem has them and no MAP_SYNC.
// A network or FUSE file system is disk as well (the flush is then the server's word); doctor reports it as not local.
Domain DetectDomain(const File& file, Durability durability);

}  // namespace sealog
