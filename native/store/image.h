// A pinned state as the bytes of a store file: what a backup writes. META is made anew (the slot, one half for each
// segment, no seal record), what nobody refers to is zero, and the file ends behind the last segment in use.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "store/pinned_state.h"

namespace sealog {

class Image {
 public:
  static constexpr uint64_t kGrain = 4096;

  // `state` must outlive it.
  explicit Image(const PinnedState* state);

  // A multiple of the segment size; the region's at most.
  uint64_t bytes() const { return state_->space.SegmentOffset(segments_); }

  // Copies [offset, offset + bytes). REQUIRES: inside a guard; both multiples of kGrain, within bytes().
  void Read(uint64_t offset, uint8_t* out, size_t bytes) const;

 private:
  bool Used(uint32_t segment) const;
  void MakeMeta();
  void ReadSegment(uint32_t segment, uint32_t from, uint8_t* out, uint32_t bytes) const;

  const PinnedState* state_;
  uint32_t segments_ = 0;
  uint32_t meta_segments_ = 0;
  std::vector<uint8_t> meta_;  // up to the end of the table
};

}  // namespace sealog
