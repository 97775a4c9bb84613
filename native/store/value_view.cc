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

ViewResult Store::BeginView(uint64_t snapshot, uint32_t tree, Bytes key, uint64_t bytes_min) {
  ViewResult result;
  Guard guard(lock_);
  State state;
  if (!StateOf(snapshot, tree, &state)) {
    result.status = Status::kClosed;
    return result;
  }
  result.status = Status::kMedia;
  if (broken_) return result;
  Record record;
  RecordHeader header{};
  uint64_t offset = 0;
  if (!Shielded([&] {
        Found found;
        result.status = FindVisible(state, tree, key, &found);
        record = found.record;
        offset = RecordRefOffset(found.ref);
        if (result.status != Status::kOk) return;
        // Not verified yet: whoever copies finds out whether this holds.
        memcpy(&header, record.header, sizeof header);
        result.status = ValueBytes(record, offset, &result.bytes);
      })) {
    result.status = Status::kMedia;
  }
  if (result.status != Status::kOk) return result;
  if ((record.flags & kRecordExtents) != 0 || record.value.size < bytes_min || record.value.size == 0 ||
      !CoverViews() || !VerifyView(offset, header, record.bytes)) {
    result.status = Status::kValueOutside;
    return result;
  }
  result.data = view_mapping_->base() + (record.value.data - space_->base());
  result.faults = view_mapping_->faults();
  // The segment is not used again before the pin goes, whatever is removed, released or cleaned meanwhile.
  if (snapshot != 0) {
    result.pin = snapshots_.find(snapshot)->second.epoch;
    pool_->pins().Hold(result.pin);
  } else {
    // As TakeSnapshot, but without a new epoch: the index is not looked at again.
    result.pin = changed_epoch_ < pool_->epoch() ? pool_->epoch() - 1 : pool_->epoch();
    pool_->pins().Add(result.pin);
  }
  ++views_;
  return result;
}

Status Store::EndView(const ViewResult& view) {
  Guard guard(lock_);
  --views_;
  pool_->pins().Remove(view.pin);
  return view_mapping_->faults() == view.faults ? Status::kOk : Status::kMedia;
}

}  // namespace sealog
