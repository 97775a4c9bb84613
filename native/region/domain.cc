#include "region/domain.h"

#include "platform/file_system.h"
#include "platform/mapping.h"

namespace sealog {

const char* DomainName(Domain domain) {
  switch (domain) {
    case Domain::kAny:
      return "any";
    case Domain::kMemory:
      return "memory";
    case Domain::kOs:
      return "os";
    case Domain::kDisk:
      return "disk";
    case Domain::kPmem:
      return "pmem";
  }
  return "any";
}

Domain DetectDomain(const File& file, Durability durability) {
  if (CanMapSync(file)) return Domain::kPmem;
  FileSystem file_system;
  if (ReadFileSystem(file, &file_system).ok() && file_system.memory) return Domain::kMemory;
  return durability == Durability::kRelaxed ? Domain::kOs : Domain::kDisk;
}

}  // namespace sealog
