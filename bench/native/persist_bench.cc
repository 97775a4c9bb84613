// What it takes to make some bytes durable: copy and drain, and flush and drain, by byte count and instruction, into
// cold places of a buffer of 256 MiB. Usage: sealog_persist_bench [times]
#include <sys/mman.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "persist/flush.h"
#include "timing.h"

using namespace sealog;

int main(int argc, char** argv) {
  const uint64_t times = argc > 1 ? strtoull(argv[1], nullptr, 10) : 200000;
  const size_t bytes = 256ull << 20;
  void* mapped = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  if (mapped == MAP_FAILED) {
    perror("mmap");
    return 1;
  }
  auto* base = static_cast<uint8_t*>(mapped);
  alignas(64) static uint8_t source[4096];
  memset(source, 7, sizeof source);
  printf("%-12s %8s %22s %22s\n", "instruction", "bytes", "copy + drain, ns", "store, flush, drain, ns");
  for (FlushKind kind : {FlushKind::kNone, FlushKind::kNonTemporal, FlushKind::kClwb, FlushKind::kClflushOpt,
                         FlushKind::kClflush, FlushKind::kDcCvap}) {
    if (!FlushAvailable(kind)) continue;
    const FlushFunctions f = FlushFunctionsOf(kind);
    for (size_t size : {64, 128, 192, 256, 512, 1024, 4096}) {
      uint64_t at = 0;
      // Forward, as a log is written.
      auto place = [&] {
        at = at + 2 * size > bytes ? 0 : at + size;
        return base + at;
      };
      const double copied = bench::NanosecondsPer(times, [&](uint64_t) {
        f.copy(place(), source, size);
        f.drain();
      });
      const double flushed = bench::NanosecondsPer(times, [&](uint64_t) {
        uint8_t* to = place();
        memcpy(to, source, size);
        f.flush(to, size);
        f.drain();
      });
      printf("%-12s %8zu %22.1f %22.1f\n", FlushName(kind), size, copied, flushed);
    }
  }
  munmap(mapped, bytes);
  return 0;
}
