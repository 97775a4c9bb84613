// Opening a store without Node, in the steps of src/recovery/recover.ts: for native tests.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/base.h"
#include "meta_twin.h"
#include "region/region.h"
#include "store/store.h"

namespace sealog::test {

struct OpenResult {
  Failure failure;
  std::unique_ptr<Store> store;
  Store::ReplayResult replay;
  bool clean = false;
  bool settled = false;  // growth that was cut off had left something
};

// Refuses a store that needs its older checkpoint, which the product opens: that is damage, and no test of a crash
// should pass by it.
inline OpenResult OpenStore(const std::string& path, const RegionOptions& options = {},
                            FlushKind flush = BestFlush(false), uint64_t checkpoint_bytes = 1 << 20,
                            bool populate = false, bool clean_behind = true, const GrowthOptions& growth = {}) {
  OpenResult result;
  std::unique_ptr<Region> region;
  result.failure = Region::Open(path, options, &region);
  if (!result.failure.ok()) return result;
  const MetaPlan meta =
      MetaTwin(region->base(), region->bytes(), region->bytes()).Plan(options.read_only, checkpoint_bytes);
  if (meta.status != Status::kOk || meta.older_checkpoint) {
    result.failure = {meta.status == Status::kOk ? Status::kCorrupt : meta.status, 0, "", 0, "META does not hold"};
    return result;
  }
  Plan plan;
  result.failure = ParsePlan(meta.bytes.data(), meta.bytes.size(), region->bytes(), &plan);
  if (!result.failure.ok()) return result;
  bool was_clean = (plan.header.slot_flags & kSlotClean) != 0;
  auto store = std::make_unique<Store>(std::move(region), flush);
  result.failure = store->Start(std::move(plan));
  if (!result.failure.ok()) return result;
  result.replay = store->Replay();
  result.failure = result.replay.failure;
  if (!result.failure.ok()) return result;
  if (result.replay.later.found) {
    result.failure = {Status::kCorrupt, 0, "", 0, "interior damage"};
    return result;
  }
  result.clean = was_clean && result.replay.end.frames == 0;
  result.settled = !options.read_only && !meta.settled;
  if (result.settled) result.failure = store->Settle(meta.superblock);
  if (!result.failure.ok()) return result;
  store->SetGrowth(growth);
  result.failure = store->Serve({!result.clean, populate, clean_behind});
  if (result.failure.ok()) result.store = std::move(store);
  return result;
}

inline Bytes BytesOf(const std::string& s) { return {reinterpret_cast<const uint8_t*>(s.data()), s.size()}; }

}  // namespace sealog::test
