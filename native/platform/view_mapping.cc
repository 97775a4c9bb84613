#include "platform/view_mapping.h"

#include <cerrno>

#include "platform/syscall.h"

namespace sealog {

Failure ViewMapping::Map(const File& file, size_t bytes) {
  Failure failure = Mapping::Reserve(bytes, &mapping_);
  if (failure.ok()) failure = mapping_.Map(file, 0, bytes, MapMode::kPrivate);
  if (failure.ok() && !Forgive(mapping_.base(), mapping_.mapped_bytes(), &forgiven_))
    failure = SystemFailure("mmap", ENOMEM);
  return failure;
}

Failure ViewMapping::Drop(uint64_t offset, uint64_t bytes) const {
  const uint64_t first = offset & ~uint64_t{PageBytes() - 1};
  const uint64_t end = (offset + bytes + PageBytes() - 1) & ~uint64_t{PageBytes() - 1};
  return mapping_.DropPrivate(first, end - first);
}

}  // namespace sealog
