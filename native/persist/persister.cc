#include "persist/persister.h"

#include <algorithm>

namespace sealog {

void Persister::Note(const void* p, size_t bytes) {
  auto offset = static_cast<uint64_t>(static_cast<const uint8_t*>(p) - base_);
  if (!ranges_.empty() && ranges_.back().offset + ranges_.back().bytes == offset) {
    ranges_.back().bytes += bytes;
  } else {
    ranges_.push_back({offset, bytes});
  }
}

Status Persister::DrainToDevice() {
  if (drain_ == DrainKind::kFenceAndSync) {
    ++counters_.syncs;
    failure_ = file_->Fdatasync();
    return failure_.status;
  }
  if (ranges_.empty()) return Status::kOk;
  // Taken out first: after a failure they must not be written again as if nothing had happened.
  failure_ = WriteRanges(TakeRanges());
  return failure_.status;
}

Failure Persister::WriteRanges(std::vector<Range> ranges) {
  if (ranges.empty()) return {};
  std::sort(ranges.begin(), ranges.end(), [](const Range& a, const Range& b) { return a.offset < b.offset; });
  size_t last = 0;
  for (size_t i = 1; i < ranges.size(); ++i) {
    uint64_t end = ranges[last].offset + ranges[last].bytes;
    if (ranges[i].offset <= end) {
      ranges[last].bytes = std::max(end, ranges[i].offset + ranges[i].bytes) - ranges[last].offset;
    } else {
      ranges[++last] = ranges[i];
    }
  }
  ++counters_.syncs;
  if (last == 0) return file_->PwriteDsync(base_ + ranges[0].offset, ranges[0].bytes, ranges[0].offset);
  for (size_t i = 0; i <= last; ++i) {
    Failure failure = file_->Pwrite(base_ + ranges[i].offset, ranges[i].bytes, ranges[i].offset);
    if (!failure.ok()) return failure;
  }
  return file_->Fdatasync();
}

}  // namespace sealog
