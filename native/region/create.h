// Making a store file: complete, empty and sealed under a temporary name, then put in place.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "base/status.h"
#include "format/layout.h"
#include "region/domain.h"

namespace sealog {

inline constexpr uint32_t kFreeSegmentsMin = 8;          // a store has META and at least these
inline constexpr uint64_t kRegionBytesMax = 1ull << 44;  // 16 TiB: four times that still fits 47 bits of addresses

inline constexpr uint32_t kSegmentCountMax = 1u << 22;  // as src/layout/constants.ts has it

struct CreateOptions {
  uint64_t capacity_bytes = 0;  // of the whole file; rounded up to whole segments
  uint32_t segment_bytes = kSegmentBytesDefault;
  uint32_t table_capacity = 0;  // segments it may grow to; 0: four times the initial ones, rounded up to fill META
  Durability durability = Durability::kSync;
  Domain require_domain = Domain::kAny;
  uint8_t key_codec = 1;
  uint8_t value_codec = 1;
  std::string created_by = "sealog";
  // [0] bytes done, [1] bytes in all, [2] set to non-zero by the caller to abort. Accessed atomically; may be null.
  int64_t* progress = nullptr;
  // Called when the file is whole, just before it gets its name, still locked; may be empty.
  std::function<void(uint64_t device, uint64_t inode)> on_publish;
};

// Creates the store at `path`. When it returns ok the file and its name are durable.
//   kExists: the path is taken, by whatever; it is not touched. kAbsent: no such directory. kNoSpace, kPermission
//   kInvalid: capacity below META + 8 segments, or numbers that contradict each other
//   kRequire: told before anything is written. kAborted
// After a failure nothing is left. After a crash the temporary file may be: `.NAME.sealog-creating-<16 hex digits>`,
// harmless, locked while its maker lives, and safe to delete when it is not.
Failure CreateStore(const std::string& path, const CreateOptions& options);

// Gives a store file that nobody has open its name, in the same directory: kExists if that is taken. Durable when it
// returns ok.
Failure PublishStore(const std::string& from, const std::string& to);

}  // namespace sealog
