// Values read in place, by JavaScript, outside of any guard: through a second mapping of the file that is private to
// views (platform/view_mapping.h). A store there never reaches the file; and since the record's checksum is verified
// through that mapping each time, no view shows what an earlier one stored.
#include <cstring>

#include "store/store.h"

namespace sealog {

// Whether there is a mapping to view the whole region with. It is made anew when the region has grown or when it shows
// zeros, as long as nobody looks.
bool Store::CoverViews() {
  if (view_mapping_ != nullptr && view_mapping_->bytes() == region_->bytes() && view_mapping_->faults() == 0)
    return true;
  if (views_ != 0) return false;
  view_mapping_ = std::make_unique<ViewMapping>();
  if (view_mapping_->Map(region_->file(), region_->bytes()).ok()) return true;
  view_mapping_.reset();
  return false;
}

// Whether the record shows in the views' mapping as it was written.
bool Store::VerifyView(uint64_t offset, const RecordHeader& header, uint32_t bytes) {
  const uint8_t* at = view_mapping_->base() + offset;
  const uint32_t seed =
      PlaceSeed(space_->segment(space_->SegmentOf(offset)).check, offset & (space_->segment_bytes() - 1));
  bool holds = false;
  const auto look = [&] {
    holds = memcmp(at, &header, sizeof header) == 0 && RecordCrc(at, bytes, seed) == header.crc;
  };
  if (Guarded(view_mapping_->scope(), look) && holds) return true;
  // An earlier view may have stored there, which made a copy of the page.
  if (!view_mapping_->Drop(offset, bytes).ok()) return false;
  holds = false;
  return Guarded(view_mapping_->scope(), look) && holds;
}

// Pins what the snapshot shows, and the mapping. False: there is nothing to view it with.
bool Store::PinView(uint64_t snapshot, ViewResult* result) {
  std::lock_guard<std::mutex> pins(pins_lock_);
  const auto it = snapshots_.find(snapshot);
  if ((snapshot != 0 && it == snapshots_.end()) || !CoverViews()) return false;
  // The segment is not used again before the pin goes, whatever is removed, released or cleaned meanwhile.
  if (snapshot != 0) {
    result->pin = it->second.epoch;
    pool_->pins().Hold(result->pin);
  } else {
    result->pin = PinNewest();
  }
  ++views_;
  result->faults = view_mapping_->faults();
  return true;
}

ViewResult Store::BeginView(uint64_t snapshot, uint32_t tree, Bytes key, uint64_t bytes_min) {
  ViewResult result;
  Record record;
  RecordHeader header{};
  uint64_t offset = 0;
  const auto look = [&](const State& state) {
    Found found;
    Status status = FindVisible(state, tree, key, &found);
    record = found.record;
    offset = RecordRefOffset(found.ref);
    if (status != Status::kOk) return status;
    // Not verified yet: whoever copies finds out whether this holds.
    memcpy(&header, record.header, sizeof header);
    return ValueBytes(record, offset, &result.bytes);
  };
  const auto pin = [&](const State&, Status status) {
    if (status != Status::kOk) return status;
    if ((record.flags & kRecordExtents) != 0 || record.value.size < bytes_min || record.value.size == 0 ||
        !PinView(snapshot, &result))
      return Status::kValueOutside;
    result.data = view_mapping_->base() + (record.value.data - space_->base());
    return VerifyView(offset, header, record.bytes) ? Status::kOk : Status::kValueOutside;
  };
  result.status = ReadState(snapshot, tree, look, pin);
  if (result.status != Status::kOk && result.data != nullptr) {
    static_cast<void>(EndView(result));
    result.data = nullptr;
  }
  return result;
}

Status Store::EndView(const ViewResult& view) {
  Status status;
  {
    ReadGuard guard(lock_);
    std::lock_guard<std::mutex> pins(pins_lock_);
    --views_;
    given_back_.push_back(view.pin);
    status = view_mapping_->faults() == view.faults ? Status::kOk : Status::kMedia;
  }
  GiveBack();
  return status;
}

}  // namespace sealog
