#include "store/verify.h"

#include <algorithm>
#include <atomic>
#include <cstring>

#include "log/log_writer.h"
#include "store/expiry_line.h"

namespace sealog {
namespace {

// The list of times first: entries of the others are looked up in it.
constexpr uint32_t kTreeOrder[kTreeCount] = {kTreeExpiry, kTreeUser, kTreeSystem, kTreeSpaces};
constexpr int kAnyLevel = -1;

bool TestBit(const uint8_t* bits, uint32_t i) { return (bits[i >> 3] >> (i & 7)) & 1; }
void SetBit(uint8_t* bits, uint32_t i) { bits[i >> 3] = static_cast<uint8_t>(bits[i >> 3] | 1u << (i & 7)); }

std::string Number(uint64_t n) { return std::to_string(n); }

}  // namespace

const char* ProblemName(ProblemKind kind) {
  switch (kind) {
    case ProblemKind::kNode:
      return "node";
    case ProblemKind::kOrder:
      return "order";
    case ProblemKind::kCount:
      return "count";
    case ProblemKind::kFingerprint:
      return "fingerprint";
    case ProblemKind::kRecord:
      return "record";
    case ProblemKind::kValue:
      return "value";
    case ProblemKind::kExpiry:
      return "expiry";
    case ProblemKind::kLive:
      return "live";
    case ProblemKind::kBitmap:
      return "bitmap";
    case ProblemKind::kLeak:
      return "leak";
    case ProblemKind::kLog:
      return "log";
    case ProblemKind::kMedia:
      return "media";
  }
  return "";
}

Verifier::Verifier(const PinnedState* state)
    : state_(state), space_(state->space), stack_(kTreeHeightMax), live_(state->space.count()) {
  reached_ = state->bitmaps;
  for (PinnedState::Bitmap& bitmap : reached_) {
    memset(bitmap.bits, 0, sizeof bitmap.bits);
    bytes_expected_ += uint64_t{space_.segment(bitmap.segment).live} *
                       (space_.segment(bitmap.segment).type == SegmentType::kLeaf ? kLeafBytes : kInnerBytes);
  }
  for (uint32_t i = 0; i < space_.count(); ++i) {
    if (space_.segment(i).type == SegmentType::kLog) bytes_expected_ += space_.segment(i).live;
  }
}

void Verifier::Found(ProblemKind kind, uint64_t offset, std::string detail, Bytes key) {
  if (tree_ == kTreeExpiry) list_holds_ = false;
  if (++figures_.problems > kProblemsListed) return;
  problems_.push_back(
      {kind, tree_, offset, std::string(reinterpret_cast<const char*>(key.data), key.size), std::move(detail)});
}

void Verifier::Faulted() {
  Found(ProblemKind::kMedia, at_, "it could not be read: SIGBUS");
  cut_ = uncounted_ = true;
  // What was looked at is not looked at again.
  if (phase_ == Phase::kSegments && segment_ < space_.count()) ++segment_;
}

void Verifier::Step(uint64_t bytes) {
  const uint64_t end = figures_.bytes + bytes;
  while (phase_ == Phase::kTrees && figures_.bytes < end) {
    if (depth_ != 0) {
      NextChild();
    } else {
      NextTree();
    }
  }
  // These are quick: a line or half a KiB of DRAM each.
  while (phase_ == Phase::kSegments) {
    if (segment_ == space_.count()) {
      phase_ = Phase::kDone;
      break;
    }
    at_ = space_.SegmentOffset(segment_);
    std::atomic_signal_fence(std::memory_order_seq_cst);
    const SegmentType type = space_.segment(segment_).type;
    if (type == SegmentType::kLog) CheckLogSegment(segment_);
    if (type == SegmentType::kLeaf || type == SegmentType::kInner) CheckNodeSegment(segment_);
    ++segment_;
  }
}

void Verifier::NextTree() {
  if (tree_at_ == kTreeCount) {
    tree_ = kTreeUser;
    phase_ = Phase::kSegments;
    return;
  }
  tree_ = kTreeOrder[tree_at_++];
  const TreeRoot& root = state_->slot.roots[tree_];
  low_.there = high_.there = false;
  low_.bytes = high_.bytes = 0;
  std::atomic_signal_fence(std::memory_order_seq_cst);  // a fault does not bring us here again
  if (root.ref != 0) {
    Enter(root.ref, kAnyLevel, root.count, "the root's count", kCheckpointSlotOffset[state_->slot.sequence & 1]);
  } else if (root.count != 0) {
    Found(ProblemKind::kCount, kCheckpointSlotOffset[state_->slot.sequence & 1], "an empty tree has entries");
  }
}

// The next child of the innermost node that still has one.
void Verifier::NextChild() {
  Frame& frame = stack_[depth_ - 1];
  const InnerNode& node = *frame.node;
  if (frame.child == node.header.count) {
    --depth_;
    return;
  }
  const uint32_t i = frame.child++;
  at_ = frame.offset;
  std::atomic_signal_fence(std::memory_order_seq_cst);
  uint8_t buffer[kKeyBytesMax];
  if (i == 0) {
    low_ = frame.low;
  } else {
    low_.Set(SeparatorOf(node, i, buffer));
  }
  if (i + 1 == node.header.count) {
    high_ = frame.high;
  } else {
    high_.Set(SeparatorOf(node, i + 1, buffer));
  }
  if (node.header.level == 1) Prefetch(frame);
  Enter(node.entries[i].child, node.header.level - 1, node.entries[i].count, "the count in its parent", frame.offset);
}

// The leaf after next, and what the next one refers to.
void Verifier::Prefetch(const Frame& frame) {
  const InnerNode& node = *frame.node;
  auto leaf_at = [&](uint32_t i) -> const uint8_t* {
    if (i >= node.header.count) return nullptr;
    const uint64_t offset = NodeRefIndex(node.entries[i].child) * kLeafBytes;
    return offset < space_.bytes() ? space_.base() + offset : nullptr;
  };
  if (const uint8_t* at = leaf_at(frame.child + 1)) {
    for (uint32_t line = 0; line < kLeafBytes; line += kLineBytes) __builtin_prefetch(at + line);
  }
  if (const uint8_t* at = leaf_at(frame.child)) {
    const auto* leaf = reinterpret_cast<const LeafNode*>(at);
    const uint32_t count = std::min<uint32_t>(leaf->header.count, kLeafEntriesMax);
    for (uint32_t i = 0; i < count; ++i) {
      const uint64_t offset = RecordRefOffset(leaf->refs[i]);
      if (offset >= space_.bytes()) continue;
      __builtin_prefetch(space_.base() + offset);
      __builtin_prefetch(space_.base() + offset + kLineBytes);
    }
  }
}

// The node that `ref` names, checked by itself; null if it does not hold, or was met before.
const NodeHeader* Verifier::Reach(uint64_t ref, int level) {
  const uint64_t unit = NodeRefIndex(ref);
  const uint64_t offset = unit * kLeafBytes;
  auto wrong = [&](const char* detail) {
    Found(ProblemKind::kNode, offset, detail);
    cut_ = uncounted_ = true;
    return nullptr;
  };
  if (offset >= space_.bytes()) return wrong("a reference to a node outside of the store");
  at_ = offset;
  std::atomic_signal_fence(std::memory_order_seq_cst);
  const uint32_t segment = space_.SegmentOf(offset);
  const SegmentType type = space_.segment(segment).type;
  if (type != SegmentType::kLeaf && type != SegmentType::kInner)
    return wrong("a reference to a node in a segment that has none");
  const uint32_t unit_bytes = type == SegmentType::kLeaf ? kLeafBytes : kInnerBytes;
  const auto in_segment = static_cast<uint32_t>(offset & (space_.segment_bytes() - 1));
  if (in_segment < kNodeFirstByte || in_segment % unit_bytes != 0) return wrong("a reference to no node's place");
  auto* bits = const_cast<uint8_t*>(
      reached_[static_cast<size_t>(std::lower_bound(state_->bitmaps.begin(), state_->bitmaps.end(), segment,
                                                    [](const PinnedState::Bitmap& bitmap, uint32_t wanted) {
                                                      return bitmap.segment < wanted;
                                                    }) -
                                   state_->bitmaps.begin())]
          .bits);
  if (TestBit(bits, in_segment / unit_bytes)) return wrong("the node is referred to twice");
  SetBit(bits, in_segment / unit_bytes);
  const auto* node = space_.At<const NodeHeader>(offset);
  ++figures_.nodes;
  figures_.bytes += unit_bytes;
  if (node->crc != Crc32c(space_.store_seed() ^ static_cast<uint32_t>(unit), reinterpret_cast<const uint8_t*>(node) + 4,
                          unit_bytes - 4))
    return wrong("the node's checksum is wrong");
  if (BirthStamp(node->birth) != NodeRefStamp(ref)) return wrong("the node has another stamp than its reference");
  if (BirthEpoch(node->birth) > state_->epoch) return wrong("the node is younger than the checkpoint");
  if ((node->level == 0) != (type == SegmentType::kLeaf) || node->level > kTreeHeightMax ||
      (level != kAnyLevel && node->level != level))
    return wrong("the node is of another level");
  if (node->level == 0 ? !CheckLeaf(*reinterpret_cast<const LeafNode*>(node))
                       : !CheckInner(*reinterpret_cast<const InnerNode*>(node)))
    return wrong("the node's entries are not within it, or its separators not in order");
  return node;
}

// Into the node whose keys are in [low_, high_), and that has `count` entries, as `counter` says.
void Verifier::Enter(uint64_t ref, int level, uint64_t count, const char* counter, uint64_t counter_offset) {
  const NodeHeader* header = Reach(ref, level);
  if (header == nullptr) return;
  const uint64_t offset = NodeRefIndex(ref) * kLeafBytes;
  uint64_t there = header->count;
  if (header->level != 0) {
    const auto& node = *reinterpret_cast<const InnerNode*>(header);
    there = SumCounts(node);
    CheckSeparators(node, offset);
    Frame& frame = stack_[depth_++];
    frame.node = &node;
    frame.offset = offset;
    frame.child = 0;
    frame.low = low_;
    frame.high = high_;
  }
  if (there != count) {
    Found(ProblemKind::kCount, counter_offset,
          std::string(counter) + " is " + Number(count) + ", and there are " + Number(there));
  }
  if (header->level == 0) CheckEntries(*reinterpret_cast<const LeafNode*>(header), offset);
}

// They are in order among themselves; so the first and the last decide.
void Verifier::CheckSeparators(const InnerNode& node, uint64_t offset) {
  if (node.header.count < 2) return;
  if (low_.there && CompareSeparator(node, 1, low_.key()) >= 0)
    Found(ProblemKind::kOrder, offset, "the first separator is not above the node's lower bound");
  if (high_.there && CompareSeparator(node, node.header.count - 1, high_.key()) <= 0)
    Found(ProblemKind::kOrder, offset, "the last separator is not below the node's upper bound");
}

void Verifier::CheckEntries(const LeafNode& leaf, uint64_t offset) {
  bool whole = true;
  for (uint32_t i = 0; i < leaf.header.count; ++i) {
    at_ = RecordRefOffset(leaf.refs[i]);
    whole = CheckEntry(leaf, i) && whole;
  }
  uint64_t damaged = 0;
  if (whole && !SortLeaf(space_, leaf, false, &sorted_, &damaged))
    Found(ProblemKind::kOrder, offset, "the leaf's keys are not in order, or one is there twice");
}

// False if the record's key cannot be relied on.
bool Verifier::CheckEntry(const LeafNode& leaf, uint32_t i) {
  const uint64_t offset = RecordRefOffset(leaf.refs[i]);
  ++figures_.entries;
  ++figures_.records;
  Record record;
  if (!RecordAt(space_, offset, &record)) {
    uncounted_ = true;
    Found(ProblemKind::kRecord, offset, "a reference to what is no record");
    return false;
  }
  const KeyHash hash = HashKey(record.key);
  const bool has_key = hash.fingerprint == leaf.fingerprints[i] && hash.tag == RecordRefTag(leaf.refs[i]);
  figures_.bytes += record.bytes;
  if (!VerifyRecord(space_, offset, record)) {
    uncounted_ = true;
    Found(ProblemKind::kRecord, offset, "the record's checksum is wrong", has_key ? record.key : Bytes{});
    return false;
  }
  AddLive(offset, record.FootprintBytes());
  if (record.kind != kRecordPut) {
    Found(ProblemKind::kRecord, offset, "an entry refers to a record that is no PUT", record.key);
    return false;
  }
  if (record.tree != tree_) {
    Found(ProblemKind::kRecord, offset, "the record belongs to another tree", record.key);
    return false;
  }
  if (!has_key) {
    Found(ProblemKind::kFingerprint, offset, "the leaf has another fingerprint or tag for this key", record.key);
    return false;
  }
  if ((low_.there && Compare(record.key, low_.key()) < 0) || (high_.there && Compare(record.key, high_.key()) >= 0))
    Found(ProblemKind::kOrder, offset, "the key is outside of the bounds of its leaf", record.key);
  if ((record.flags & kRecordExtents) != 0) CheckPieces(record, offset);
  if ((record.flags & kRecordExpires) != 0 || tree_ == kTreeExpiry) CheckTime(record, offset);
  return true;
}

void Verifier::CheckPieces(const Record& record, uint64_t offset) {
  if (record.value.size % sizeof(ValueExtent) != 0) {
    uncounted_ = true;
    Found(ProblemKind::kValue, offset, "the list of the value's pieces is cut off", record.key);
    return;
  }
  uint64_t bytes = 0;
  for (size_t at = 0; at < record.value.size; at += sizeof(ValueExtent)) {
    ValueExtent extent;
    memcpy(&extent, record.value.data + at, sizeof extent);
    bytes += extent.bytes;
    ++figures_.records;
    at_ = extent.offset;
    std::atomic_signal_fence(std::memory_order_seq_cst);
    Record chunk;
    if (!RecordAt(space_, extent.offset, &chunk) || chunk.kind != kRecordChunk || chunk.value.size != extent.bytes) {
      uncounted_ = true;
      Found(ProblemKind::kValue, extent.offset, "a piece of a large value is no such piece", record.key);
      continue;
    }
    figures_.bytes += chunk.bytes;
    AddLive(extent.offset, static_cast<uint32_t>(
                               RoundUp(LogWriter::RecordBytes(tree_, 0, record.key.size, extent.bytes), kRecordAlign)));
    if (chunk.header->crc != extent.crc || !VerifyRecord(space_, extent.offset, chunk)) {
      Found(ProblemKind::kValue, extent.offset, "the checksum of a piece of a large value is wrong", record.key);
    } else if (Compare(chunk.key, record.key) != 0 || chunk.tree != tree_) {
      Found(ProblemKind::kValue, extent.offset, "a piece of a large value belongs to another key", record.key);
    }
  }
  if (bytes > kValueBytesMax) Found(ProblemKind::kValue, offset, "the value is larger than any may be", record.key);
}

// A line of the list of times is one; an entry that expires has its line. A line without its entry is none the worse.
void Verifier::CheckTime(const Record& record, uint64_t offset) {
  if (tree_ == kTreeExpiry) {
    ExpiryLine line;
    if (!ParseExpiryLine(record.key, &line))
      Found(ProblemKind::kExpiry, offset, "no line of the list of times looks like this", record.key);
    return;
  }
  if (!list_holds_) return;  // it was reported, and cannot be searched
  uint8_t line[kKeyBytesMax];
  if (record.key.size + kExpiryHeadBytes > sizeof line) {
    Found(ProblemKind::kExpiry, offset, "the key is too long for an entry that expires", record.key);
    return;
  }
  const uint64_t time = __builtin_bswap64(record.expires);
  memcpy(line, &time, sizeof time);
  line[kExpiryHeadBytes - 1] = static_cast<uint8_t>(tree_);
  memcpy(line + kExpiryHeadBytes, record.key.data, record.key.size);
  if (!HasLine({line, kExpiryHeadBytes + record.key.size}))
    Found(ProblemKind::kExpiry, offset, "the entry expires and is not in the list of times", record.key);
}

// REQUIRES: the list of times holds.
bool Verifier::HasLine(Bytes line) {
  uint64_t ref = state_->slot.roots[kTreeExpiry].ref;
  if (ref == 0) return false;
  for (;;) {
    const auto* node = space_.At<const NodeHeader>(NodeRefIndex(ref) * kLeafBytes);
    if (node->level == 0) {
      uint32_t index;
      Record record;
      uint64_t damaged;
      return FindInLeaf(space_, *reinterpret_cast<const LeafNode*>(node), line, HashKey(line), &index, &record,
                        &damaged) == Lookup::kFound;
    }
    const auto& inner = *reinterpret_cast<const InnerNode*>(node);
    ref = inner.entries[FindChild(inner, line)].child;
  }
}

void Verifier::AddLive(uint64_t offset, uint32_t bytes) { live_[space_.SegmentOf(offset)] += bytes; }

void Verifier::CheckLogSegment(uint32_t segment) {
  const Segment& s = space_.segment(segment);
  const uint64_t offset = space_.SegmentOffset(segment);
  uint32_t end;
  if (!uncounted_ && live_[segment] != s.live) {
    Found(ProblemKind::kLive, offset,
          "the table says " + Number(s.live) + " live bytes, and " + Number(live_[segment]) + " are referred to");
  }
  if (s.live == 0 && !state_->CursorIn(segment, &end)) return;
  if (std::find(state_->replayed.begin(), state_->replayed.end(), segment) != state_->replayed.end()) return;
  LogSegmentHeader header;
  memcpy(&header, space_.At<const uint8_t>(offset), sizeof header);
  if (header.magic != kLogSegmentMagic ||
      header.crc != Crc32c(space_.store_seed(), reinterpret_cast<const uint8_t*>(&header) + 4, sizeof header - 4) ||
      header.segment != segment || header.seed != s.check || header.log_sequence != s.sequence)
    Found(ProblemKind::kLog, offset, "the log segment's header does not hold; nothing that is read depends on it");
}

void Verifier::CheckNodeSegment(uint32_t segment) {
  const Segment& s = space_.segment(segment);
  const uint64_t offset = space_.SegmentOffset(segment);
  const uint32_t unit_bytes = s.type == SegmentType::kLeaf ? kLeafBytes : kInnerBytes;
  const uint32_t first = kNodeFirstByte / unit_bytes, count = space_.segment_bytes() / unit_bytes;
  const uint8_t* used = state_->BitmapOf(segment);
  const uint8_t* reached = reached_[static_cast<size_t>(reinterpret_cast<const PinnedState::Bitmap*>(
                                                            used - offsetof(PinnedState::Bitmap, bits)) -
                                                        state_->bitmaps.data())]
                               .bits;
  if (Crc32c(space_.store_seed() ^ segment, used, kBitmapBytes) != s.check) {
    Found(ProblemKind::kBitmap, offset + kBitmapOffset[s.flags & kHalfBitmapB], "the bitmap's checksum is wrong");
    return;
  }
  uint32_t set = 0, leaked = 0, unmarked = 0, missing = 0;
  uint64_t leaked_at = 0, unmarked_at = 0;
  for (uint32_t i = 0; i < kBitmapBytes * 8; ++i) {
    const bool in_use = TestBit(used, i);
    if (i < first || i >= count) {
      missing += !in_use;
      continue;
    }
    set += in_use;
    if (in_use && !TestBit(reached, i) && leaked++ == 0) leaked_at = offset + uint64_t{i} * unit_bytes;
    if (!in_use && TestBit(reached, i) && unmarked++ == 0) unmarked_at = offset + uint64_t{i} * unit_bytes;
  }
  if (missing != 0) Found(ProblemKind::kBitmap, offset, "units that are no nodes are marked free");
  if (set != s.live) {
    Found(ProblemKind::kLive, offset,
          "the table says " + Number(s.live) + " live units, and the bitmap has " + Number(set));
  }
  if (unmarked != 0)
    Found(ProblemKind::kBitmap, unmarked_at, Number(unmarked) + " nodes that are referred to are marked free");
  if (leaked != 0 && !cut_)
    Found(ProblemKind::kLeak, leaked_at, Number(leaked) + " units are marked in use, and nothing refers to them");
}

}  // namespace sealog
