// Cache-line write-back: the instructions, and nothing else. flush = write a line back, unordered; drain = order what
// was written back (SFENCE, DSB); persist = both. Chosen once per mapping, after libpmem2's pmem2_set_flush_fns.
#pragma once

#include <cstddef>
#include <cstdint>

namespace sealog {

enum class FlushKind : uint8_t {
  kNone,  // eADR: caches are in the persistence domain, a fence is enough
  kClwb,
  kClflushOpt,
  kClflush,
  kNonTemporal,  // every copy by non-temporal stores; flushes as the best of the others
  kDcCvap,       // aarch64
};

// "clwb", "clflushopt", "clflush", "nt", "cvap", "none".
const char* FlushName(FlushKind kind);
// The kind of that name; false if there is none.
bool FlushKindOf(const char* name, FlushKind* out);
// True if this CPU can do it.
bool FlushAvailable(FlushKind kind);
// The best that the CPU has; kNone if `eadr`.
FlushKind BestFlush(bool eadr);

struct FlushFunctions {
  // Writes back every line that [p, p + bytes) touches; rounds down to the line first.
  void (*flush)(const void* p, size_t bytes);
  // Copies whole lines so that a drain makes them durable. REQUIRES: dst on a line, bytes a multiple of 64.
  void (*copy)(void* dst, const void* src, size_t bytes);
  void (*drain)();
};

FlushFunctions FlushFunctionsOf(FlushKind kind);

}  // namespace sealog
