#include "store/copier.h"

#include <algorithm>
#include <cstring>

namespace sealog {
namespace {

// The list of times is made anew by the entries that expire.
constexpr uint32_t kTrees[] = {kTreeSystem, kTreeUser, kTreeSpaces};
constexpr size_t kEntriesMax = 256;
constexpr size_t kBatchBytesMax = 64 << 10;

}  // namespace

Copier::Copier(std::shared_ptr<const PinnedState> state, uint64_t unix_ms)
    : state_(std::move(state)), space_(state_->space), pool_(&space_, 0), unix_ms_(unix_ms) {
  pool_.set_epoch(state_->epoch + 1);
  entries_.reserve(kEntriesMax);
  // Small against a segment, since a batch that does not fit the rest of one leaves that empty.
  buffer_.resize(std::min<size_t>(kBatchBytesMax, space_.segment_bytes() / 16));
}

Status Copier::Read() {
  entries_.clear();
  used_ = 0;
  while (tree_at_ < std::size(kTrees)) {
    if (!cursor_) {
      const TreeRoot& root = state_->slot.roots[kTrees[tree_at_]];
      cursor_.emplace(&pool_, &space_, Root{root.ref, root.count});
      cursor_->Seek({}, false);
    }
    for (; cursor_->valid() && entries_.size() < kEntriesMax; cursor_->Advance()) {
      const uint64_t offset = RecordRefOffset(cursor_->ref());
      Record record;
      if (!RecordAt(space_, offset, &record) || !VerifyRecord(space_, offset, record)) {
        damaged_offset_ = offset;
        return Status::kCorrupt;
      }
      if (record.ExpiredAt(unix_ms_)) continue;
      damaged_offset_ = 0;
      if (!Take(record, offset)) return damaged_offset_ != 0 ? Status::kCorrupt : Status::kOk;
    }
    if (cursor_->status() != Status::kOk) {
      damaged_offset_ = cursor_->damaged_offset();
      return cursor_->status();
    }
    if (cursor_->valid()) return Status::kOk;
    cursor_.reset();
    ++tree_at_;
    if (!entries_.empty()) return Status::kOk;
  }
  tree_at_ = kTreeCount;
  return Status::kOk;
}

// False: it does not fit beside the others any more, or it is damaged.
bool Copier::Take(const Record& record, uint64_t offset) {
  size_t value_bytes = 0;
  if (!TakeValue(record, offset, &value_bytes)) return false;
  const size_t needed = record.key.size + value_bytes;
  if (needed > buffer_.size() - used_) {
    if (!entries_.empty()) return false;
    buffer_.resize(needed);  // a large value, alone
  }
  uint8_t* to = buffer_.data() + used_;
  memcpy(to, record.key.data, record.key.size);
  to += record.key.size;
  if ((record.flags & kRecordExtents) == 0) {
    if (value_bytes != 0) memcpy(to, record.value.data, value_bytes);
  } else {
    for (size_t at = 0; at < record.value.size; at += sizeof(ValueExtent)) {
      ValueExtent extent;
      memcpy(&extent, record.value.data + at, sizeof extent);
      Record chunk;
      // Found whole by TakeValue; its bytes are checked now.
      if (!RecordAt(space_, extent.offset, &chunk) || !VerifyRecord(space_, extent.offset, chunk)) {
        damaged_offset_ = extent.offset;
        return false;
      }
      memcpy(to, chunk.value.data, extent.bytes);
      to += extent.bytes;
    }
  }
  entries_.push_back({record.expires, static_cast<uint32_t>(record.key.size), static_cast<uint32_t>(value_bytes),
                      static_cast<uint8_t>(record.flags & kRecordExpires)});
  used_ += needed;
  bytes_ += needed;
  return true;
}

// Bytes of the value; that all of its pieces are there is seen before anything is made to hold them.
bool Copier::TakeValue(const Record& record, uint64_t offset, size_t* bytes) {
  *bytes = record.value.size;
  if ((record.flags & kRecordExtents) == 0) return true;
  uint64_t sum = 0;
  for (size_t at = 0; at + sizeof(ValueExtent) <= record.value.size; at += sizeof(ValueExtent)) {
    ValueExtent extent;
    memcpy(&extent, record.value.data + at, sizeof extent);
    Record chunk;
    if (!RecordAt(space_, extent.offset, &chunk) || chunk.kind != kRecordChunk || chunk.value.size != extent.bytes ||
        chunk.header->crc != extent.crc) {
      damaged_offset_ = extent.offset;
      return false;
    }
    sum += extent.bytes;
  }
  *bytes = sum;
  if (record.value.size % sizeof(ValueExtent) == 0 && sum <= kValueBytesMax) return true;
  damaged_offset_ = offset;
  return false;
}

Status Copier::Write(Store* target) {
  if (entries_.empty()) return Status::kOk;
  // Read has moved on to the next tree if it ended one.
  const uint32_t tree = kTrees[cursor_ ? tree_at_ : tree_at_ - 1];
  std::vector<Change> changes;
  changes.reserve(entries_.size());
  const uint8_t* at = buffer_.data();
  for (const Entry& entry : entries_) {
    const Bytes key{at, entry.key_bytes}, value{at + entry.key_bytes, entry.value_bytes};
    changes.push_back({kRecordPut, entry.flags, tree, key, value, entry.expires});
    at += entry.key_bytes + entry.value_bytes;
  }
  uint64_t version = 0;
  return target->Batch(changes.data(), static_cast<uint32_t>(changes.size()), true, &version);
}

}  // namespace sealog
