// What a native call answers. At the boundary >= 0 is an answer and < 0 is -Status (src/engine/status.ts has the same
// list, compared at load). Numbers are never reused.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

namespace sealog {

enum class Status : int32_t {
  kOk = 0,
  kNotFound = 1,          // no such key
  kValueOutside = 2,      // the value does not fit the buffer given; its length is reported
  kKeyNeedsEncoding = 3,  // a string key that the fast path cannot take as it is
  kClosed = 10,
  kReadOnly = 11,
  kLocked = 12,  // another process, or this one, has it open
  kFull = 13,    // no free segment for this kind of write
  kKeyTooLarge = 14,
  kValueTooLarge = 15,
  kPoisoned = 16,  // an earlier durable write failed
  kMedia = 17,     // SIGBUS inside the mapping: truncated file or media error
  kCorrupt = 18,   // a checksum or an invariant of the format failed
  kNotAStore = 19,
  kVersion = 20,
  kTruncated = 21,
  kIo = 22,  // a system call failed: see errno, syscall
  kNoMemory = 23,
  kInvalid = 24,  // an argument that TypeScript should have refused
  kAborted = 25,
  kExists = 26,      // creating over something that is there
  kNotRegular = 27,  // a directory, a symlink, a device
  kLinked = 28,      // more than one hard link
  kRequire = 29,     // the persistence domain is weaker than required
  kNoSpace = 30,     // ENOSPC, EDQUOT, EFBIG
  kPermission = 31,  // EACCES, EPERM, EROFS
  kUnsupported = 32,
  kAbsent = 33,     // no file there
  kConflict = 34,   // what a conditional change relies on is not so
  kOpening = 35,    // another thread is opening or closing it just now
  kForked = 36,     // opened by the process that this one was forked from
  kBeingRead = 37,  // a reader that recovers it, or only looks, is in the way of a writer, for a moment
  kCapacity = 40,   // growth beyond what the segment table, or the addresses reserved at open, have room for
};

constexpr int32_t Answer(Status s) { return -static_cast<int32_t>(s); }

// The details behind a failure, for the one who reports it. Filled by whoever first sees it; kept per handle or call.
struct Failure {
  Status status = Status::kOk;
  int error_number = 0;      // errno, 0 if no system call failed
  const char* syscall = "";  // static string
  uint64_t offset = 0;       // into the file, where that means something
  std::string detail;        // one sentence, no newline

  bool ok() const { return status == Status::kOk; }
};

// What no system call said.
inline Failure Refusal(Status status, std::string detail, uint64_t offset = 0) {
  return {status, 0, "", offset, std::move(detail)};
}

}  // namespace sealog
