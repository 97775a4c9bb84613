#include "platform/system.h"

#include <sys/random.h>
#include <sys/stat.h>
#include <sys/utsname.h>

#include <ctime>

#include "platform/file.h"
#include "platform/syscall.h"

namespace sealog {
namespace {

constexpr size_t kProcFileBytesMax = 64 << 10;

// The kernel writes space, tab, newline and backslash in a path as \ooo.
std::string Unescape(const std::string& field) {
  std::string out;
  for (size_t i = 0; i < field.size(); ++i) {
    if (field[i] == '\\' && i + 3 < field.size()) {
      out += static_cast<char>((field[i + 1] - '0') * 64 + (field[i + 2] - '0') * 8 + (field[i + 3] - '0'));
      i += 3;
    } else {
      out += field[i];
    }
  }
  return out;
}

}  // namespace

Failure RandomBytes(void* out, size_t bytes) {
  for (size_t got = 0; got < bytes;) {
    ssize_t n = internal::RestartedSyscall("getrandom",
                                           [&] { return getrandom(static_cast<uint8_t*>(out) + got, bytes - got, 0); });
    if (n <= 0) return SystemFailure("getrandom", n < 0 ? errno : EIO);
    got += static_cast<size_t>(n);
  }
  return {};
}

static uint64_t MillisOf(clockid_t clock) {
  timespec now;
  clock_gettime(clock, &now);  // by vDSO: no system call
  return static_cast<uint64_t>(now.tv_sec) * 1000 + static_cast<uint64_t>(now.tv_nsec) / 1000000;
}

uint64_t UnixMillis() { return MillisOf(CLOCK_REALTIME); }
uint64_t MonotonicMillis() { return MillisOf(CLOCK_MONOTONIC_COARSE); }

void SleepMillis(uint32_t ms) {
  const timespec time{ms / 1000, static_cast<long>(ms % 1000) * 1000000};
  internal::Syscall("nanosleep", [&] { return nanosleep(&time, nullptr); });
}

std::string KernelRelease() {
  utsname name;
  if (internal::Syscall("uname", [&] { return uname(&name); }) != 0) return "";
  return name.release;
}

bool IsSwapFile(uint64_t device, uint64_t inode) {
  std::string text;
  if (!ReadTextFile("/proc/swaps", kProcFileBytesMax, &text).ok()) return false;
  // From the end of the first line: that is the heading.
  for (size_t begin = text.find('\n'); begin != std::string::npos; begin = text.find('\n', begin)) {
    ++begin;
    std::string path = Unescape(text.substr(begin, text.find_first_of(" \t\n", begin) - begin));
    struct stat st;
    if (!path.empty() && internal::Syscall("stat", [&] { return stat(path.c_str(), &st); }) == 0 &&
        st.st_dev == device && st.st_ino == inode) {
      return true;
    }
  }
  return false;
}

}  // namespace sealog
