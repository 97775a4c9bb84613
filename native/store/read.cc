// Reads: copies out of the region, every record's checksum verified, inside a guard.
#include <algorithm>
#include <cstring>
#include <utility>

#include "platform/system.h"
#include "store/store.h"

namespace sealog {

// REQUIRES: the readers' side, or the writer's.
bool Store::StateOf(uint64_t snapshot, uint32_t tree, State* state) {
  if (!serving_ || tree >= kTreeCount) return false;
  if (snapshot == 0) {
    for (uint32_t t = 0; t < kTreeCount; ++t) state->roots[t] = trees_[t].root();
    // Without a list of times nothing has one.
    state->unix_ms = state->roots[kTreeExpiry].count != 0 ? UnixMillis() : 0;
    return true;
  }
  std::lock_guard<std::mutex> pins(pins_lock_);
  auto it = snapshots_.find(snapshot);
  if (it == snapshots_.end()) return false;
  *state = it->second.state;
  return true;
}

// kNotFound: its time has passed. A time that a damaged record has decides nothing.
Status Store::Visible(const Record& record, uint64_t offset, uint64_t unix_ms) {
  if ((record.flags & kRecordExpires) == 0) return Status::kOk;
  if (!VerifyRecord(*space_, offset, record)) {
    damaged_offset_ = offset;
    return Status::kCorrupt;
  }
  return record.ExpiredAt(unix_ms) ? Status::kNotFound : Status::kOk;
}

// The entry of a key, if a reader of the state sees it. Verified only where it has a time.
Status Store::FindVisible(const State& state, uint32_t tree, Bytes key, Found* found) {
  *found = Find(*pool_, *space_, state.roots[tree], key);
  if (found->lookup == Lookup::kFound) [[likely]]
    return Visible(found->record, RecordRefOffset(found->ref), state.unix_ms);
  if (found->lookup == Lookup::kAbsent) return Status::kNotFound;
  damaged_offset_ = found->damaged_offset;
  return Status::kCorrupt;
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

// The piece that a list names, verified.
bool Store::PieceAt(const ValueExtent& extent, Record* chunk) {
  if (RecordAt(*space_, extent.offset, chunk) && chunk->kind == kRecordChunk && chunk->value.size == extent.bytes &&
      chunk->header->crc == extent.crc && VerifyRecord(*space_, extent.offset, *chunk))
    return true;
  damaged_offset_ = extent.offset;
  return false;
}

GetResult Store::CopyValue(const Record& record, uint64_t offset, uint8_t* out, size_t out_bytes) {
  if (VerifyRecord(*space_, offset, record)) return CopyVerified(record, offset, out, out_bytes);
  damaged_offset_ = offset;
  GetResult result;
  result.status = Status::kCorrupt;
  result.version = record.lsn;
  result.expires = record.expires;
  return result;
}

// REQUIRES: the record's own checksum holds. Those of a value's pieces are looked at here.
GetResult Store::CopyVerified(const Record& record, uint64_t offset, uint8_t* out, size_t out_bytes) {
  GetResult result;
  result.version = record.lsn;
  result.expires = record.expires;
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
    if (!PieceAt(extent, &chunk)) {
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
  result.status = ReadState(snapshot, tree, [&](const State& state) {
    Found found;
    const Status status = FindVisible(state, tree, key, &found);
    if (status == Status::kOk) result = CopyValue(found.record, RecordRefOffset(found.ref), out, out_bytes);
    return status == Status::kOk ? result.status : status;
  });
  return result;
}

Status Store::Has(uint64_t snapshot, uint32_t tree, Bytes key) {
  return ReadState(snapshot, tree, [&](const State& state) {
    Found found;
    return FindVisible(state, tree, key, &found);
  });
}

Status Store::FillMany(const GetManyRequest& request, const State& state, int32_t* answers, GetManyResult* result) {
  size_t used = 0;
  for (uint32_t first = 0; first < request.count; first += kSideBySide) {
    const uint32_t count = std::min(kSideBySide, request.count - first);
    Found found[kSideBySide];
    FindMany(*pool_, *space_, state.roots[request.tree], request.keys + first, count, found);
    for (uint32_t i = 0; i < count; ++i) {
      int32_t& answer = answers[first + i];
      if (found[i].lookup == Lookup::kDamaged) {
        damaged_offset_ = found[i].damaged_offset;
        return Status::kCorrupt;
      }
      answer = -1;
      if (found[i].lookup == Lookup::kFound) {
        const uint64_t offset = RecordRefOffset(found[i].ref);
        const Status visible = Visible(found[i].record, offset, state.unix_ms);
        if (visible == Status::kOk) {
          const GetResult value = CopyValue(found[i].record, offset, request.out + used, request.out_bytes - used);
          if (value.status == Status::kValueOutside) {
            if (result->done == 0) result->needed = value.bytes;
            return Status::kOk;
          }
          if (value.status != Status::kOk) return value.status;
          answer = static_cast<int32_t>(value.bytes);
          used = std::min<size_t>(RoundUp(used + value.bytes, 8), request.out_bytes);
        } else if (visible != Status::kNotFound) {
          return visible;
        }
      }
      ++result->done;
    }
  }
  return Status::kOk;
}

GetManyResult Store::GetMany(const GetManyRequest& request, int32_t* answers) {
  GetManyResult result;
  result.status = ReadState(request.snapshot, request.tree,
                            [&](const State& state) { return FillMany(request, state, answers, &result); });
  return result;
}

// A pin of what readers see now, without a new epoch. REQUIRES (this and the next): the readers' side and `pins_lock_`.
uint64_t Store::PinNewest() {
  const uint64_t epoch = changed_epoch_ < pool_->epoch() ? pool_->epoch() - 1 : pool_->epoch();
  pool_->pins().Add(epoch);
  return epoch;
}

// Of the newest state, which `state` is.
uint64_t Store::TakeSnapshot(const State& state, uint64_t* lsn) {
  // If nothing changed since the last one was taken, the state is that of the epoch before: no need for a new epoch.
  const uint64_t epoch = PinNewest();
  if (epoch == pool_->epoch()) pool_->set_epoch(epoch + 1);
  // What is logged and not indexed yet is none of it.
  *lsn = reader_ ? LastLsn() : indexed_lsn_;
  snapshots_.emplace(next_snapshot_, Snapshot{epoch, *lsn, MonotonicMillis(), state});
  return next_snapshot_++;
}

uint64_t Store::OpenSnapshot(uint64_t* lsn) {
  ReadGuard guard(lock_);
  State state;
  if (!StateOf(0, kTreeUser, &state)) return 0;
  std::lock_guard<std::mutex> pins(pins_lock_);
  return TakeSnapshot(state, lsn);
}

uint64_t Store::next_snapshot() {
  Guard guard(lock_);
  return next_snapshot_;
}

void Store::NumberSnapshotsBehind(Store* before) {
  const uint64_t next = before->next_snapshot();
  Guard guard(lock_);
  next_snapshot_ = std::max(next_snapshot_, next);
}

void Store::ReleaseSnapshot(uint64_t id) {
  {
    ReadGuard guard(lock_);
    std::lock_guard<std::mutex> pins(pins_lock_);
    auto it = snapshots_.find(id);
    if (it == snapshots_.end()) return;
    given_back_.push_back(it->second.epoch);
    snapshots_.erase(it);
  }
  GiveBack();
}

// What is given back comes free at once, or by the writer that is there now, or by the next one: what it held may be
// used again, so that no reader may be at it.
void Store::GiveBack() {
  Guard guard(lock_, std::try_to_lock);
  if (guard.owns_lock()) ReleasePins();
}

// REQUIRES: the writer's side.
void Store::ReleasePins() {
  if (given_back_.empty()) return;
  for (const uint64_t epoch : given_back_) pool_->pins().Remove(epoch);
  given_back_.clear();
  // What a full store could not free before it may now.
  futile_epoch_ = futile_until_ = 0;
}

// Entries from the cursor on, as many as fit.
Status Store::FillVisible(const RangeRequest& request, const State& state, RangeResult* result) {
  Cursor cursor(pool_.get(), space_.get(), state.roots[request.tree]);
  uint64_t skip = request.skip;
  // Counts per child tell the place of the n-th entry, unless some of those counted may have expired.
  if (skip != 0 && state.roots[kTreeExpiry].count == 0) {
    cursor.SeekPast(request.range, request.reverse, std::exchange(skip, 0));
  } else {
    cursor.Seek(request.range, request.reverse);
  }
  for (; cursor.valid() && result->entries < request.limit; cursor.Advance()) {
    const uint64_t offset = RecordRefOffset(cursor.ref());
    Record record;
    if (!RecordAt(*space_, offset, &record) || !VerifyRecord(*space_, offset, record)) {
      damaged_offset_ = offset;
      return Status::kCorrupt;
    }
    if (record.ExpiredAt(state.unix_ms)) continue;
    if (skip != 0) {
      --skip;
      continue;
    }
    uint64_t value_bytes = 0;
    if (!request.no_values) {
      if (Status status = ValueBytes(record, offset, &value_bytes); status != Status::kOk) return status;
    }
    RangeEntry entry{static_cast<uint16_t>(record.key.size), 0, static_cast<uint32_t>(value_bytes),
                     static_cast<double>(record.lsn)};
    uint64_t needed = RoundUp(sizeof entry + record.key.size + value_bytes, 8);
    if (needed > request.out_bytes - result->bytes) {
      if (result->entries != 0) break;
      // The first entry alone is too large: its key comes, its value is read by itself.
      entry.flags = kRangeValueOutside;
      needed = RoundUp(sizeof entry + record.key.size, 8);
      if (needed > request.out_bytes) {
        result->needed = needed;
        return Status::kValueOutside;
      }
    }
    uint8_t* to = request.out + result->bytes;
    memcpy(to, &entry, sizeof entry);
    memcpy(to + sizeof entry, record.key.data, record.key.size);
    if (!request.no_values && entry.flags == 0) {
      GetResult value = CopyVerified(record, offset, to + sizeof entry + record.key.size, value_bytes);
      if (value.status != Status::kOk) return value.status;
    }
    result->bytes += needed;
    ++result->entries;
  }
  if (cursor.status() != Status::kOk) damaged_offset_ = cursor.damaged_offset();
  result->done = !cursor.valid();
  return cursor.status();
}

RangeResult Store::FillRange(const RangeRequest& request) {
  RangeResult result;
  result.status = ReadState(
      request.snapshot, request.tree, [&](const State& state) { return FillVisible(request, state, &result); },
      [&](const State& state, Status status) {
        if (status != Status::kOk || result.done) return status;
        result.snapshot = request.snapshot;
        if (result.snapshot != 0) return status;
        std::lock_guard<std::mutex> pins(pins_lock_);
        uint64_t lsn = 0;
        result.snapshot = TakeSnapshot(state, &lsn);
        return status;
      });
  return result;
}

// Entries of the range that have expired and are not swept yet: by the list of times, so the cost is their number.
Status Store::CountExpired(const State& state, uint32_t tree, const KeyRange& range, uint64_t* expired) {
  *expired = 0;
  Cursor cursor(pool_.get(), space_.get(), state.roots[kTreeExpiry]);
  for (cursor.Seek({}, false); cursor.valid(); cursor.Advance()) {
    ExpiryLine line;
    if (KeyHead(cursor.key()) > state.unix_ms) break;
    if (!ParseExpiryLine(cursor.key(), &line) || line.tree != tree || range.Below(line.key) || range.Above(line.key))
      continue;
    const Found found = Find(*pool_, *space_, state.roots[tree], line.key);
    if (found.lookup == Lookup::kDamaged) {
      damaged_offset_ = found.damaged_offset;
      return Status::kCorrupt;
    }
    if (found.lookup != Lookup::kFound || found.record.expires != line.unix_ms) continue;
    const Status status = Visible(found.record, RecordRefOffset(found.ref), state.unix_ms);
    if (status == Status::kCorrupt) return status;
    *expired += status == Status::kNotFound;
  }
  if (cursor.status() != Status::kOk) damaged_offset_ = cursor.damaged_offset();
  return cursor.status();
}

Status Store::Count(uint64_t snapshot, uint32_t tree, const KeyRange& range, uint64_t* count) {
  return ReadState(snapshot, tree, [&](const State& state) {
    uint64_t damaged = 0;
    Status status = CountRange(*pool_, *space_, state.roots[tree], range, count, &damaged);
    if (damaged != 0) damaged_offset_ = damaged;
    uint64_t expired = 0;
    if (status == Status::kOk) status = CountExpired(state, tree, range, &expired);
    *count -= std::min(*count, expired);
    return status;
  });
}

}  // namespace sealog
