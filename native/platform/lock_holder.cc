#include "platform/lock_holder.h"

#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <vector>

#include "platform/directory.h"
#include "platform/file.h"
#include "platform/syscall.h"
#include "platform/system.h"

namespace sealog {
namespace {

constexpr uint64_t kPatienceMs = 100;
constexpr size_t kProcessesMax = 1 << 16;
constexpr size_t kDescriptorsMax = 1 << 16;
constexpr size_t kInfoBytesMax = 64 << 10;

bool IsNumber(const std::string& name) {
  return !name.empty() && name.find_first_not_of("0123456789") == std::string::npos;
}

// Of what fdinfo says: "lock:\t1: OFDLCK ADVISORY  WRITE -1 00:2f:1234 0 EOF", a line for each lock.
void ReadLocks(const std::string& info, bool* shared, bool* exclusive) {
  for (size_t begin = 0; begin < info.size();) {
    const size_t end = std::min(info.find('\n', begin), info.size());
    const std::string line = info.substr(begin, end - begin);
    begin = end + 1;
    if (line.rfind("lock:", 0) != 0 || line.find(" OFDLCK ") == std::string::npos) continue;
    *(line.find(" WRITE ") != std::string::npos ? exclusive : shared) = true;
  }
}

}  // namespace

Failure FindLockHolder(const std::string& path, LockHolder* out) {
  *out = {};
  struct stat file;
  if (internal::Syscall("stat", [&] { return stat(path.c_str(), &file); }) != 0) return SystemFailure("stat", errno);
  const uint64_t until = MonotonicMillis() + kPatienceMs;
  for (const std::string& process : ListDirectory("/proc", kProcessesMax)) {
    if (!IsNumber(process)) continue;
    const std::string directory = "/proc/" + process;
    for (const std::string& descriptor : ListDirectory(directory + "/fd", kDescriptorsMax)) {
      if (MonotonicMillis() > until) return {};
      struct stat open;
      const std::string name = directory + "/fd/" + descriptor;
      if (internal::Syscall("stat", [&] { return stat(name.c_str(), &open); }) != 0 || open.st_dev != file.st_dev ||
          open.st_ino != file.st_ino)
        continue;
      std::string info;
      bool shared = false, exclusive = false;
      if (ReadTextFile(directory + "/fdinfo/" + descriptor, kInfoBytesMax, &info).ok())
        ReadLocks(info, &shared, &exclusive);
      if (!exclusive && (!shared || out->pid != 0)) continue;
      out->pid = strtoll(process.c_str(), nullptr, 10);
      out->exclusive = exclusive;
      if (!ReadTextFile(directory + "/comm", kInfoBytesMax, &out->command).ok()) out->command.clear();
      if (!out->command.empty() && out->command.back() == '\n') out->command.pop_back();
      if (exclusive) return {};
    }
  }
  return {};
}

}  // namespace sealog
