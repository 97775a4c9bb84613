#include "platform/zeroed_memory.h"

#include <sys/mman.h>

#include "platform/syscall.h"

namespace sealog {

bool ZeroedMemory::Allocate(size_t bytes) {
  if (internal::EnterSyscall("mmap") != 0) return false;
  void* at = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (at == MAP_FAILED) return false;
  data_ = static_cast<uint8_t*>(at);
  bytes_ = bytes;
  return true;
}

ZeroedMemory::~ZeroedMemory() {
  if (data_ == nullptr) return;
  internal::EnterSyscall("munmap");
  munmap(data_, bytes_);
}

}  // namespace sealog
