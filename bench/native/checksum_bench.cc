// CRC-32C by byte count, by instruction (where the CPU has it) and by table. Usage: sealog_checksum_bench [times]
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "base/crc32c.h"
#include "timing.h"

using namespace sealog;

int main(int argc, char** argv) {
  const uint64_t times = argc > 1 ? strtoull(argv[1], nullptr, 10) : 200000;
  static uint8_t source[65536];
  for (size_t i = 0; i < sizeof source; ++i) source[i] = static_cast<uint8_t>(i * 31);
  printf("%8s %16s %12s %16s\n", "bytes", HasCrc32c() ? "instruction, ns" : "table, ns", "GB/s", "table, ns");
  for (size_t size : {16, 64, 140, 512, 4096, 65536}) {
    const uint64_t rounds = 1 + times * 64 / (size + 64);
    uint32_t sum = 1;
    const double best = bench::NanosecondsPer(rounds, [&](uint64_t) { sum = Crc32c(sum, source, size); });
    const double table =
        bench::NanosecondsPer(1 + rounds / 8, [&](uint64_t) { sum = Crc32cPortable(sum, source, size); });
    bench::Keep(sum);
    printf("%8zu %16.1f %12.2f %16.1f\n", size, best, static_cast<double>(size) / best, table);
  }
  return 0;
}
