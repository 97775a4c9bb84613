#include "fault.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>

#include "platform/syscall.h"

// glibc's own names, below what this program puts in front of them.
extern "C" void* __libc_malloc(size_t bytes);
extern "C" void* __libc_calloc(size_t count, size_t bytes);
extern "C" void* __libc_realloc(void* p, size_t bytes);
extern "C" void* __libc_memalign(size_t alignment, size_t bytes);

namespace sealog::faults {
namespace {

constexpr uint32_t kBurst = 100;  // EINTR for ever would be waited for, for ever

Fault armed_fault;
Journal* journal = nullptr;
std::atomic<bool> armed{false};
std::atomic<uint32_t> calls_seen{0};
std::atomic<bool> serving{false};
std::atomic<bool> durable_write_failed{false};
const char* failing_name = nullptr;
thread_local int harness = 0;

bool Hits(uint32_t call, const char* name) {
  if (call == armed_fault.at) {
    failing_name = name;
    return true;
  }
  if (call < armed_fault.at || armed_fault.at == UINT32_MAX) return false;
  if (armed_fault.span == Span::kOnce || (armed_fault.error_number == EINTR && call > armed_fault.at + kBurst))
    return false;
  return armed_fault.span == Span::kAll || (failing_name != nullptr && strcmp(name, failing_name) == 0);
}

bool Counted(Seam seam, const char* name) {
  if (!armed.load(std::memory_order_relaxed) || armed_fault.seam != seam || harness != 0) return false;
  const uint32_t call = calls_seen.fetch_add(1);
  journal->calls = call + 1;
  if (call < Journal::kNamesMax) strncpy(journal->names[call], name, sizeof journal->names[call] - 1);
  if (!Hits(call, name)) return false;
  ++journal->delivered;
  return true;
}

bool IsDurableWrite(const char* name) {
  return strncmp(name, "pwrite", 6) == 0 || strcmp(name, "fdatasync") == 0 || strcmp(name, "fsync") == 0;
}

int OnSyscall(const char* name) {
  if (!Counted(Seam::kSyscall, name)) return 0;
  if (armed_fault.instead != nullptr) {
    armed_fault.instead();
    return 0;
  }
  const int e = armed_fault.error_number;
  const bool falls_back = strcmp(name, "pwritev2") == 0 && (e == EOPNOTSUPP || e == ENOSYS);
  if (IsDurableWrite(name) && e != EINTR && !falls_back && serving) durable_write_failed = true;
  return e;
}

size_t Shortened(size_t bytes) {
  return armed_fault.transfer_part == 0 || bytes == 0 ? 0 : armed_fault.transfer_part == 1 ? 1 : (bytes + 1) / 2;
}

}  // namespace

void Arm(const Fault& given, Journal* j) {
  armed_fault = given;
  journal = j;
  calls_seen = 0;
  failing_name = nullptr;
  durable_write_failed = false;
  if (armed_fault.seam == Seam::kSyscall) SetSyscallHook(OnSyscall);
  armed = true;
}

void Disarm() {
  if (!armed.exchange(false)) return;
  SetSyscallHook(nullptr);
}

void BeginServing() {
  durable_write_failed = false;
  serving = true;
}
void EndServing() { serving = false; }
bool DurableWriteFailed() { return durable_write_failed; }
void NoteDurableWriteFailed() { durable_write_failed = true; }

HarnessScope::HarnessScope() { ++harness; }
HarnessScope::~HarnessScope() { --harness; }

}  // namespace sealog::faults

// Interposed: the core calls these, and not the C library's.
using sealog::faults::Counted;
using sealog::faults::Seam;

extern "C" {

ssize_t pread(int fd, void* to, size_t bytes, off_t offset) {
  if (Counted(Seam::kTransfer, "pread")) bytes = sealog::faults::Shortened(bytes);
  return bytes == 0 ? 0 : syscall(SYS_pread64, fd, to, bytes, offset);
}

ssize_t pwrite(int fd, const void* from, size_t bytes, off_t offset) {
  if (Counted(Seam::kTransfer, "pwrite")) bytes = sealog::faults::Shortened(bytes);
  return bytes == 0 ? 0 : syscall(SYS_pwrite64, fd, from, bytes, offset);
}

ssize_t pwritev2(int fd, const iovec* pieces, int count, off_t offset, int flags) {
  iovec first;
  if (Counted(Seam::kTransfer, "pwritev2")) {
    first = {pieces[0].iov_base, sealog::faults::Shortened(pieces[0].iov_len)};
    if (first.iov_len == 0) return 0;
    pieces = &first;
    count = 1;
  }
  return syscall(SYS_pwritev2, fd, pieces, count, offset, 0L, flags);
}

void* malloc(size_t bytes) {
  if (Counted(Seam::kAllocation, "malloc")) {
    errno = ENOMEM;
    return nullptr;
  }
  return __libc_malloc(bytes);
}

void* calloc(size_t count, size_t bytes) {
  if (Counted(Seam::kAllocation, "calloc")) {
    errno = ENOMEM;
    return nullptr;
  }
  return __libc_calloc(count, bytes);
}

void* realloc(void* p, size_t bytes) {
  if (Counted(Seam::kAllocation, "realloc")) {
    errno = ENOMEM;
    return nullptr;
  }
  return __libc_realloc(p, bytes);
}

void* aligned_alloc(size_t alignment, size_t bytes) {
  if (Counted(Seam::kAllocation, "aligned_alloc")) {
    errno = ENOMEM;
    return nullptr;
  }
  return __libc_memalign(alignment, bytes);
}

}  // extern "C"
