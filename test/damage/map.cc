#include "map.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "base/crc32c.h"
#include "log/log_reader.h"

namespace sealog::test {
namespace {

constexpr uint32_t kNoKey = UINT32_MAX;
constexpr uint64_t kSuperblockFieldsBytes = 136;  // the rest is reserved

template <class T>
bool Holds(const T& structure, uint32_t seed) {
  uint32_t crc;
  memcpy(&crc, &structure, sizeof crc);
  return Crc32c(seed, reinterpret_cast<const uint8_t*>(&structure) + 4, sizeof structure - 4) == crc;
}

[[noreturn]] void Wrong(const char* what) {
  fprintf(stderr, "the image is not what it should be: %s\n", what);
  exit(2);
}

}  // namespace

const char* NameOf(Kind kind) {
  constexpr const char* kNames[kKinds] = {"superblock", "slot", "seal record", "table",  "log head", "log tail",
                                          "record",     "leaf", "inner",       "bitmap", "free"};
  return kNames[static_cast<int>(kind)];
}

Map::Map(const Image& image) : bytes_(image.bytes.data()), size_(image.bytes.size()) {
  state_ = image.StateAt(UINT64_MAX);
  for (const auto& [key, value] : state_) keys_.push_back(key);
  Meta();
  Segments();
  Tree(slot_->roots[kTreeUser].ref);
  Tail();
  std::sort(pieces_.begin(), pieces_.end(), [](const Piece& a, const Piece& b) { return a.begin < b.begin; });
  for (size_t i = 1; i < pieces_.size(); ++i) {
    if (pieces_[i - 1].end > pieces_[i].begin) Wrong("two structures overlap");
  }
}

const Piece* Map::At(uint64_t offset) const {
  auto after = std::upper_bound(pieces_.begin(), pieces_.end(), offset,
                                [](uint64_t value, const Piece& piece) { return value < piece.begin; });
  if (after == pieces_.begin()) return nullptr;
  --after;
  return offset < after->end ? &*after : nullptr;
}

uint64_t Map::HeaderBytes(const Piece& piece) {
  switch (piece.kind) {
    case Kind::kSuperblock:
      return kSuperblockFieldsBytes;
    case Kind::kTail:
      return sizeof(BatchHeader);
    case Kind::kRecord:
      return sizeof(RecordHeader);
    case Kind::kLeaf:
    case Kind::kInner:
    case Kind::kBitmap:
      return kLineBytes;
    default:
      return piece.end - piece.begin;
  }
}

bool Map::IsHeader(uint64_t offset) const {
  const Piece* piece = At(offset);
  return piece != nullptr && offset - piece->begin < HeaderBytes(*piece);
}

uint32_t Map::Successor(uint32_t segment) const { return successors_[segment]; }

void Map::Add(uint64_t begin, uint64_t bytes, Kind kind, std::vector<uint32_t> keys) {
  Piece piece{begin, begin + bytes, kind, std::move(keys)};
  pieces_.push_back(std::move(piece));
}

// Apart, since a damaged header hides nothing.
void Map::AddLogHead(uint64_t begin) {
  Add(begin, kLineBytes, Kind::kLogHead);
  Add(begin + kLineBytes, kLineBytes, Kind::kLogHead);
}

void Map::Meta() {
  const auto* superblock = Look<Superblock>(0);
  seed_ = StoreSeed(superblock->uuid);
  segment_bytes_ = 1u << superblock->segment_bytes_log2;
  count_ = superblock->segment_count;
  for (int i = 0; i < 2; ++i) {
    Add(kSuperblockOffset[i], kSuperblockBytes, Kind::kSuperblock);
    Add(kCheckpointSlotOffset[i], kCheckpointSlotBytes, Kind::kSlot);
    Add(kSealRecordOffset[i], kSealRecordBytes, Kind::kSeal);
    const auto* slot = Look<CheckpointSlot>(kCheckpointSlotOffset[i]);
    if (Holds(*slot, seed_) && (slot_ == nullptr || slot->sequence > slot_->sequence)) slot_ = slot;
  }
  Add(kSegmentTableOffset, uint64_t{count_} * kSegmentEntryBytes, Kind::kTable);
  if (slot_ == nullptr) Wrong("no slot holds");
  slot_offset_ = kCheckpointSlotOffset[slot_->sequence & 1];
}

void Map::Segments() {
  for (uint32_t i = 0; i < count_; ++i) {
    const SegmentHalf* current = nullptr;
    for (int half = 0; half < 2; ++half) {
      const auto* h =
          Look<SegmentHalf>(kSegmentTableOffset + uint64_t{i} * kSegmentEntryBytes + half * kSegmentHalfBytes);
      if (!Holds(*h, seed_ ^ i) || h->epoch > slot_->epoch) continue;
      if (current == nullptr || h->epoch > current->epoch) current = h;
    }
    if (current == nullptr) Wrong("no table half holds");
    if (current->live == 0) continue;
    const auto type = static_cast<SegmentType>(current->type);
    const uint64_t begin = uint64_t{i} * segment_bytes_;
    if (type == SegmentType::kLog) AddLogHead(begin);
    if (type == SegmentType::kLeaf || type == SegmentType::kInner) {
      Add(begin + kBitmapOffset[current->flags & kHalfBitmapB], kBitmapBytes, Kind::kBitmap);
    }
  }
}

uint32_t Map::IndexOf(const std::string& key) const {
  auto at = std::lower_bound(keys_.begin(), keys_.end(), key);
  return at == keys_.end() || *at != key ? kNoKey : static_cast<uint32_t>(at - keys_.begin());
}

// A record that a leaf refers to. Its key may have been removed, or written anew, by the tail.
std::vector<uint32_t> Map::Record(uint64_t offset) {
  sealog::Record record;
  if (!ParseRecord(bytes_ + offset, segment_bytes_ - offset % segment_bytes_, &record)) Wrong("a record");
  std::vector<uint32_t> keys;
  const uint32_t index = IndexOf(std::string(reinterpret_cast<const char*>(record.key.data), record.key.size));
  if (index != kNoKey) keys.push_back(index);
  Add(offset, record.bytes, Kind::kRecord, keys);
  if ((record.flags & kRecordExtents) == 0) return keys;
  for (size_t at = 0; at < record.value.size; at += sizeof(ValueExtent)) {
    ValueExtent extent;
    memcpy(&extent, record.value.data + at, sizeof extent);
    sealog::Record chunk;
    if (!ParseRecord(bytes_ + extent.offset, segment_bytes_, &chunk)) Wrong("a piece of a large value");
    Add(extent.offset, chunk.bytes, Kind::kRecord, keys);
  }
  return keys;
}

std::vector<uint32_t> Map::Tree(uint64_t ref) {
  const uint64_t offset = NodeRefIndex(ref) * kLeafBytes;
  std::vector<uint32_t> keys;
  auto take = [&](std::vector<uint32_t> more) { keys.insert(keys.end(), more.begin(), more.end()); };
  const auto* header = Look<NodeHeader>(offset);
  if (header->level == 0) {
    const auto* leaf = Look<LeafNode>(offset);
    for (uint32_t i = 0; i < header->count; ++i) take(Record(RecordRefOffset(leaf->refs[i])));
    Add(offset, kLeafBytes, Kind::kLeaf, keys);
  } else {
    const auto* inner = Look<InnerNode>(offset);
    for (uint32_t i = 0; i < header->count; ++i) take(Tree(inner->entries[i].child));
    Add(offset, kInnerBytes, Kind::kInner, keys);
  }
  return keys;
}

void Map::Tail() {
  successors_.assign(count_, kSegmentNone);
  LogPosition heads[2] = {slot_->hot, slot_->cold};
  uint64_t lsn = slot_->lsn + 1;
  auto announced = [&](const LogPosition& at) {
    if (at.segment == kSegmentNone) return;
    const uint64_t begin = uint64_t{at.segment} * segment_bytes_;
    const auto* successor = Look<LogSuccessor>(begin + kLineBytes);
    if (Holds(*successor, at.seed)) successors_[at.segment] = successor->segment;
    const bool known = std::any_of(pieces_.begin(), pieces_.end(), [&](const Piece& p) { return p.begin == begin; });
    if (!known) AddLogHead(begin);
  };
  auto next_at = [&](const LogPosition& at, Frame* frame) {
    return at.segment != kSegmentNone &&
           CheckFrame(bytes_ + uint64_t{at.segment} * segment_bytes_ + at.offset, segment_bytes_ - at.offset, at.seed,
                      at.offset, frame) &&
           frame->lsn == lsn;
  };
  for (const LogPosition& head : heads) announced(head);
  for (Frame frame;;) {
    LogPosition* head = next_at(heads[0], &frame) ? &heads[0] : next_at(heads[1], &frame) ? &heads[1] : nullptr;
    if (head == nullptr) break;
    const LogPosition at = *head;
    const uint64_t offset = uint64_t{at.segment} * segment_bytes_ + at.offset;
    const auto* link = Look<LinkFrame>(offset);
    uint64_t bytes = kLineBytes;
    if (frame.kind == kFrameBatch) {
      bytes = sizeof(BatchHeader) + Look<BatchHeader>(offset)->body_bytes;
    } else if (frame.kind != kFrameLink) {
      sealog::Record record;
      if (!ParseRecord(bytes_ + offset, segment_bytes_ - at.offset, &record)) Wrong("a frame");
      bytes = record.bytes;
    }
    Add(offset, bytes, Kind::kTail);
    pieces_.back().segment = at.segment;
    pieces_.back().lsn = lsn;
    pieces_.back().window = frame.window;
    if (frame.kind == kFrameLink) {
      const LogPosition to{link->segment, link->offset, link->log_sequence, link->seed, 0};
      const bool cold = (link->flags & kLinkCold) != 0;
      lsn = link->next_lsn;
      if (cold) head->offset += frame.bytes;
      (cold ? heads[1] : *head) = to;
      announced(to);
    } else {
      head->offset += frame.bytes;
      ++lsn;
    }
  }
  next_lsn_ = lsn;
}

}  // namespace sealog::test
