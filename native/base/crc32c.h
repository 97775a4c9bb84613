// CRC-32C (Castagnoli), by instruction where the CPU has one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_acle.h>
#endif

namespace sealog {

// Table-driven, for machines without the instruction and as the reference in tests.
uint32_t Crc32cPortable(uint32_t seed, const void* data, size_t bytes);

// True if the CPU has the instruction. Checked once.
bool HasCrc32c();

// The checksum of `bytes` bytes at `data`, started with `seed`. Chaining works: Crc32c(Crc32c(s, a), b) == Crc32c(s,
// ab). There is no final inversion, so distinct seeds give distinct sums for the same bytes.
uint32_t Crc32c(uint32_t seed, const void* data, size_t bytes);

// Seed of every META and node checksum of the store with this UUID.
inline uint32_t StoreSeed(const uint8_t uuid[16]) { return Crc32c(0x5ea106u, uuid, 16); }

}  // namespace sealog
