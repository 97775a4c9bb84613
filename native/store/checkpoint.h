// A checkpoint: a frozen state, made durable behind the writer's back. Two fences: everything it refers to, then the
// slot.
#pragma once

#include <cstdint>
#include <vector>

#include "base/status.h"
#include "format/format.h"
#include "index/node_pool.h"
#include "persist/persist.h"
#include "region/space.h"

namespace sealog {

// Everything a checkpoint writes, taken under the writer's lock. The nodes themselves stay where they are: pinned, so
// that nobody changes them.
struct FrozenState {
  struct Half {
    uint32_t segment;
    uint8_t which;
    SegmentHalf half;
  };
  CheckpointSlot slot;
  NodePool::Frozen nodes;
  std::vector<Half> halves;
  std::vector<uint32_t> filled;  // log segments that were left behind, complete
};

// Writes it. Invariant I-CKPT-1: the slot is written after a fence behind all that it refers to; nothing of the other
// slot's state is overwritten. Fails as the persister's drains do.
Status WriteCheckpoint(const Space& space, Persister* persister, const FrozenState& state);

}  // namespace sealog
