// Who still needs an old state, and what is waiting for them.
//
// A state is named by its epoch: it consists of things born in an epoch <= its own and retired in a later one.
// Checkpoints (the current one, the one before it, the one under way) and snapshots pin their state. What is retired
// waits at the newest pin that needs it, and moves to the next older one when that pin goes: each thing is looked at
// once per pin, whatever the number of writes in between (dead lists, as in ZFS).
//
// Not thread-safe: owned by the writer's lock.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace sealog {

class Pins {
 public:
  // What can be retired: a node by its unit index, or a segment.
  struct Thing {
    uint64_t id;
    uint64_t birth;  // epoch
  };
  using Reclaim = void (*)(void* context, uint64_t id);

  Pins(Reclaim reclaim, void* context) : reclaim_(reclaim), context_(context) {}

  // Pins the state at the end of `epoch`. REQUIRES: epoch >= every epoch pinned before. Pinning one twice counts.
  void Add(uint64_t epoch);
  // One holder more of a state that is pinned already, however old it is. REQUIRES: pinned.
  void Hold(uint64_t epoch);
  // REQUIRES: pinned.
  void Remove(uint64_t epoch);

  // `id` is not part of the newest state any more. Reclaimed now if no pinned state has it.
  void Retire(uint64_t id, uint64_t birth);

  bool empty() const { return pins_.empty(); }
  uint64_t oldest() const { return pins_.empty() ? UINT64_MAX : pins_.front().epoch; }
  uint64_t waiting() const { return waiting_; }

 private:
  struct Pin {
    uint64_t epoch;
    uint32_t holders;
    std::vector<Thing> waiting;
  };

  Reclaim reclaim_;
  void* context_;
  std::vector<Pin> pins_;  // by epoch; few
  uint64_t waiting_ = 0;
  // Lists of pins that are gone, kept so that the next ones need no fresh memory, and no page fault, in the put path.
  std::vector<std::vector<Thing>> spare_;
};

}  // namespace sealog
