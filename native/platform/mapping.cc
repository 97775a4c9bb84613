#include "platform/mapping.h"

#include <sys/mman.h>
#include <unistd.h>

#include <utility>

#include "platform/syscall.h"

#ifndef MAP_SHARED_VALIDATE
#define MAP_SHARED_VALIDATE 0x03
#endif
#ifndef MAP_SYNC
#define MAP_SYNC 0x80000
#endif
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

namespace sealog {
namespace {

using internal::EnterSyscall;
using internal::RestartedSyscall;

constexpr int kReserveFlags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;

void* Mmap(void* at, size_t bytes, int protection, int flags, int fd, uint64_t offset) {
  if (int injected = EnterSyscall("mmap"); injected != 0) {
    errno = injected;
    return MAP_FAILED;
  }
  return mmap(at, bytes, protection, flags, fd, static_cast<off_t>(offset));
}

void Munmap(void* at, size_t bytes) {
  EnterSyscall("munmap");
  munmap(at, bytes);
}

int FlagsOf(MapMode mode) {
  switch (mode) {
    case MapMode::kSharedSync:
      return MAP_SHARED_VALIDATE | MAP_SYNC;
    case MapMode::kShared:
      return MAP_SHARED;
    case MapMode::kPrivate:
      return MAP_PRIVATE | MAP_NORESERVE;
  }
  return MAP_PRIVATE;
}

Failure Refused(const char* syscall) {
  Failure failure;
  failure.status = Status::kInvalid;
  failure.syscall = syscall;
  return failure;
}

}  // namespace

size_t PageBytes() {
  static const auto bytes = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  return bytes;
}

Mapping::~Mapping() {
  if (raw_ != nullptr) Munmap(raw_, raw_bytes_);
}

Mapping::Mapping(Mapping&& other) noexcept { *this = std::move(other); }

Mapping& Mapping::operator=(Mapping&& other) noexcept {
  if (this == &other) return *this;
  if (raw_ != nullptr) Munmap(raw_, raw_bytes_);
  base_ = std::exchange(other.base_, nullptr);
  reserved_bytes_ = std::exchange(other.reserved_bytes_, 0);
  mapped_bytes_ = other.mapped_bytes_.exchange(0);
  mode_ = other.mode_;
  raw_ = std::exchange(other.raw_, nullptr);
  raw_bytes_ = std::exchange(other.raw_bytes_, 0);
  return *this;
}

Failure Mapping::Reserve(size_t bytes, Mapping* out) {
  if (bytes == 0 || bytes > SIZE_MAX / 2) return Refused("mmap");
  Mapping mapping;
  mapping.reserved_bytes_ = (bytes + PageBytes() - 1) & ~(PageBytes() - 1);
  mapping.raw_bytes_ = mapping.reserved_bytes_ + kHugePageBytes;
  void* raw = Mmap(nullptr, mapping.raw_bytes_, PROT_NONE, kReserveFlags, -1, 0);
  if (raw == MAP_FAILED) return SystemFailure("mmap", errno);
  mapping.raw_ = raw;
  auto aligned = (reinterpret_cast<uintptr_t>(raw) + kHugePageBytes - 1) & ~uintptr_t{kHugePageBytes - 1};
  mapping.base_ = reinterpret_cast<uint8_t*>(aligned);
  *out = std::move(mapping);
  return {};
}

Failure Mapping::Map(const File& file, uint64_t offset, size_t bytes, MapMode mode) {
  if (bytes == 0 || offset != mapped_bytes_ || offset % PageBytes() != 0 || bytes > reserved_bytes_ - mapped_bytes_ ||
      (mapped_bytes_ != 0 && mode != mode_)) {
    return Refused("mmap");
  }
  void* mapped =
      Mmap(base_ + offset, bytes, PROT_READ | PROT_WRITE, FlagsOf(mode) | MAP_FIXED, file.descriptor(), offset);
  if (mapped == MAP_FAILED) {
    Failure failure = SystemFailure("mmap", errno);
    // ENODEV: this file system cannot map; EINVAL: a kernel that does not know MAP_SHARED_VALIDATE.
    if (errno == ENODEV || (errno == EINVAL && mode == MapMode::kSharedSync)) failure.status = Status::kUnsupported;
    // A MAP_FIXED that failed late may have left a gap in the reservation, for somebody else's mmap to land in.
    Mmap(base_ + offset, bytes, PROT_NONE, kReserveFlags | MAP_FIXED, -1, 0);
    return failure;
  }
  // Read by other threads while it grows.
  if (offset == 0) mode_ = mode;
  mapped_bytes_ = offset + bytes;
  return {};
}

Failure Mapping::Shrink(size_t bytes) {
  const size_t mapped = mapped_bytes_;
  if (bytes > mapped || bytes % PageBytes() != 0) return Refused("mmap");
  if (bytes == mapped) return {};
  if (Mmap(base_ + bytes, mapped - bytes, PROT_NONE, kReserveFlags | MAP_FIXED, -1, 0) == MAP_FAILED)
    return SystemFailure("mmap", errno);
  mapped_bytes_ = bytes;
  return {};
}

void Mapping::Abandon(bool readable) {
  const size_t mapped = mapped_bytes_.exchange(0);
  if (mapped == 0) return;
  Mmap(base_, mapped, readable ? PROT_READ | PROT_WRITE : PROT_NONE, kReserveFlags | MAP_FIXED, -1, 0);
}

Failure Mapping::PopulateWrite(size_t offset, size_t bytes) const {
  if (offset > mapped_bytes_ || bytes > mapped_bytes_ - offset) return Refused("madvise");
  if (RestartedSyscall("madvise", [&] { return madvise(base_ + offset, bytes, MADV_POPULATE_WRITE); }) == 0) return {};
  Failure failure = SystemFailure("madvise", errno);
  failure.offset = offset;
  if (errno == EINVAL) failure.status = Status::kUnsupported;
  return failure;
}

Failure Mapping::DropPrivate(size_t offset, size_t bytes) const {
  if (mode_ != MapMode::kPrivate || offset > mapped_bytes_ || bytes > mapped_bytes_ - offset) return Refused("madvise");
  if (RestartedSyscall("madvise", [&] { return madvise(base_ + offset, bytes, MADV_DONTNEED); }) == 0) return {};
  return SystemFailure("madvise", errno);
}

bool CanMapSync(const File& file, int* error_number) {
  void* probe = Mmap(nullptr, PageBytes(), PROT_READ, FlagsOf(MapMode::kSharedSync), file.descriptor(), 0);
  if (error_number != nullptr) *error_number = probe == MAP_FAILED ? errno : 0;
  if (probe == MAP_FAILED) return false;
  Munmap(probe, PageBytes());
  return true;
}

}  // namespace sealog
