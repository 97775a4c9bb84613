// A checkpoint that somebody holds on to: what it refers to is neither overwritten nor used for anything else until it
// is let go, so it is read without the store's lock. What would change under a reader's feet is copied: the segments,
// and the bitmaps of nodes, of which the next but one checkpoint overwrites the current half.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <vector>

#include "format/format.h"
#include "region/space.h"

namespace sealog {

struct PinnedState : std::enable_shared_from_this<PinnedState> {
  struct Bitmap {
    uint32_t segment;
    uint8_t bits[kBitmapBytes];
  };

  explicit PinnedState(const Space& now) : space(now) {}

  // Null: not a node segment.
  const uint8_t* BitmapOf(uint32_t segment) const {
    auto it = std::lower_bound(bitmaps.begin(), bitmaps.end(), segment,
                               [](const Bitmap& bitmap, uint32_t wanted) { return bitmap.segment < wanted; });
    return it != bitmaps.end() && it->segment == segment ? it->bits : nullptr;
  }
  // Whether a log cursor stands in the segment; then `*end` gets where.
  bool CursorIn(uint32_t segment, uint32_t* end) const {
    for (const LogPosition* at : {&slot.hot, &slot.cold}) {
      if (at->segment != segment) continue;
      *end = at->offset;
      return true;
    }
    return false;
  }

  uint64_t epoch = 0;  // that is pinned
  CheckpointSlot slot{};
  Space space;                  // its own: nobody changes it
  std::vector<Bitmap> bitmaps;  // by segment
  // Of a reader: log segments that replay took. A crash may have lost their headers, which only a writer makes anew.
  std::vector<uint32_t> replayed;
  uint8_t superblocks[2][kSuperblockBytes];
};

}  // namespace sealog
