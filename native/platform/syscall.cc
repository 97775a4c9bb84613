#include "platform/syscall.h"

#include <atomic>

namespace sealog {
namespace {

std::atomic<uint64_t> syscall_count{0};
std::atomic<SyscallHook> syscall_hook{nullptr};

Status StatusOf(int error_number) {
  switch (error_number) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
      return Status::kNoSpace;
    case EACCES:
    case EPERM:
    case EROFS:
      return Status::kPermission;
    case ENOENT:
    case ENOTDIR:
      return Status::kAbsent;
    case ELOOP:  // O_NOFOLLOW met a symlink
    case EISDIR:
    case ENXIO:    // a FIFO or a device without its other end
    case ETXTBSY:  // in use as a swap file
      return Status::kNotRegular;
    case EEXIST:
      return Status::kExists;
    case ENOMEM:
      return Status::kNoMemory;
    case EFAULT:  // the kernel met, in our mapping, what would have been a SIGBUS
    case EHWPOISON:
      return Status::kMedia;
    case EOPNOTSUPP:
    case ENOSYS:
    case ENOTTY:
      return Status::kUnsupported;
    default:
      return Status::kIo;
  }
}

}  // namespace

uint64_t SyscallCount() { return syscall_count.load(std::memory_order_relaxed); }

SyscallHook SetSyscallHook(SyscallHook hook) { return syscall_hook.exchange(hook); }

Failure SystemFailure(const char* syscall, int error_number, std::string detail) {
  Failure failure;
  failure.status = StatusOf(error_number);
  failure.error_number = error_number;
  failure.syscall = syscall;
  failure.detail = std::move(detail);
  return failure;
}

namespace internal {

int EnterSyscall(const char* name) {
  syscall_count.fetch_add(1, std::memory_order_relaxed);
  SyscallHook hook = syscall_hook.load(std::memory_order_relaxed);
  if (__builtin_expect(hook != nullptr, 0)) return hook(name);
  return 0;
}

}  // namespace internal
}  // namespace sealog
