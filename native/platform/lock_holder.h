// Which process holds a lock on a file. The kernel names no process for locks of open file descriptions, so the
// descriptors of the processes that this one may look at are gone through: what /proc/PID/fdinfo says of their locks.
#pragma once

#include <cstdint>
#include <string>

#include "base/status.h"

namespace sealog {

struct LockHolder {
  int64_t pid = 0;      // as seen from here; 0: not found
  std::string command;  // as /proc/PID/comm has it; "" where it cannot be read
  bool exclusive = false;
};

// A process with a lock on the whole file at `path`, one with an exclusive lock if there is one. Not found: those of
// other users (but by root) and of other PID namespaces, and, where there are very many, what is not reached in
// 100 ms. Nothing is kept open, and nobody is disturbed. kAbsent and the like: the file itself cannot be looked at.
Failure FindLockHolder(const std::string& path, LockHolder* out);

}  // namespace sealog
