#include "edit.h"

#include <algorithm>
#include <cstring>

#include "base/crc32c.h"
#include "index/leaf.h"
#include "index/node_pool.h"
#include "log/record.h"
#include "region/meta_writer.h"

// Coverage is that of the core.
#pragma clang attribute push(__attribute__((no_sanitize("coverage"))), apply_to = function)

namespace sealog::fuzz {
namespace {

constexpr uint32_t kFrameFieldsMax = 1024;
constexpr uint32_t kSuperblockFields = offsetof(Superblock, reserved);

uint64_t LowBytes(uint64_t value, uint32_t bytes) { return bytes == 8 ? value : value & ((1ull << (8 * bytes)) - 1); }

uint64_t Combine(const Edit& edit, uint64_t old, uint32_t width) {
  const uint64_t value = (edit.how & kAdd) != 0   ? old + edit.value
                         : (edit.how & kXor) != 0 ? old ^ edit.value
                                                  : edit.value;
  return LowBytes(value, width);
}

}  // namespace

Input Input::Parse(const uint8_t* data, size_t size) {
  Input input;
  if (size < sizeof input.header) return input;
  memcpy(&input.header, data, sizeof input.header);
  input.edits.resize(std::min((size - sizeof input.header) / sizeof(Edit), kEditsMax));
  if (!input.edits.empty()) memcpy(input.edits.data(), data + sizeof input.header, input.edits.size() * sizeof(Edit));
  for (Edit& edit : input.edits)
    edit.kind = static_cast<EditKind>(static_cast<uint8_t>(edit.kind) % static_cast<uint8_t>(EditKind::kCount));
  std::erase_if(input.edits,
                [](const Edit& edit) { return ((kEditKinds >> static_cast<uint8_t>(edit.kind)) & 1) == 0; });
  return input;
}

uint32_t Editor::store_seed() const { return StoreSeed(bytes_ + offsetof(Superblock, uuid)); }

void Editor::Apply(const std::vector<Edit>& edits) {
  for (const Edit& edit : edits) ApplyOne(edit);
  Repair();
}

void Editor::ApplyToPlan(const std::vector<Edit>& edits, Plan* plan) {
  for (const Edit& edit : edits) {
    if (edit.kind == EditKind::kPlanHeader) PokePlan(edit, &plan->header, sizeof plan->header);
    if (edit.kind == EditKind::kPlanSegment && !plan->segments.empty())
      PokePlan(edit, &plan->segments[edit.place % plan->segments.size()], sizeof(PlanSegment));
  }
}

void Editor::Undo() {
  for (; !saved_.empty(); saved_.pop_back())
    memcpy(bytes_ + saved_.back().offset, saved_.back().bytes.data(), saved_.back().bytes.size());
}

void Editor::Write(uint64_t offset, const void* data, size_t bytes) {
  saved_.push_back({offset, {bytes_ + offset, bytes_ + offset + bytes}});
  memcpy(bytes_ + offset, data, bytes);
}

void Editor::Poke(const Edit& edit, uint64_t begin, uint64_t bytes) {
  const uint32_t width = 1u << (edit.how & kWidthMask);
  if (bytes < width) return;
  const uint64_t offset = begin + edit.field % (bytes - width + 1) / width * width;
  uint64_t old = 0;
  memcpy(&old, bytes_ + offset, width);
  const uint64_t value = Combine(edit, old, width);
  Write(offset, &value, width);
  if ((edit.how & kBroken) == 0) Touch(offset);
}

void Editor::PokePlan(const Edit& edit, void* begin, size_t bytes) {
  const uint32_t width = 1u << (edit.how & kWidthMask);
  auto* at = static_cast<uint8_t*>(begin) + edit.field % bytes / width * width;
  uint64_t old = 0;
  memcpy(&old, at, width);
  const uint64_t value = Combine(edit, old, width);
  memcpy(at, &value, width);
}

// Remembers which structure is to be repaired.
void Editor::Touch(uint64_t offset) {
  if (offset < 2 * kSuperblockBytes) {
    superblocks_[offset / kSuperblockBytes] = true;
    return;
  }
  for (int i = 0; i < 2; ++i) {
    if (offset - kCheckpointSlotOffset[i] < kCheckpointSlotBytes) slots_[i] = true;
  }
  const uint32_t segment = static_cast<uint32_t>(offset >> image_.plan.header.segment_bytes_log2);
  if (segment < image_.plan.header.meta_segments) {
    if (offset >= kSegmentTableOffset &&
        offset < kSegmentTableOffset + uint64_t{image_.segment_count()} * kSegmentEntryBytes)
      halves_.insert(static_cast<uint32_t>((offset - kSegmentTableOffset) / kSegmentHalfBytes));
    return;
  }
  const uint32_t in_segment = static_cast<uint32_t>(offset & (image_.segment_bytes() - 1));
  for (uint32_t i = 0; i < image_.log_segments.size(); ++i) {
    if (image_.log_segments[i].segment == segment && in_segment >= kLineBytes && in_segment < kLogFirstFrame)
      lines_.insert(i);
  }
  const auto type = static_cast<SegmentType>(image_.plan.segments[segment].type);
  if (type == SegmentType::kLeaf || type == SegmentType::kInner) {
    const uint32_t unit = type == SegmentType::kLeaf ? kLeafBytes : kInnerBytes;
    if (in_segment >= kNodeFirstByte) {
      nodes_.insert(offset / unit * unit);
    } else {
      bitmaps_.insert(segment);
    }
    return;
  }
  auto frame = std::upper_bound(image_.frames.begin(), image_.frames.end(), offset,
                                [](uint64_t at, const LogFrame& f) { return at < f.offset; });
  if (frame == image_.frames.begin()) return;
  --frame;
  if (offset < frame->offset + frame->bytes) frames_.insert(static_cast<uint32_t>(frame - image_.frames.begin()));
}

void Editor::ApplyOne(const Edit& edit) {
  auto pick = [&](const auto& list) { return list[edit.place % list.size()]; };
  switch (edit.kind) {
    case EditKind::kRaw: {
      Edit at = edit;
      at.field = 0;
      const uint64_t offset = (uint64_t{edit.place} << 16 | edit.field) % (image_.bytes.size() - 8);
      return Poke(at, offset, 8);
    }
    case EditKind::kSuperblock:
      return Poke(edit, kSuperblockOffset[edit.place & 1], kSuperblockFields);
    case EditKind::kSlot:
      return Poke(edit, kCheckpointSlotOffset[edit.place & 1], offsetof(CheckpointSlot, reserved));
    case EditKind::kHalf: {
      const uint32_t segment = (edit.place >> 1) % image_.segment_count();
      return Poke(edit,
                  SegmentHalfOffset(segment, (edit.place & 1) != 0 ? CurrentHalf(segment) ^ 1 : CurrentHalf(segment)),
                  kSegmentHalfBytes);
    }
    case EditKind::kBitmap: {
      if (image_.node_segments.empty()) return;
      const uint32_t segment = pick(image_.node_segments);
      const uint64_t offset = uint64_t{segment} * image_.segment_bytes() +
                              kBitmapOffset[image_.plan.segments[segment].flags & kHalfBitmapB] +
                              edit.field % (kBitmapBytes * 8) / 8;
      const auto byte = static_cast<uint8_t>(bytes_[offset] ^ (1u << (edit.field & 7)));
      Write(offset, &byte, 1);
      if ((edit.how & kBroken) == 0) bitmaps_.insert(segment);
      return;
    }
    case EditKind::kLeaf:
      if (!image_.leaves.empty()) Poke(edit, pick(image_.leaves), kLeafBytes);
      return;
    case EditKind::kInner:
      if (!image_.inners.empty()) Poke(edit, pick(image_.inners), kInnerBytes);
      return;
    case EditKind::kFrame:
      if (!image_.frames.empty())
        Poke(edit, pick(image_.frames).offset, std::min(pick(image_.frames).bytes, kFrameFieldsMax));
      return;
    case EditKind::kSuccessor:
      if (!image_.log_segments.empty())
        Poke(edit, uint64_t{pick(image_.log_segments).segment} * image_.segment_bytes() + kLineBytes, kLineBytes);
      return;
    case EditKind::kChild:
      return SetChild(edit);
    case EditKind::kRoot:
      return SetRoot(edit);
    case EditKind::kRecordRef:
      return SetRecordRef(edit);
    case EditKind::kMakeFrame:
      return MakeFrame(edit);
    case EditKind::kCopyNode:
      return CopyNode(edit);
    case EditKind::kSwap:
      return Swap(edit);
    case EditKind::kPlanHeader:
    case EditKind::kPlanSegment:
      if (plan_ != nullptr) ApplyToPlan({edit}, plan_);
      return;
    case EditKind::kCount:
      return;
  }
}

uint64_t Editor::NodeRef(uint32_t which, bool inner) const {
  const std::vector<uint64_t>& nodes = inner && !image_.inners.empty() ? image_.inners : image_.leaves;
  if (nodes.empty()) return 0;
  const uint64_t offset = nodes[which % nodes.size()];
  NodeHeader header;
  memcpy(&header, bytes_ + offset, sizeof header);
  return MakeNodeRef(offset / kLeafBytes, BirthStamp(header.birth));
}

void Editor::SetChild(const Edit& edit) {
  if (image_.inners.empty()) return;
  const uint64_t node = image_.inners[edit.place % image_.inners.size()];
  const uint32_t count = std::max<uint32_t>(bytes_[node + offsetof(NodeHeader, count)], 1);
  const uint64_t ref = NodeRef(edit.other, (edit.how & 1) != 0);
  Write(node + offsetof(InnerNode, entries) + edit.field % std::min(count, kInnerEntriesMax) * sizeof(InnerEntry) +
            offsetof(InnerEntry, child),
        &ref, sizeof ref);
  nodes_.insert(node);
}

void Editor::SetRoot(const Edit& edit) {
  const TreeRoot root{NodeRef(edit.other, (edit.how & 1) != 0), edit.value, 0};
  for (int i = 0; i < 2; ++i) {
    Write(kCheckpointSlotOffset[i] + offsetof(CheckpointSlot, roots) + edit.field % kTreeCount * sizeof root, &root,
          sizeof root);
    slots_[i] = true;
  }
  if (plan_ != nullptr) plan_->header.roots[edit.field % kTreeCount] = root;
}

void Editor::SetRecordRef(const Edit& edit) {
  if (image_.leaves.empty() || image_.frames.empty()) return;
  const uint64_t node = image_.leaves[edit.place % image_.leaves.size()];
  const LogFrame& frame = image_.frames[edit.other % image_.frames.size()];
  const uint32_t index = edit.field % kLeafEntriesMax;
  auto* leaf = reinterpret_cast<const LeafNode*>(bytes_ + node);
  uint32_t tag = RecordRefTag(leaf->refs[index]);
  uint8_t fingerprint = leaf->fingerprints[index];
  // Of a batch, its first record.
  const uint64_t offset = frame.offset + (frame.kind == kFrameBatch ? sizeof(BatchHeader) : 0) + (edit.value & 15) * 16;
  Record record;
  if ((edit.how & kTagged) != 0 && offset < frame.offset + frame.bytes &&
      ParseRecord(bytes_ + offset, frame.offset + frame.bytes - offset, &record)) {
    const KeyHash hash = HashKey(record.key);
    tag = hash.tag;
    fingerprint = hash.fingerprint;
  }
  const uint64_t ref = MakeRecordRef(offset, tag);
  Write(node + offsetof(LeafNode, refs) + index * sizeof ref, &ref, sizeof ref);
  Write(node + offsetof(LeafNode, fingerprints) + index, &fingerprint, 1);
  nodes_.insert(node);
}

void Editor::Swap(const Edit& edit) {
  const bool inner = (edit.how & 1) != 0;
  const std::vector<uint64_t>& nodes = inner ? image_.inners : image_.leaves;
  if (nodes.empty()) return;
  const uint64_t node = nodes[edit.place % nodes.size()];
  const uint32_t count = std::max<uint32_t>(bytes_[node + offsetof(NodeHeader, count)], 1);
  const uint32_t most = std::min(count, inner ? kInnerEntriesMax : kLeafEntriesMax);
  const uint32_t bytes = inner ? sizeof(InnerEntry) : sizeof(uint64_t);
  const uint64_t entries = node + (inner ? offsetof(InnerNode, entries) : offsetof(LeafNode, refs));
  uint8_t a[sizeof(InnerEntry)], b[sizeof(InnerEntry)];
  const uint64_t a_at = entries + edit.field % most * bytes, b_at = entries + edit.other % most * bytes;
  memcpy(a, bytes_ + a_at, bytes);
  memcpy(b, bytes_ + b_at, bytes);
  Write(a_at, b, bytes);
  Write(b_at, a, bytes);
  nodes_.insert(node);
}

void Editor::CopyNode(const Edit& edit) {
  const bool inner = (edit.how & 1) != 0;
  const std::vector<uint64_t>& nodes = inner ? image_.inners : image_.leaves;
  if (nodes.empty()) return;
  const uint64_t to = nodes[edit.place % nodes.size()];
  uint8_t copy[kInnerBytes];
  const uint32_t bytes = inner ? kInnerBytes : kLeafBytes;
  memcpy(copy, bytes_ + nodes[edit.other % nodes.size()], bytes);
  // As itself, or as the node that was there: its references hold then.
  if ((edit.how & 2) == 0) memcpy(copy + offsetof(NodeHeader, birth), bytes_ + to + offsetof(NodeHeader, birth), 8);
  Write(to, copy, bytes);
  nodes_.insert(to);
}

// Variant 0: a key of the image; otherwise of its own, up to the greatest and one more.
std::vector<uint8_t> Editor::MakeRecord(uint8_t kind, uint8_t flags, const Edit& edit, uint32_t variant,
                                        uint64_t offset) const {
  std::string key;
  if ((variant & 1) == 0 && !image_.keys.empty()) {
    key = image_.keys[edit.other % image_.keys.size()];
  } else {
    key.assign(1 + edit.field % (kKeyBytesMax + 1), static_cast<char>(edit.other));
  }
  std::vector<uint8_t> value((edit.value >> 8) % 3000);
  if (kind == kRecordDel) value.clear();
  if ((flags & kRecordExtents) != 0 && !image_.frames.empty()) {
    value.resize((edit.value & 7) * sizeof(ValueExtent));
    for (size_t at = 0; at < value.size(); at += sizeof(ValueExtent)) {
      const LogFrame& frame = image_.frames[(edit.other + at / sizeof(ValueExtent)) % image_.frames.size()];
      RecordHeader header;
      memcpy(&header, bytes_ + frame.offset, sizeof header);
      const ValueExtent extent{frame.offset + (edit.value >> 40), header.value_bytes, header.crc};
      memcpy(value.data() + at, &extent, sizeof extent);
    }
  }
  const bool in_tree = (flags & kRecordTree) != 0;
  std::vector<uint8_t> out(sizeof(RecordHeader) + (in_tree ? kTreeExtBytes : 0));
  RecordHeader header{};
  header.kind = kind;
  header.flags = flags;
  header.key_bytes = static_cast<uint16_t>(key.size());
  header.value_bytes = static_cast<uint32_t>(value.size());
  header.window = (flags & kRecordInBatch) != 0 ? 0 : 1;
  header.lsn = next_lsn_;
  memcpy(out.data(), &header, sizeof header);
  const uint32_t tree = edit.field % (kTreeCount + 1);
  if (in_tree) memcpy(out.data() + sizeof header, &tree, sizeof tree);
  const size_t at_key = out.size();
  out.resize(at_key + key.size() + value.size());
  if (!key.empty()) memcpy(out.data() + at_key, key.data(), key.size());
  if (!value.empty()) memcpy(out.data() + at_key + key.size(), value.data(), value.size());
  const uint32_t crc = RecordCrc(out.data(), static_cast<uint32_t>(out.size()), PlaceSeed(end_.seed, offset));
  memcpy(out.data(), &crc, sizeof crc);
  return out;
}

void Editor::MakeFrame(const Edit& edit) {
  if (end_.segment >= image_.segment_count()) return;
  const uint64_t at = uint64_t{end_.segment} * image_.segment_bytes() + end_.offset;
  const uint32_t room = image_.segment_bytes() - end_.offset;
  const uint32_t variant = edit.how & kVariantMask;
  std::vector<uint8_t> frame;
  LogPosition next = end_;
  uint64_t next_lsn = next_lsn_ + 1;
  if (variant <= 1) {
    frame = MakeRecord(variant == 0 ? kRecordPut : kRecordDel, static_cast<uint8_t>(edit.place & kRecordTree), edit,
                       edit.place >> 8, end_.offset);
  } else if (variant == 2) {
    frame = MakeRecord(kRecordChunk, 0, edit, edit.place >> 8, end_.offset);
  } else if (variant == 3) {
    frame = MakeRecord(kRecordPut, kRecordExtents, edit, edit.place >> 8, end_.offset);
  } else if (variant <= 5) {
    BatchHeader header{};
    header.kind = kFrameBatch;
    header.flags = static_cast<uint8_t>(edit.place & kBatchMore);
    header.window = 1;
    header.lsn = next_lsn_;
    header.record_count = 1 + (edit.place >> 1) % 5;
    frame.resize(sizeof header);
    std::vector<uint32_t> sums;
    for (uint32_t i = 0; i < header.record_count; ++i) {
      Edit each = edit;
      each.other = static_cast<uint16_t>(edit.other + i);
      each.value = edit.value >> i;
      const std::vector<uint8_t> record = MakeRecord((edit.value >> (i + 20)) % 3 == 0 ? kRecordDel : kRecordPut,
                                                     kRecordInBatch, each, edit.place >> 8, end_.offset + frame.size());
      uint32_t crc;
      memcpy(&crc, record.data(), sizeof crc);
      sums.push_back(crc);
      frame.insert(frame.end(), record.begin(), record.end());
      frame.resize(RoundUp(frame.size(), kRecordAlign));
    }
    header.body_bytes = static_cast<uint32_t>(frame.size() - sizeof header);
    uint32_t crc =
        Crc32c(PlaceSeed(end_.seed, end_.offset), reinterpret_cast<const uint8_t*>(&header) + 4, sizeof header - 4);
    for (uint32_t sum : sums) crc = Crc32c(crc, &sum, sizeof sum);
    header.crc = crc;
    memcpy(frame.data(), &header, sizeof header);
  } else {
    LinkFrame link{};
    const bool same = (edit.place & 2) != 0;
    link.kind = kFrameLink;
    link.flags = static_cast<uint8_t>(edit.place & kLinkSession);
    link.window = 1;
    link.lsn = next_lsn_;
    link.next_lsn = next_lsn_ + 1 + (edit.value & 0xff);
    link.segment = same ? end_.segment : edit.other % (image_.segment_count() + 1);
    link.offset = same ? end_.offset + kLineBytes * (1 + edit.field % 4)
                       : kLogFirstFrame + edit.field % (image_.segment_bytes() / kLineBytes) * kLineBytes;
    link.log_sequence = same ? end_.log_sequence : end_.log_sequence + 1 + (edit.value >> 8) % 3;
    link.seed = same ? end_.seed : static_cast<uint32_t>(edit.value >> 32);
    link.crc = Crc32c(PlaceSeed(end_.seed, end_.offset), reinterpret_cast<const uint8_t*>(&link) + 4, kLineBytes - 4);
    frame.resize(sizeof link);
    memcpy(frame.data(), &link, sizeof link);
    next = {link.segment, link.offset, link.log_sequence, link.seed, 0};
    next_lsn = link.next_lsn;
    if (link.segment >= image_.segment_count() || link.offset + kLineBytes > image_.segment_bytes())
      next.segment = kSegmentNone;
  }
  frame.resize(RoundUp(frame.size(), kLineBytes));
  if (frame.size() > room) return;
  Write(at, frame.data(), frame.size());
  if (variant <= 5) next.offset += static_cast<uint32_t>(frame.size());
  end_ = next;
  next_lsn_ = next_lsn;
}

uint32_t Editor::CurrentHalf(uint32_t segment) const { return image_.plan.segments[segment].half; }

void Editor::RepairFrame(const LogFrame& frame) {
  uint8_t copy[kSegmentBytesMin];
  memcpy(copy, bytes_ + frame.offset, frame.bytes);
  const uint8_t kind = copy[offsetof(RecordHeader, kind)];
  const uint64_t offset = frame.offset & (image_.segment_bytes() - 1);
  const uint32_t seed = PlaceSeed(frame.seed, offset);
  uint32_t crc = 0;
  if (kind == kFrameLink) {
    crc = Crc32c(seed, copy + 4, kLineBytes - 4);
  } else if (kind == kFrameBatch) {
    BatchHeader header;
    memcpy(&header, copy, sizeof header);
    crc = Crc32c(seed, copy + 4, sizeof header - 4);
    uint32_t at = sizeof header;
    for (uint32_t i = 0; i < header.record_count; ++i) {
      Record record;
      if (!ParseRecord(copy + at, frame.bytes - at, &record)) break;
      const uint32_t sum = RecordCrc(copy + at, record.bytes, PlaceSeed(frame.seed, offset + at));
      memcpy(copy + at, &sum, sizeof sum);
      crc = Crc32c(crc, &sum, sizeof sum);
      if (record.FootprintBytes() > frame.bytes - at) break;
      at += record.FootprintBytes();
    }
  } else {
    // By the lengths it claims now, which may go beyond where it ended.
    const uint64_t room = image_.segment_bytes() - (frame.offset & (image_.segment_bytes() - 1));
    Record record;
    if (!ParseRecord(bytes_ + frame.offset, room, &record)) return;
    crc = RecordCrc(bytes_ + frame.offset, record.bytes, seed);
  }
  memcpy(copy, &crc, sizeof crc);
  Write(frame.offset, copy, frame.bytes);
}

// From the bottom up: what is repaired may make another checksum wrong.
void Editor::Repair() {
  if (bytes_ == nullptr) return;  // only the plan is edited
  const uint32_t seed = store_seed();
  for (uint32_t i : frames_) RepairFrame(image_.frames[i]);
  for (uint32_t i : lines_) {
    const uint64_t at = uint64_t{image_.log_segments[i].segment} * image_.segment_bytes() + kLineBytes;
    const uint32_t crc = Crc32c(image_.log_segments[i].seed, bytes_ + at + 4, kLineBytes - 4);
    Write(at, &crc, sizeof crc);
  }
  for (uint64_t offset : nodes_) {
    const uint32_t segment = static_cast<uint32_t>(offset >> image_.plan.header.segment_bytes_log2);
    const bool leaf = image_.plan.segments[segment].type == static_cast<uint8_t>(SegmentType::kLeaf);
    alignas(8) uint8_t copy[kInnerBytes] = {};
    memcpy(copy, bytes_ + offset, leaf ? kLeafBytes : kInnerBytes);
    auto* node = reinterpret_cast<NodeHeader*>(copy);
    if ((node->level == 0) != leaf) continue;  // refused by its level whatever the checksum
    SealNode(node, offset / kLeafBytes, seed);
    Write(offset, &node->crc, sizeof node->crc);
  }
  for (uint32_t segment : bitmaps_) {
    const PlanSegment& planned = image_.plan.segments[segment];
    const bool leaf = planned.type == static_cast<uint8_t>(SegmentType::kLeaf);
    const uint32_t unit = leaf ? kLeafBytes : kInnerBytes;
    const uint8_t* bits =
        bytes_ + uint64_t{segment} * image_.segment_bytes() + kBitmapOffset[planned.flags & kHalfBitmapB];
    uint32_t live = 0;
    for (uint32_t i = kNodeFirstByte / unit; i < image_.segment_bytes() / unit; ++i)
      live += (bits[i / 8] >> (i % 8)) & 1;
    const uint32_t check = Crc32c(seed ^ segment, bits, kBitmapBytes);
    const uint64_t half = SegmentHalfOffset(segment, planned.half);
    Write(half + offsetof(SegmentHalf, live), &live, sizeof live);
    Write(half + offsetof(SegmentHalf, check), &check, sizeof check);
    halves_.insert(segment * 2 + planned.half);
    if (plan_ != nullptr) {
      plan_->segments[segment].live = live;
      plan_->segments[segment].check = check;
    }
  }
  for (uint32_t i : halves_) {
    const uint64_t at = SegmentHalfOffset(i / 2, i % 2);
    SegmentHalf half;
    memcpy(&half, bytes_ + at, sizeof half);
    Complete(&half, seed, i / 2);
    Write(at, &half, sizeof half);
  }
  if (!halves_.empty()) {
    const int newest = static_cast<int>(image_.plan.header.slot_sequence & 1);
    const uint64_t at = kCheckpointSlotOffset[newest];
    CheckpointSlot slot;
    memcpy(&slot, bytes_ + at, sizeof slot);
    uint32_t sum = 0;
    for (uint32_t i = 0; i < image_.segment_count(); ++i) {
      const auto* entry = reinterpret_cast<const SegmentHalf*>(bytes_ + SegmentHalfOffset(i, 0));
      const SegmentHalf* current = nullptr;
      for (uint32_t k = 0; k < 2; ++k) {
        SegmentHalf whole = entry[k];
        Complete(&whole, seed, i);
        if (whole.crc == entry[k].crc && entry[k].epoch <= slot.epoch &&
            (current == nullptr || entry[k].epoch > current->epoch))
          current = &entry[k];
      }
      if (current != nullptr) sum ^= TableTerm(current->crc);
    }
    Write(at + offsetof(CheckpointSlot, table_check), &sum, sizeof sum);
    slots_[newest] = true;
  }
  for (int i = 0; i < 2; ++i) {
    if (slots_[i]) {
      CheckpointSlot slot;
      memcpy(&slot, bytes_ + kCheckpointSlotOffset[i], sizeof slot);
      Complete(&slot, seed);
      Write(kCheckpointSlotOffset[i], &slot, sizeof slot);
    }
    if (superblocks_[i]) {
      Superblock superblock;
      memcpy(&superblock, bytes_ + kSuperblockOffset[i], sizeof superblock);
      superblock.crc = 0;
      superblock.crc = Crc32c(0, &superblock, sizeof superblock);
      Write(kSuperblockOffset[i], &superblock, sizeof superblock);
    }
  }
}

}  // namespace sealog::fuzz

#pragma clang attribute pop
