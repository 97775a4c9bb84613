#include "index/cursor.h"

namespace sealog {

void Cursor::Fail(uint64_t offset) {
  valid_ = false;
  status_ = Status::kCorrupt;
  damaged_offset_ = offset;
}

bool Cursor::SortCurrent() {
  // The leaf that comes next, while this one is sorted.
  if (path_.height != 0) {
    const Path::Step& above = path_.steps[path_.height - 1];
    const uint32_t next = above.child + (reverse_ ? UINT32_MAX : 1);
    if (next < above.node->header.count) {
      const uint64_t offset = NodeRefIndex(above.node->entries[next].child) * kLeafBytes;
      for (uint64_t at = 0; at < kLeafBytes && offset < space_->bytes(); at += kLineBytes)
        __builtin_prefetch(space_->base() + offset + at);
    }
  }
  uint64_t damaged = 0;
  if (SortLeaf(*space_, *path_.leaf, false, &leaf_, &damaged)) return true;
  Fail(damaged);
  return false;
}

void Cursor::Seek(const KeyRange& range, bool reverse) {
  range_ = range;
  reverse_ = reverse;
  valid_ = false;
  status_ = Status::kOk;
  if (root_.ref == 0) return;
  if (!reverse || range.has_high) {
    if (!Descend(*pool_, root_, reverse ? range.high : range.low, &path_)) return Fail(pool_->failure_offset());
  } else {
    // The rightmost leaf: above every key there can be.
    static const auto top = [] {
      struct {
        uint8_t bytes[kKeyBytesMax];
      } t;
      memset(t.bytes, 0xff, sizeof t.bytes);
      return t;
    }();
    if (!Descend(*pool_, root_, {top.bytes, sizeof top.bytes}, &path_)) return Fail(pool_->failure_offset());
  }
  if (!SortCurrent()) return;
  valid_ = true;
  if (reverse) {
    at_ = leaf_.count;
    while (at_ != 0 && range_.Above(leaf_.entries[at_ - 1].key())) --at_;
    --at_;  // may wrap: Settle goes to the leaf before
  } else {
    at_ = 0;
    while (at_ < leaf_.count && range_.Below(leaf_.entries[at_].key())) ++at_;
  }
  Settle();
}

void Cursor::Advance() {
  at_ += reverse_ ? UINT32_MAX : 1;
  Settle();
  // Who walks reads the records: what is behind the first line, which sorting has read, of one a few steps ahead.
  constexpr uint32_t kSteps = 6;
  const uint32_t ahead = reverse_ ? at_ - kSteps : at_ + kSteps;
  if (ahead >= leaf_.count) return;
  const uint8_t* record = leaf_.entries[ahead].key_data;
  __builtin_prefetch(record + kLineBytes);
  __builtin_prefetch(record + 2 * kLineBytes);
}

// Goes on to the next leaf until there is an entry under the cursor, and ends at the range's end.
void Cursor::Settle() {
  while (at_ >= leaf_.count) {
    if (!StepLeaf()) {
      valid_ = false;
      return;
    }
    at_ = reverse_ ? leaf_.count - 1 : 0;
  }
  valid_ = reverse_ ? !range_.Below(key()) : !range_.Above(key());
}

bool Cursor::StepLeaf() {
  const Bytes last = leaf_.entries[reverse_ ? 0 : leaf_.count - 1].key();
  uint32_t step = path_.height;
  for (;; --step) {
    if (step == 0) return false;
    Path::Step& s = path_.steps[step - 1];
    if (reverse_ ? s.child != 0 : s.child + 1u < s.node->header.count) {
      s.child += reverse_ ? UINT32_MAX : 1;
      break;
    }
  }
  for (;; ++step) {
    const Path::Step& above = path_.steps[step - 1];
    uint64_t ref = above.node->entries[above.child].child;
    auto level = static_cast<uint8_t>(path_.height - step);
    const NodeHeader* node = pool_->Load(ref, level);
    if (node == nullptr) {
      Fail(pool_->failure_offset());
      return false;
    }
    if (level == 0) {
      path_.leaf_ref = ref;
      path_.leaf = reinterpret_cast<const LeafNode*>(node);
      if (!SortCurrent()) return false;
      // Leaves that are not in order, or that are met twice, would make a range that does not end.
      const Bytes edge = leaf_.entries[reverse_ ? leaf_.count - 1 : 0].key();
      const bool ahead =
          reverse_ ? Compare(edge, last) < 0 && !range_.Above(edge) : Compare(last, edge) < 0 && !range_.Below(edge);
      if (!ahead) Fail(NodeRefIndex(ref) * kLeafBytes);
      return ahead;
    }
    auto* inner = reinterpret_cast<const InnerNode*>(node);
    path_.steps[step] = {ref, inner, reverse_ ? inner->header.count - 1u : 0};
  }
}

namespace {

// How many keys are below `key` (or equal to it, if `or_equal`).
bool Rank(NodePool& pool, const Space& space, Root root, Bytes key, bool or_equal, uint64_t* rank,
          uint64_t* damaged_offset) {
  Path path;
  if (!Descend(pool, root, key, &path)) {
    *damaged_offset = pool.failure_offset();
    return false;
  }
  *rank = 0;
  for (uint32_t i = 0; i < path.height; ++i) {
    const Path::Step& s = path.steps[i];
    for (uint32_t c = 0; c < s.child; ++c) *rank += s.node->entries[c].count;
  }
  SortedLeaf leaf;
  if (!SortLeaf(space, *path.leaf, false, &leaf, damaged_offset)) return false;
  for (uint32_t i = 0; i < leaf.count; ++i) {
    int c = Compare(leaf.entries[i].key(), key);
    if (c < 0 || (c == 0 && or_equal)) ++*rank;
  }
  return true;
}

}  // namespace

Status CountRange(NodePool& pool, const Space& space, Root root, const KeyRange& range, uint64_t* count,
                  uint64_t* damaged_offset) {
  *count = 0;
  if (root.ref == 0) return Status::kOk;
  uint64_t below = 0, upto = root.count;
  if (range.low.size != 0 && !Rank(pool, space, root, range.low, range.low_exclusive, &below, damaged_offset)) {
    return Status::kCorrupt;
  }
  if (range.has_high && !Rank(pool, space, root, range.high, range.high_inclusive, &upto, damaged_offset)) {
    return Status::kCorrupt;
  }
  *count = upto > below ? upto - below : 0;
  return Status::kOk;
}

void Cursor::SeekPast(const KeyRange& range, bool reverse, uint64_t skip) {
  range_ = range;
  reverse_ = reverse;
  valid_ = false;
  status_ = Status::kOk;
  if (root_.ref == 0) return;
  uint64_t below = 0, upto = root_.count;
  if (range.low.size != 0 && !Rank(*pool_, *space_, root_, range.low, range.low_exclusive, &below, &damaged_offset_))
    return Fail(damaged_offset_);
  if (range.has_high && !Rank(*pool_, *space_, root_, range.high, range.high_inclusive, &upto, &damaged_offset_))
    return Fail(damaged_offset_);
  if (upto <= below || skip >= upto - below) return;
  uint64_t rank = reverse ? upto - 1 - skip : below + skip;
  // Down by counts; `rank` is what is left of it in the node.
  uint64_t ref = root_.ref;
  uint8_t level = pool_->LevelOf(ref);
  if (level > kTreeHeightMax) return Fail(pool_->failure_offset());
  path_.height = 0;
  for (; level != 0; --level) {
    const auto* node = reinterpret_cast<const InnerNode*>(pool_->Load(ref, level));
    if (node == nullptr) return Fail(pool_->failure_offset());
    uint32_t child = 0;
    while (child + 1u < node->header.count && rank >= node->entries[child].count) rank -= node->entries[child++].count;
    path_.steps[path_.height++] = {ref, node, child};
    ref = node->entries[child].child;
  }
  path_.leaf_ref = ref;
  path_.leaf = reinterpret_cast<const LeafNode*>(pool_->Load(ref, 0));
  if (path_.leaf == nullptr) return Fail(pool_->failure_offset());
  if (!SortCurrent()) return;
  // Counts that do not agree with the leaves.
  if (rank >= leaf_.count) return Fail(NodeRefIndex(ref) * kLeafBytes);
  at_ = static_cast<uint32_t>(rank);
  valid_ = !range_.Below(key()) && !range_.Above(key());
  if (!valid_) Fail(NodeRefIndex(ref) * kLeafBytes);
}

}  // namespace sealog
