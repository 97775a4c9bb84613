// Values that come in, and are read, piece by piece.
#include "store/value_stream.h"

#include <algorithm>
#include <cstring>

#include "store/store.h"

namespace sealog {

Status Store::BeginValue(uint32_t tree, Bytes key, uint64_t* id) {
  if (key.size == 0 || tree >= kTreeCount) return Status::kInvalid;
  if (key.size > kKeyBytesMax) return Status::kKeyTooLarge;
  Guard guard(lock_);
  if (Status status = Writable(); status != Status::kOk) return status;
  // A version that does not know kHalfPending would take its pieces for dead.
  if (leisure_level_ == 0) return Status::kUnsupported;
  *id = next_value_++;
  pending_values_[*id] = {tree, {key.data, key.data + key.size}, {}};
  return Status::kOk;
}

Status Store::AppendValue(uint64_t id, Bytes piece) {
  Guard guard(lock_);
  const auto it = pending_values_.find(id);
  if (it == pending_values_.end()) return gone();
  PendingValue& value = it->second;
  const uint64_t piece_max = log_->inline_value_bytes_max();
  if (piece.size == 0 || piece.size > piece_max) return Status::kInvalid;
  // The list of the pieces goes into one record.
  if (piece.size > kValueBytesMax - value.bytes || (value.extents.size() + 1) * sizeof(ValueExtent) > piece_max)
    return Status::kValueTooLarge;
  // Room first: nothing may fail between the piece and its place in the list.
  value.extents.reserve(value.extents.size() + 1);
  ValueExtent extent{};
  const Status status =
      AppendPiece(guard, {kRecordChunk, 0, value.tree, {value.key.data(), value.key.size()}, piece}, &extent);
  if (extent.offset != 0) {
    value.extents.push_back(extent);
    value.bytes += extent.bytes;
  }
  return status;
}

Status Store::FinishValue(uint64_t id, const ValueEnd& end, bool deferred, uint64_t* version) {
  *version = 0;
  Guard guard(lock_);
  const auto it = pending_values_.find(id);
  if (it == pending_values_.end()) return gone();
  // Taken out first: the lock is let go of while a checkpoint is waited for, and what is pending stays counted.
  const PendingValue value = std::move(it->second);
  pending_values_.erase(it);
  Status status = Status::kInvalid;
  if (end.expires != 0 && value.key.size() + kExpiryHeadBytes > kKeyBytesMax) {
    status = Status::kKeyTooLarge;
  } else if (!value.extents.empty()) {
    const uint8_t flags = end.expires != 0 ? kRecordExtents | kRecordExpires : kRecordExtents;
    const Bytes list{reinterpret_cast<const uint8_t*>(value.extents.data()),
                     value.extents.size() * sizeof(ValueExtent)};
    const Change change{kRecordPut, flags, value.tree, {value.key.data(), value.key.size()}, list, end.expires};
    status = PutPieces(guard, change, end, deferred, version);
  }
  ReleasePieces(value);
  return status;
}

void Store::AbortValue(uint64_t id) {
  Guard guard(lock_);
  const auto it = pending_values_.find(id);
  if (it == pending_values_.end()) return;
  ReleasePieces(it->second);
  pending_values_.erase(it);
}

// They are live now, or nobody's.
void Store::ReleasePieces(const PendingValue& value) {
  for (const ValueExtent& extent : value.extents) {
    const uint32_t segment = space_->SegmentOf(extent.offset);
    const uint32_t bytes = LogWriter::RecordBytes(value.tree, 0, value.key.size(), extent.bytes);
    space_->AddPending(segment, -static_cast<int64_t>(RoundUp(bytes, kRecordAlign)));
    RetireIfEmpty(segment);
  }
  if (!value.extents.empty()) dirty_ = true;
}

void Store::AbortValues() {
  for (const auto& [id, value] : pending_values_) ReleasePieces(value);
  pending_values_.clear();
}

PartResult Store::GetPart(uint64_t snapshot, uint32_t tree, Bytes key, uint64_t offset, uint8_t* out,
                          size_t out_bytes) {
  PartResult result;
  result.status = ReadState(snapshot, tree, [&](const State& state) {
    Found found;
    Status status = FindVisible(state, tree, key, &found);
    if (status != Status::kOk) return status;
    const uint64_t at = RecordRefOffset(found.ref);
    if (!VerifyRecord(*space_, at, found.record)) {
      damaged_offset_ = at;
      return Status::kCorrupt;
    }
    status = ValueBytes(found.record, at, &result.value_bytes);
    return status == Status::kOk ? CopyPart(found.record, offset, out, out_bytes, &result) : status;
  });
  return result;
}

// REQUIRES: the record is verified, inside a guard.
Status Store::CopyPart(const Record& record, uint64_t offset, uint8_t* out, size_t out_bytes, PartResult* result) {
  if (offset >= result->value_bytes) return Status::kOk;
  const bool whole = (record.flags & kRecordExtents) == 0;
  const uint8_t* list = record.value.data;
  ValueExtent extent{0, static_cast<uint32_t>(record.value.size), 0};
  Bytes piece = record.value;
  if (!whole) {
    // Ends: the offset is less than the sum that ValueBytes has made.
    for (;; list += sizeof extent) {
      memcpy(&extent, list, sizeof extent);
      if (offset < extent.bytes) break;
      offset -= extent.bytes;
    }
  }
  const uint64_t left = extent.bytes - offset;
  if (left > out_bytes) {
    result->next_bytes = left;
    return Status::kValueOutside;
  }
  if (!whole) {
    Record chunk;
    if (!PieceAt(extent, &chunk)) return Status::kCorrupt;
    piece = chunk.value;
  }
  memcpy(out, piece.data + offset, left);
  result->bytes = left;
  for (list += sizeof extent; !whole && list < record.value.data + record.value.size; list += sizeof extent) {
    memcpy(&extent, list, sizeof extent);
    result->next_bytes = extent.bytes;
    if (extent.bytes != 0) break;
  }
  return Status::kOk;
}

}  // namespace sealog
