#include "persist/flush.h"

#include <cstring>
#include <initializer_list>

#include "format/layout.h"
#include "platform/cpu.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace sealog {
namespace {

constexpr size_t kLine = kLineBytes;
// Copies of this size and more go by non-temporal stores: below it a store and a write-back are cheaper when the line
// is read again at once, as a fresh record often is. See docs/decisions/0003.
constexpr size_t kNonTemporalBytes = 256;

template <class LineOp>
inline void EachLine(const void* p, size_t bytes, LineOp op) {
  auto at = reinterpret_cast<uintptr_t>(p) & ~(kLine - 1);
  auto end = reinterpret_cast<uintptr_t>(p) + bytes;
  for (; at < end; at += kLine) op(reinterpret_cast<void*>(at));
}

void FlushNone(const void*, size_t) {}
void CopyPlain(void* dst, const void* src, size_t bytes) { memcpy(dst, src, bytes); }

#if defined(__x86_64__)

__attribute__((target("clwb"))) void FlushClwb(const void* p, size_t bytes) {
  auto at = reinterpret_cast<uintptr_t>(p) & ~(kLine - 1);
  auto end = reinterpret_cast<uintptr_t>(p) + bytes;
  for (; at < end; at += kLine) _mm_clwb(reinterpret_cast<void*>(at));
}

__attribute__((target("clflushopt"))) void FlushClflushOpt(const void* p, size_t bytes) {
  auto at = reinterpret_cast<uintptr_t>(p) & ~(kLine - 1);
  auto end = reinterpret_cast<uintptr_t>(p) + bytes;
  for (; at < end; at += kLine) _mm_clflushopt(reinterpret_cast<void*>(at));
}

void FlushClflush(const void* p, size_t bytes) {
  EachLine(p, bytes, [](void* line) { _mm_clflush(line); });
}

void CopyNonTemporal(void* dst, const void* src, size_t bytes) {
  auto* d = static_cast<__m128i*>(dst);
  const auto* s = static_cast<const __m128i*>(src);
  for (; bytes >= kLine; bytes -= kLine, d += 4, s += 4) {
    __m128i a = _mm_loadu_si128(s), b = _mm_loadu_si128(s + 1), c = _mm_loadu_si128(s + 2), e = _mm_loadu_si128(s + 3);
    _mm_stream_si128(d, a);
    _mm_stream_si128(d + 1, b);
    _mm_stream_si128(d + 2, c);
    _mm_stream_si128(d + 3, e);
  }
}

template <void (*flush)(const void*, size_t)>
void CopyBySize(void* dst, const void* src, size_t bytes) {
  if (bytes >= kNonTemporalBytes) {
    CopyNonTemporal(dst, src, bytes);
  } else {
    memcpy(dst, src, bytes);
    flush(dst, bytes);
  }
}

// SFENCE orders CLWB, CLFLUSHOPT and non-temporal stores before every later store.
void DrainFence() { _mm_sfence(); }

#elif defined(__aarch64__)

void FlushDcCvap(const void* p, size_t bytes) {
  EachLine(p, bytes, [](void* line) { asm volatile(".arch armv8.2-a\n dc cvap, %0" ::"r"(line) : "memory"); });
}

void CopyDcCvap(void* dst, const void* src, size_t bytes) {
  memcpy(dst, src, bytes);
  FlushDcCvap(dst, bytes);
}

void DrainFence() { asm volatile("dsb sy" ::: "memory"); }

#else
void DrainFence() { __sync_synchronize(); }
#endif

struct Name {
  FlushKind kind;
  const char* name;
};
constexpr Name kNames[] = {
    {FlushKind::kNone, "none"},       {FlushKind::kClwb, "clwb"},      {FlushKind::kClflushOpt, "clflushopt"},
    {FlushKind::kClflush, "clflush"}, {FlushKind::kNonTemporal, "nt"}, {FlushKind::kDcCvap, "cvap"},
};

}  // namespace

const char* FlushName(FlushKind kind) {
  for (const Name& n : kNames) {
    if (n.kind == kind) return n.name;
  }
  return "";
}

bool FlushKindOf(const char* name, FlushKind* out) {
  for (const Name& n : kNames) {
    if (strcmp(n.name, name) == 0) {
      *out = n.kind;
      return true;
    }
  }
  return false;
}

bool FlushAvailable(FlushKind kind) {
  [[maybe_unused]] const CpuFeatures& cpu = Cpu();
  switch (kind) {
    case FlushKind::kNone:
      return true;
#if defined(__x86_64__)
    case FlushKind::kClwb:
      return cpu.clwb;
    case FlushKind::kClflushOpt:
      return cpu.clflushopt;
    case FlushKind::kClflush:
      return cpu.clflush;
    case FlushKind::kNonTemporal:
      return true;
#elif defined(__aarch64__)
    case FlushKind::kDcCvap:
      return cpu.dc_cvap;
#endif
    default:
      return false;
  }
}

FlushKind BestFlush(bool eadr) {
  if (eadr) return FlushKind::kNone;
  for (FlushKind kind : {FlushKind::kClwb, FlushKind::kClflushOpt, FlushKind::kClflush, FlushKind::kDcCvap}) {
    if (FlushAvailable(kind)) return kind;
  }
  return FlushKind::kNone;
}

FlushFunctions FlushFunctionsOf(FlushKind kind) {
  switch (kind) {
#if defined(__x86_64__)
    case FlushKind::kClwb:
      return {FlushClwb, CopyBySize<FlushClwb>, DrainFence};
    case FlushKind::kClflushOpt:
      return {FlushClflushOpt, CopyBySize<FlushClflushOpt>, DrainFence};
    case FlushKind::kClflush:
      return {FlushClflush, CopyBySize<FlushClflush>, DrainFence};
    case FlushKind::kNonTemporal:
      return {FlushFunctionsOf(BestFlush(false)).flush, CopyNonTemporal, DrainFence};
#elif defined(__aarch64__)
    case FlushKind::kDcCvap:
      return {FlushDcCvap, CopyDcCvap, DrainFence};
#endif
    default:
      return {FlushNone, CopyPlain, DrainFence};
  }
}

}  // namespace sealog
