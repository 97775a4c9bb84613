// Times a loop: the least of several rounds, since all that disturbs it makes it slower.
#pragma once

#include <chrono>
#include <cstdint>

namespace sealog::bench {

inline constexpr int kRounds = 7;

// Keeps what was computed, so that it is computed.
template <typename T>
inline void Keep(const T& value) {
  asm volatile("" : : "r,m"(value) : "memory");
}

// Nanoseconds per call of body(i), i from 0 to times - 1; one round before is not counted.
template <typename Body>
double NanosecondsPer(uint64_t times, Body body) {
  double least = 1e18;
  for (int round = -1; round < kRounds; ++round) {
    auto start = std::chrono::steady_clock::now();
    for (uint64_t i = 0; i < times; ++i) body(i);
    double took = std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - start).count() /
                  static_cast<double>(times);
    if (round >= 0 && took < least) least = took;
  }
  return least;
}

}  // namespace sealog::bench
