// The ways in which an image is damaged, numbered: the same number is the same damage again.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "image.h"

namespace sealog::test {

// Bytes [offset, offset + bytes.size()) become `bytes`; then the file gets `size`.
struct Damage {
  std::string name;
  std::vector<std::pair<uint64_t, std::vector<uint8_t>>> writes;
  uint64_t size = 0;
};

Damage FlipBit(const Image& image, uint64_t bit);

// Truncations, extensions, and blocks of 64 bytes to 16 KiB that are zeroed, filled with ones, swapped, repeated, put
// back to an earlier state or replaced by another store's.
class Blocks {
 public:
  explicit Blocks(const Image& image);
  uint64_t size() const { return first_.back(); }
  Damage Make(uint64_t number) const;

 private:
  Damage MakeTruncation(uint64_t i) const;
  Damage MakeExtension(uint64_t i) const;
  Damage MakeBlock(uint64_t block_bytes, uint64_t i) const;

  const Image& image_;
  std::vector<uint64_t> first_;  // numbers of each group begin here
};

}  // namespace sealog::test
