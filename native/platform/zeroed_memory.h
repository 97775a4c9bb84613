// Memory full of zeros that takes no space before it is touched: for tables sized by what may come to be. It has pages
// of its own; calloc's are such only above a threshold that moves, and cleared one by one below it.
#pragma once

#include <cstddef>
#include <cstdint>

namespace sealog {

class ZeroedMemory {
 public:
  ZeroedMemory() = default;
  ~ZeroedMemory();
  ZeroedMemory(const ZeroedMemory&) = delete;
  ZeroedMemory& operator=(const ZeroedMemory&) = delete;

  // False: there is no memory. REQUIRES: once; bytes != 0.
  bool Allocate(size_t bytes);
  uint8_t* data() const { return data_; }

 private:
  uint8_t* data_ = nullptr;
  size_t bytes_ = 0;
};

}  // namespace sealog
