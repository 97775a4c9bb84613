#include "region/pins.h"

#include <utility>

namespace sealog {
namespace {

constexpr size_t kSpareLists = 4;

}  // namespace

void Pins::Add(uint64_t epoch) {
  if (!pins_.empty() && pins_.back().epoch == epoch) {
    ++pins_.back().holders;
    return;
  }
  pins_.push_back({epoch, 1, {}});
  if (spare_.empty()) return;
  pins_.back().waiting = std::move(spare_.back());
  spare_.pop_back();
}

void Pins::Hold(uint64_t epoch) {
  for (Pin& pin : pins_) {
    if (pin.epoch == epoch) ++pin.holders;
  }
}

void Pins::Remove(uint64_t epoch) {
  size_t i = pins_.size();
  while (i != 0 && pins_[i - 1].epoch != epoch) --i;
  if (i == 0) return;
  --i;
  if (--pins_[i].holders != 0) return;
  std::vector<Thing> waiting = std::move(pins_[i].waiting);
  pins_.erase(pins_.begin() + static_cast<ptrdiff_t>(i));
  for (const Thing& thing : waiting) {
    if (i != 0 && pins_[i - 1].epoch >= thing.birth) {
      pins_[i - 1].waiting.push_back(thing);
    } else {
      --waiting_;
      reclaim_(context_, thing.id);
    }
  }
  waiting.clear();
  if (spare_.size() < kSpareLists) spare_.push_back(std::move(waiting));
}

void Pins::Retire(uint64_t id, uint64_t birth) {
  if (pins_.empty() || pins_.back().epoch < birth) {
    reclaim_(context_, id);
    return;
  }
  pins_.back().waiting.push_back({id, birth});
  ++waiting_;
}

}  // namespace sealog
