// What the core asks of the kernel, taken at the system calls themselves: the linker puts these wrappers in the place
// of every call in this program that writes, syncs or names a file (see CMakeLists.txt).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "region/domain.h"

namespace sealog::test {

class Tap {
 public:
  virtual ~Tap() = default;
  // Before a write; if it is to be durable, again when it is.
  virtual void OnWrite(uint64_t offset, const std::vector<uint8_t>& content) = 0;
  virtual void OnWriteDurable(uint64_t offset, const std::vector<uint8_t>& content) = 0;
  // Around fdatasync, and fsync of a file.
  virtual void OnSyncBegin() = 0;
  virtual void OnSyncDone() = 0;
  virtual void OnLength(uint64_t bytes) {}
  // The directory: what is in it after a call, told as a change.
  virtual void OnCreate(const std::string& name) {}
  virtual void OnRename(const std::string& from, const std::string& to) {}
  virtual void OnLink(const std::string& from, const std::string& to) {}
  virtual void OnUnlink(const std::string& name) {}
  virtual void OnDirectorySync() {}
};
// One for the process; null: calls go through untold.
inline Tap* tap = nullptr;

// The domain that every file is said to be in; kAny: its own. So a file on tmpfs is used as one on a disk is.
inline Domain domain_as = Domain::kAny;

// As if the system call were not there, for the sake of older kernels.
inline bool no_rename_noreplace = false;

}  // namespace sealog::test
