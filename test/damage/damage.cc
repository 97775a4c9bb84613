#include "damage.h"

#include <algorithm>

#include "format/layout.h"

namespace sealog::test {
namespace {

constexpr uint64_t kSwapBytes[] = {64, 512, 4096, 16384};
constexpr uint64_t kExtensionBytes[] = {1, 64, 512, 4096, 16384, 65536};

enum Way : uint64_t {
  kZero,
  kOnes,
  kSwapNear,  // with a block of the same segment
  kSwapFar,
  kRepeatNear,  // a block of the same segment once more, here
  kRepeatFar,
  kStale,
  kForeign,
  kWays,
};
constexpr const char* kWayNames[kWays] = {"zeroed",
                                          "filled with ones",
                                          "swapped in its segment",
                                          "swapped",
                                          "overwritten from its segment",
                                          "overwritten from elsewhere",
                                          "put back to an earlier state",
                                          "overwritten from another store"};

}  // namespace

Damage FlipBit(const Image& image, uint64_t bit) {
  Damage damage;
  damage.name = "bit " + std::to_string(bit);
  damage.size = image.bytes.size();
  damage.writes = {{bit / 8, {static_cast<uint8_t>(image.bytes[bit / 8] ^ (1u << (bit % 8)))}}};
  return damage;
}

Blocks::Blocks(const Image& image) : image_(image) {
  first_ = {0, image.bytes.size() / kLineBytes};
  first_.push_back(first_.back() + 2 * std::size(kExtensionBytes));
  for (uint64_t bytes : kSwapBytes) first_.push_back(first_.back() + image.bytes.size() / bytes * kWays);
}

Damage Blocks::Make(uint64_t number) const {
  size_t group = 0;
  while (number >= first_[group + 1]) ++group;
  const uint64_t i = number - first_[group];
  if (group == 0) return MakeTruncation(i);
  if (group == 1) return MakeExtension(i);
  return MakeBlock(kSwapBytes[group - 2], i);
}

Damage Blocks::MakeTruncation(uint64_t i) const {
  return {"truncated to " + std::to_string(i * kLineBytes), {}, i * kLineBytes};
}

// By zeros, and by what is at the beginning.
Damage Blocks::MakeExtension(uint64_t i) const {
  const uint64_t more = kExtensionBytes[i / 2];
  Damage damage{"extended by " + std::to_string(more), {}, image_.bytes.size() + more};
  if (i % 2 != 0) {
    damage.writes.push_back(
        {image_.bytes.size(), {image_.bytes.begin(), image_.bytes.begin() + static_cast<ptrdiff_t>(more)}});
  }
  return damage;
}

Damage Blocks::MakeBlock(uint64_t block_bytes, uint64_t i) const {
  const uint64_t way = i % kWays, block = i / kWays, offset = block * block_bytes;
  Random random(image_.seed * 1000003 + block_bytes + i * 64);
  auto piece = [&](const std::vector<uint8_t>& from, uint64_t at) {
    return std::vector<uint8_t>(from.begin() + static_cast<ptrdiff_t>(at),
                                from.begin() + static_cast<ptrdiff_t>(at + block_bytes));
  };
  Damage damage{"block of " + std::to_string(block_bytes) + " at " + std::to_string(offset) + " " + kWayNames[way],
                {},
                image_.bytes.size()};
  const uint64_t segment = offset / kSegmentBytesMin * kSegmentBytesMin;
  const uint64_t near = segment + random() % (kSegmentBytesMin / block_bytes) * block_bytes;
  const uint64_t far = random() % (image_.bytes.size() / block_bytes) * block_bytes;
  switch (way) {
    case kZero:
    case kOnes:
      damage.writes = {{offset, std::vector<uint8_t>(block_bytes, way == kZero ? 0 : 0xff)}};
      break;
    case kSwapNear:
    case kSwapFar: {
      const uint64_t other = way == kSwapNear ? near : far;
      damage.writes = {{offset, piece(image_.bytes, other)}, {other, piece(image_.bytes, offset)}};
      damage.name += " with " + std::to_string(other);
      break;
    }
    case kRepeatNear:
    case kRepeatFar: {
      const uint64_t other = way == kRepeatNear ? near : far;
      damage.writes = {{offset, piece(image_.bytes, other)}};
      damage.name += " at " + std::to_string(other);
      break;
    }
    case kStale:
      damage.writes = {{offset, piece(image_.stale, offset)}};
      break;
    default:
      damage.writes = {{offset, piece(image_.foreign, offset)}};
  }
  return damage;
}

}  // namespace sealog::test
