// getrandom for the whole program, so that an input always does the same.
#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "image.h"

// Coverage is that of the core.
#pragma clang attribute push(__attribute__((no_sanitize("coverage"))), apply_to = function)

namespace sealog::fuzz {
namespace {
uint64_t state = 1;
}

void SeedRandom(uint64_t seed) { state = seed; }

uint64_t NextRandom() {
  uint64_t z = (state += 0x9e3779b97f4a7c15ull);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
  return z ^ (z >> 31);
}

}  // namespace sealog::fuzz

extern "C" __attribute__((visibility("default"))) ssize_t getrandom(void* out, size_t bytes, unsigned) {
  for (size_t at = 0; at < bytes; at += sizeof(uint64_t)) {
    const uint64_t word = sealog::fuzz::NextRandom();
    memcpy(static_cast<uint8_t*>(out) + at, &word, bytes - at < sizeof word ? bytes - at : sizeof word);
  }
  return static_cast<ssize_t>(bytes);
}

#pragma clang attribute pop
