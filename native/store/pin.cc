// Checkpoints that are held on to, for whoever reads a whole state while writing goes on: backup and verify.
#include <algorithm>
#include <cstring>

#include "store/store.h"

namespace sealog {

// What a reader's recovery made, frozen: once, since nothing changes afterwards. The mapping is private.
Status Store::FreezeReadOnly() {
  if (slot_sequence_ != plan_.header.slot_sequence) return Status::kOk;
  const PlanHeader& h = plan_.header;
  pool_->Freeze(&frozen_.nodes);
  if (!Shielded([&] {
        for (uint64_t tagged : frozen_.nodes.nodes) {
          const uint64_t offset = tagged & ~uint64_t{1};
          SealNode(space_->At<NodeHeader>(offset), offset / kLeafBytes, space_->store_seed());
        }
      })) {
    return Status::kMedia;
  }
  CheckpointSlot& slot = frozen_.slot;
  slot = {};
  slot.sequence = ++slot_sequence_;
  slot.epoch = pool_->epoch();
  slot.lsn = LastLsn();
  slot.hot = reader_ ? reader_->end().position : h.hot;
  slot.cold = reader_ ? reader_->end().cold : h.cold;
  for (uint32_t t = 0; t < kTreeCount; ++t) slot.roots[t] = {trees_[t].root().ref, trees_[t].root().count, 0};
  slot.next_log_sequence = std::max({h.next_log_sequence, slot.hot.log_sequence + 1, slot.cold.log_sequence + 1});
  return Status::kOk;
}

Status Store::CopyPinned(PinnedState* out) const {
  out->epoch = frozen_.slot.epoch;
  out->slot = frozen_.slot;
  for (uint32_t i = 0; i < space_->count(); ++i) {
    const SegmentType type = space_->segment(i).type;
    if (type != SegmentType::kLeaf && type != SegmentType::kInner) continue;
    out->bitmaps.emplace_back();
    out->bitmaps.back().segment = i;
  }
  if (reader_) {
    for (const LogReader::Roll& roll : reader_->rolls()) out->replayed.push_back(roll.to.segment);
  }
  const bool read = Shielded([&] {
    for (int i = 0; i < 2; ++i) memcpy(out->superblocks[i], region_->base() + kSuperblockOffset[i], kSuperblockBytes);
    for (PinnedState::Bitmap& bitmap : out->bitmaps) pool_->CopyBitmap(bitmap.segment, bitmap.bits);
  });
  return read ? Status::kOk : Status::kMedia;
}

Status Store::PinState(uint64_t* id) {
  Guard guard(lock_);
  if (!serving_) return gone();
  if (broken_) return Status::kMedia;
  if (region_->read_only()) {
    if (Status status = FreezeReadOnly(); status != Status::kOk) return status;
  } else {
    done_.wait(guard, [this] { return !in_flight_ && !commit_in_flight_; });
    if (poison_status_ != Status::kOk) return poison_status_;
    Status status = Status::kMedia;
    if (!Shielded([&] { status = DrainLog(); })) return Interrupted();
    if (status != Status::kOk) return status;
    // Also when nothing changed: so its slot is known.
    Freeze(0);
    wake_.notify_one();
  }
  auto state = std::make_shared<PinnedState>(*space_);
  if (Status status = CopyPinned(state.get()); status != Status::kOk) return status;
  pool_->pins().Add(state->epoch);
  *id = next_pinned_++;
  pinned_.emplace(*id, Pin{std::move(state)});
  return Status::kOk;
}

Status Store::AwaitPinned(uint64_t id) {
  Guard guard(lock_);
  auto it = pinned_.find(id);
  if (!serving_ || it == pinned_.end()) return gone();
  const uint64_t sequence = it->second.state->slot.sequence;
  ++pinned_readers_;
  done_.wait(guard, [this, sequence] {
    return !serving_ || poison_status_ != Status::kOk || !in_flight_ || slot_sequence_ != sequence;
  });
  --pinned_readers_;
  done_.notify_all();
  return serving_ ? poison_status_ : gone();
}

void Store::Unpin(uint64_t id) {
  Guard guard(lock_);
  auto it = pinned_.find(id);
  if (it == pinned_.end()) return;
  it->second.given_back = true;
  if (it->second.readers == 0) DropPin(it);
}

void Store::DropPin(std::map<uint64_t, Pin>::iterator it) {
  const uint64_t epoch = it->second.state->epoch;
  pinned_.erase(it);
  pool_->pins().Remove(epoch);
}

std::shared_ptr<const PinnedState> Store::EnterPinned(uint64_t id) {
  Guard guard(lock_);
  auto it = pinned_.find(id);
  if (!serving_ || it == pinned_.end() || it->second.given_back) return nullptr;
  ++pinned_readers_;
  ++it->second.readers;
  return it->second.state;
}

void Store::LeavePinned(uint64_t id) {
  Guard guard(lock_);
  --pinned_readers_;
  auto it = pinned_.find(id);
  if (--it->second.readers == 0 && it->second.given_back) DropPin(it);
  done_.notify_all();
}

}  // namespace sealog
