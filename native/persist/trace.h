// The seam for the crash explorer: a build with SEALOG_TRACE records every durable write with the place in the code
// that made it. In other builds the macros are nothing.
#pragma once

#include <cstddef>
#include <cstdint>

namespace sealog {

// Where in the code a durable write comes from. Numbers are stable: reports and mutants name them.
enum class Site : uint8_t {
  kFrame = 1,          // log: a frame
  kLink = 2,           // log: the LINK at a segment's end
  kSession = 3,        // log: the LINK that begins a session
  kSegmentHeader = 4,  // log: header of a segment prepared ahead
  kSuccessor = 5,      // log: its announcement
  kReplayed = 6,       // recovery: the tail that was found valid
  kNode = 7,           // checkpoint
  kBitmap = 8,         // checkpoint
  kTableHalf = 9,      // checkpoint
  kSlot = 10,          // checkpoint
  kCommit = 11,        // drain: the durability point of a commit
  kGrownTable = 16,    // growth: entries of the new segments
  kSuperblock = 17,    // growth, and what was left of it at the next open
};

#if defined(SEALOG_TRACE)
class TraceSink {
 public:
  virtual ~TraceSink() = default;
  virtual void OnCopy(uint64_t offset, const void* content, size_t bytes, Site site) = 0;
  virtual void OnFlush(uint64_t offset, const void* content, size_t bytes, Site site) = 0;
  virtual void OnDrain(Site site) = 0;
};
// One sink for the process; null: no tracing.
inline TraceSink* trace_sink = nullptr;
#define SEALOG_TRACE_OFFSET(base, p) static_cast<uint64_t>(reinterpret_cast<const uint8_t*>(p) - (base))
#define SEALOG_TRACE_COPY(base, p, bytes, site)                                       \
  do {                                                                                \
    if (trace_sink) trace_sink->OnCopy(SEALOG_TRACE_OFFSET(base, p), p, bytes, site); \
  } while (0)
#define SEALOG_TRACE_FLUSH(base, p, bytes, site)                                       \
  do {                                                                                 \
    if (trace_sink) trace_sink->OnFlush(SEALOG_TRACE_OFFSET(base, p), p, bytes, site); \
  } while (0)
#define SEALOG_TRACE_DRAIN(site)               \
  do {                                         \
    if (trace_sink) trace_sink->OnDrain(site); \
  } while (0)
#else
#define SEALOG_TRACE_COPY(base, p, bytes, site) static_cast<void>(site)
#define SEALOG_TRACE_FLUSH(base, p, bytes, site) static_cast<void>(site)
#define SEALOG_TRACE_DRAIN(site) static_cast<void>(site)
#endif

}  // namespace sealog
