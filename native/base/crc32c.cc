#include "base/crc32c.h"

#include <array>

namespace sealog {
namespace {

constexpr std::array<uint32_t, 256> MakeTable() {
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t c = i;
    for (int bit = 0; bit < 8; ++bit) c = (c >> 1) ^ ((c & 1) ? 0x82f63b78u : 0);
    table[i] = c;
  }
  return table;
}

constexpr std::array<uint32_t, 256> kTable = MakeTable();

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) uint32_t Crc32cInstruction(uint32_t seed, const void* data, size_t bytes) {
  const auto* p = static_cast<const uint8_t*>(data);
  uint64_t c = seed;
  for (; bytes >= 8; p += 8, bytes -= 8) {
    uint64_t word;
    memcpy(&word, p, 8);
    c = _mm_crc32_u64(c, word);
  }
  auto c32 = static_cast<uint32_t>(c);
  if (bytes & 4) {
    uint32_t word;
    memcpy(&word, p, 4);
    c32 = _mm_crc32_u32(c32, word);
    p += 4;
  }
  for (bytes &= 3; bytes != 0; --bytes) c32 = _mm_crc32_u8(c32, *p++);
  return c32;
}
const bool kHasInstruction = __builtin_cpu_supports("sse4.2");
#elif defined(__aarch64__) && defined(__ARM_FEATURE_CRC32)
uint32_t Crc32cInstruction(uint32_t seed, const void* data, size_t bytes) {
  const auto* p = static_cast<const uint8_t*>(data);
  uint32_t c = seed;
  for (; bytes >= 8; p += 8, bytes -= 8) {
    uint64_t word;
    memcpy(&word, p, 8);
    c = __crc32cd(c, word);
  }
  for (; bytes != 0; --bytes) c = __crc32cb(c, *p++);
  return c;
}
constexpr bool kHasInstruction = true;
#else
uint32_t Crc32cInstruction(uint32_t seed, const void* data, size_t bytes) { return Crc32cPortable(seed, data, bytes); }
constexpr bool kHasInstruction = false;
#endif

}  // namespace

uint32_t Crc32cPortable(uint32_t seed, const void* data, size_t bytes) {
  const auto* p = static_cast<const uint8_t*>(data);
  uint32_t c = seed;
  for (; bytes != 0; --bytes) c = (c >> 8) ^ kTable[(c ^ *p++) & 0xff];
  return c;
}

bool HasCrc32c() { return kHasInstruction; }

uint32_t Crc32c(uint32_t seed, const void* data, size_t bytes) {
  return kHasInstruction ? Crc32cInstruction(seed, data, bytes) : Crc32cPortable(seed, data, bytes);
}

}  // namespace sealog
