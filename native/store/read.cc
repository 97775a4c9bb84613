// Reads: copies out of the region, every record's checksum verified, inside a guard.
#include <cstring>

#include "store/store.h"

namespace sealog {

bool Store::RootOf(uint64_t snapshot, uint32_t tree, Root* root) const {
  if (tree >= kTreeCount) return false;
  if (snapshot == 0) {
    *root = trees_[tree].root();
    return true;
  }
  auto it = snapshots_.find(snapshot);
  if (it == snapshots_.end()) return false;
  *root = it->second.roots[tree];
  return true;
}

// Bytes of the value, whether it lies in its record or in pieces.
Status Store::ValueBytes(const Record& record, uint64_t offset, uint64_t* bytes) {
  *bytes = record.value.size;
  if ((record.flags & kRecordExtents) == 0) return Status::kOk;
  if (record.value.size % sizeof(ValueExtent) != 0) {
    damaged_offset_ = offset;
    return Status::kCorrupt;
  }
  *bytes = 0;
  for (size_t at = 0; at < record.value.size; at += sizeof(ValueExtent)) {
    ValueExtent extent;
    memcpy(&extent, record.value.data + at, sizeof extent);
    *bytes += extent.bytes;
  }
  if (*bytes > kValueBytesMax) {
    damaged_offset_ = offset;
    return Status::kCorrupt;
  }
  return Status::kOk;
}

GetResult Store::CopyValue(const Record& record, uint64_t offset, uint8_t* out, size_t out_bytes) {
  GetResult result;
  result.version = record.lsn;
  if (!VerifyRecord(*space_, offset, record)) {
    damaged_offset_ = offset;
    result.status = Status::kCorrupt;
    return result;
  }
  result.status = ValueBytes(record, offset, &result.bytes);
  if (result.status != Status::kOk) return result;
  if (result.bytes > out_bytes) {
    result.status = Status::kValueOutside;
    return result;
  }
  if ((record.flags & kRecordExtents) == 0) {
    if (result.bytes != 0) memcpy(out, record.value.data, result.bytes);
    return result;
  }
  for (size_t at = 0; at < record.value.size; at += sizeof(ValueExtent)) {
    ValueExtent extent;
    memcpy(&extent, record.value.data + at, sizeof extent);
    Record chunk;
    if (!RecordAt(*space_, extent.offset, &chunk) || chunk.kind != kRecordChunk || chunk.value.size != extent.bytes ||
        chunk.header->crc != extent.crc || !VerifyRecord(*space_, extent.offset, chunk)) {
      damaged_offset_ = extent.offset;
      result.status = Status::kCorrupt;
      return result;
    }
    memcpy(out, chunk.value.data, extent.bytes);
    out += extent.bytes;
  }
  return result;
}

GetResult Store::Get(uint64_t snapshot, uint32_t tree, Bytes key, uint8_t* out, size_t out_bytes) {
  GetResult result;
  Guard guard(lock_);
  Root root;
  if (!serving_ || !RootOf(snapshot, tree, &root)) {
    result.status = Status::kClosed;
    return result;
  }
  if (broken_) {
    result.status = Status::kMedia;
    return result;
  }
  if (!Shielded([&] {
        Found found = Find(*pool_, *space_, root, key);
        if (found.lookup == Lookup::kFound) {
          result = CopyValue(found.record, RecordRefOffset(found.ref), out, out_bytes);
        } else {
          result.status = found.lookup == Lookup::kAbsent ? Status::kNotFound : Status::kCorrupt;
          damaged_offset_ = found.damaged_offset;
        }
      })) {
    result.status = Status::kMedia;
  }
  return result;
}

Status Store::Has(uint32_t tree, Bytes key) {
  Guard guard(lock_);
  Root root;
  if (!serving_ || !RootOf(0, tree, &root)) return Status::kClosed;
  if (broken_) return Status::kMedia;
  Status status = Status::kMedia;
  if (!Shielded([&] {
        Found found = Find(*pool_, *space_, root, key);
        status = found.lookup == Lookup::kFound    ? Status::kOk
                 : found.lookup == Lookup::kAbsent ? Status::kNotFound
                                                   : Status::kCorrupt;
        damaged_offset_ = found.damaged_offset;
      })) {
    return Status::kMedia;
  }
  return status;
}

uint64_t Store::TakeSnapshot() {
  // If nothing changed since the last one was taken, the state is that of the epoch before: no need for a new epoch.
  uint64_t epoch = pool_->epoch();
  if (changed_epoch_ < epoch) {
    --epoch;
  } else {
    pool_->set_epoch(epoch + 1);
  }
  pool_->pins().Add(epoch);
  Snapshot snapshot{epoch, {}};
  for (uint32_t t = 0; t < kTreeCount; ++t) snapshot.roots[t] = trees_[t].root();
  uint64_t id = next_snapshot_++;
  snapshots_.emplace(id, snapshot);
  return id;
}

void Store::ReleaseSnapshot(uint64_t id) {
  Guard guard(lock_);
  auto it = snapshots_.find(id);
  if (it == snapshots_.end()) return;
  uint64_t epoch = it->second.epoch;
  snapshots_.erase(it);
  pool_->pins().Remove(epoch);
}

RangeResult Store::FillRange(const RangeRequest& request) {
  RangeResult result;
  Guard guard(lock_);
  Root root;
  if (!serving_ || !RootOf(request.snapshot, kTreeUser, &root)) {
    result.status = Status::kClosed;
    return result;
  }
  if (broken_) {
    result.status = Status::kMedia;
    return result;
  }
  if (!Shielded([&] {
        Cursor cursor(pool_.get(), space_.get(), root);
        cursor.Seek(request.range, request.reverse);
        for (; cursor.valid() && result.entries < request.limit; cursor.Advance()) {
          uint64_t offset = RecordRefOffset(cursor.ref());
          Record record;
          if (!RecordAt(*space_, offset, &record) || !VerifyRecord(*space_, offset, record)) {
            damaged_offset_ = offset;
            result.status = Status::kCorrupt;
            return;
          }
          uint64_t value_bytes = 0;
          if (!request.no_values) {
            result.status = ValueBytes(record, offset, &value_bytes);
            if (result.status != Status::kOk) return;
          }
          RangeEntry entry{static_cast<uint16_t>(record.key.size), 0, static_cast<uint32_t>(value_bytes),
                           static_cast<double>(record.lsn)};
          uint64_t needed = RoundUp(sizeof entry + record.key.size + value_bytes, 8);
          if (needed > request.out_bytes - result.bytes) {
            if (result.entries != 0) break;
            // The first entry alone is too large: its key comes, its value is read by itself.
            entry.flags = kRangeValueOutside;
            needed = RoundUp(sizeof entry + record.key.size, 8);
            if (needed > request.out_bytes) {
              result.status = Status::kValueOutside;
              result.needed = needed;
              return;
            }
          }
          uint8_t* to = request.out + result.bytes;
          memcpy(to, &entry, sizeof entry);
          memcpy(to + sizeof entry, record.key.data, record.key.size);
          if (!request.no_values && entry.flags == 0) {
            GetResult value = CopyValue(record, offset, to + sizeof entry + record.key.size, value_bytes);
            if (value.status != Status::kOk) {
              result.status = value.status;
              return;
            }
          }
          result.bytes += needed;
          ++result.entries;
        }
        if (cursor.status() != Status::kOk) {
          damaged_offset_ = cursor.damaged_offset();
          result.status = cursor.status();
        }
        result.done = !cursor.valid();
      })) {
    result.status = Status::kMedia;
  }
  if (result.status != Status::kOk) return result;
  if (!result.done) result.snapshot = request.snapshot != 0 ? request.snapshot : TakeSnapshot();
  return result;
}

Status Store::Count(const KeyRange& range, uint64_t* count) {
  Guard guard(lock_);
  if (!serving_) return Status::kClosed;
  if (broken_) return Status::kMedia;
  Status status = Status::kMedia;
  if (!Shielded(
          [&] { status = CountRange(*pool_, *space_, trees_[kTreeUser].root(), range, count, &damaged_offset_); })) {
    return Status::kMedia;
  }
  return status;
}

}  // namespace sealog
