// Copying: entries are read whole, verified, and put into the new store in batches.
#include <algorithm>
#include <cstring>
#include <new>

#include "store/salvager.h"

namespace sealog {
namespace {

constexpr uint64_t kCopyBytesMax = 256 << 10;
constexpr uint32_t kBatchEntriesMax = 256;
constexpr uint64_t kCommitBytes = 16 << 20;  // bounds what is deferred

}  // namespace

void Salvager::CopyCandidates(Candidates* from, uint64_t* counter) {
  std::vector<const Candidates::value_type*> order;
  order.reserve(from->size());
  for (const auto& each : *from) {
    if (!each.second.remove) order.push_back(&each);
  }
  std::sort(order.begin(), order.end(), [](auto* a, auto* b) { return a->first < b->first; });
  for (const auto* each : order) {
    if (!Going()) return;
    // The checkpoint knew that nothing here was live: the entry had been removed, or replaced by what is lost.
    if (counter == &report_->from_scan && IsDead(each->second)) continue;
    const uint64_t offset = PlaceOf(each->second);
    OwnRecord own;
    const Status status = source_.ReadRecord(offset, &own);
    if (status == Status::kNoMemory) {
      failure_ = {status, 0, "", offset, "no memory for a record"};
      return;
    }
    const auto tree = static_cast<uint8_t>(each->first[0]);
    if (status != Status::kOk) {
      NoteEntry("record", offset, tree, BytesOf(each->first.substr(1)), "the record does not hold any more");
      continue;
    }
    Gap* gap = HasSlot() && counter == &report_->from_scan ? GapOf(tree, own.record.key) : nullptr;
    if (Stage(offset, std::move(own), counter) && gap != nullptr) ++gap->found;
  }
}

bool Salvager::ReadPiece(const ValueExtent& extent, OwnRecord* piece) {
  return source_.ReadRecord(extent.offset, piece) == Status::kOk && piece->record.kind == kRecordChunk &&
         piece->record.value.size == extent.bytes && piece->record.header->crc == extent.crc;
}

bool Salvager::PiecesHold(const Record& record) {
  uint64_t bytes = 0;
  for (size_t at = 0; at + sizeof(ValueExtent) <= record.value.size; at += sizeof(ValueExtent)) {
    ValueExtent extent;
    memcpy(&extent, record.value.data + at, sizeof extent);
    bytes += extent.bytes;
    OwnRecord piece;
    if (bytes > kValueBytesMax || !ReadPiece(extent, &piece)) return false;
  }
  return true;
}

// Where to read a candidate: of several lists of its pieces, one whose pieces are there still.
uint64_t Salvager::PlaceOf(const Candidate& candidate) {
  OwnRecord own;
  if (candidate.lists.empty() || (source_.ReadRecord(candidate.offset, &own) == Status::kOk && PiecesHold(own.record)))
    return candidate.offset;
  for (uint64_t offset : candidate.lists) {
    if (source_.ReadRecord(offset, &own) == Status::kOk && PiecesHold(own.record)) return offset;
  }
  return candidate.offset;
}

// Puts a large value together. False: it is lost, and noted.
bool Salvager::JoinPieces(uint64_t offset, const Record& record, Staged* staged) {
  uint64_t whole = 0, readable = 0, bad = 0;
  bool lost = record.value.size == 0 || record.value.size % sizeof(ValueExtent) != 0;
  for (size_t at = 0; at + sizeof(ValueExtent) <= record.value.size; at += sizeof(ValueExtent)) {
    ValueExtent extent;
    memcpy(&extent, record.value.data + at, sizeof extent);
    whole += extent.bytes;
  }
  lost = lost || whole > kValueBytesMax;
  if (!lost) {
    staged->large.reset(new (std::nothrow) uint8_t[whole + 1]);
    if (staged->large == nullptr) {
      failure_ = {Status::kNoMemory, 0, "", offset, "no memory for a large value"};
      return false;
    }
    uint8_t* to = staged->large.get();
    for (size_t at = 0; at < record.value.size; at += sizeof(ValueExtent)) {
      ValueExtent extent;
      memcpy(&extent, record.value.data + at, sizeof extent);
      OwnRecord own;
      if (ReadPiece(extent, &own)) {
        if (extent.bytes != 0) memcpy(to, own.record.value.data, extent.bytes);
        readable += extent.bytes;
      } else {
        if (!lost) bad = extent.offset;
        lost = true;
      }
      to += extent.bytes;
    }
  }
  if (!lost) {
    staged->value = {staged->large.get(), whole};
    return true;
  }
  NoteEntry("piece", bad != 0 ? bad : offset, record.tree, record.key,
            "a piece of the value does not hold; " + std::to_string(readable) + " of its " + std::to_string(whole) +
                " bytes can be read");
  return false;
}

bool Salvager::Stage(uint64_t offset, OwnRecord own, uint64_t* counter) {
  if (!Going()) return false;
  const Record record = own.record;
  const bool expires = (record.flags & kRecordExpires) != 0;
  if (record.key.size + (expires ? kExpiryHeadBytes : 0) > kKeyBytesMax) {
    NoteEntry("record", offset, record.tree, record.key, "the key is longer than this version takes");
    return false;
  }
  Staged staged;
  staged.value = record.value;
  staged.counter = counter;
  if ((record.flags & kRecordExtents) != 0 && !JoinPieces(offset, record, &staged)) return false;
  staged.record = std::move(own);
  const uint64_t bytes = record.key.size + staged.value.size;
  const uint64_t room = std::min<uint64_t>(kCopyBytesMax, source_.segment_bytes() / 2);
  if (staged_bytes_ + bytes > room || staged_.size() == kBatchEntriesMax) Flush();
  staged_bytes_ += bytes;
  staged_.push_back(std::move(staged));
  return true;
}

void Salvager::Flush() {
  if (staged_.empty() || !Going()) return;
  std::vector<Change> changes;
  for (const Staged& each : staged_) {
    const Record& r = each.record.record;
    changes.push_back(
        {kRecordPut, static_cast<uint8_t>(r.flags & kRecordExpires), r.tree, r.key, each.value, r.expires});
  }
  uint64_t version = 0;
  Check(out_->Batch(changes.data(), static_cast<uint32_t>(changes.size()), true, &version));
  if (Going()) {
    for (const Change& change : changes) {
      report_->bytes += change.key.size + change.value.size;
      if (change.tree == kTreeSpaces && change.key.size >= kSpaceIdBytes) AddSpace(change.key);
    }
    for (const Staged& each : staged_) ++*each.counter;
  }
  uncommitted_ += staged_bytes_;
  staged_.clear();
  staged_bytes_ = 0;
  if (uncommitted_ >= kCommitBytes && Going()) {
    Check(out_->Commit());
    uncommitted_ = 0;
  }
  Step(0);
}

void Salvager::AddSpace(Bytes key) {
  uint32_t id = 0;
  memcpy(&id, key.data, sizeof id);
  id = __builtin_bswap32(id);
  std::vector<uint32_t>& spaces = report_->spaces;
  if (!spaces.empty() && spaces.back() == id) return;
  auto at = std::lower_bound(spaces.begin(), spaces.end(), id);
  if (at == spaces.end() || *at != id) spaces.insert(at, id);
}

}  // namespace sealog
