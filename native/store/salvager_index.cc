// The index: entries that it refers to, and the gaps that damage has left in it.
#include <algorithm>
#include <cstring>

#include "index/inner.h"
#include "index/leaf.h"
#include "store/salvager.h"

namespace sealog {

void Salvager::NoteGap(uint32_t tree, const Pending& node, const char* why) {
  gaps_.push_back({tree, node.low, node.high, node.has_high, node.count, 0, NodeRefIndex(node.ref) * kLeafBytes, why});
}

void Salvager::WalkTree(uint32_t tree) {
  const TreeRoot& root = plan_.header.roots[tree];
  if (root.ref == 0) return;
  std::vector<Pending> stack;
  stack.push_back({root.ref, 0xff, "", "", false, root.count});
  uint8_t buffer[kKeyBytesMax];
  while (!stack.empty() && Going()) {
    const Pending at = std::move(stack.back());
    stack.pop_back();
    const uint64_t unit = NodeRefIndex(at.ref);
    if (unit >= source_.bytes() / kLeafBytes) {
      NoteGap(tree, at, "outside of the file");
      continue;
    }
    if ((visited_.data()[unit >> 3] & 1u << (unit & 7)) != 0) {
      NoteGap(tree, at, "referred to twice");
      continue;
    }
    if (!source_.ReadNode(at.ref, at.level, node_.get())) {
      NoteGap(tree, at, "damaged");
      continue;
    }
    visited_.data()[unit >> 3] |= static_cast<uint8_t>(1u << (unit & 7));
    const auto* header = reinterpret_cast<const NodeHeader*>(node_.get());
    if (header->level == 0) {
      CopyLeaf(tree, at);
      continue;
    }
    const auto& inner = *reinterpret_cast<const InnerNode*>(node_.get());
    const size_t first = stack.size();
    for (uint32_t i = 0; i < inner.header.count; ++i) {
      Pending child{inner.entries[i].child, static_cast<uint8_t>(inner.header.level - 1), at.low, at.high, at.has_high,
                    inner.entries[i].count};
      if (i != 0) child.low = TextOf(SeparatorOf(inner, i, buffer));
      if (i + 1 < inner.header.count) {
        child.high = TextOf(SeparatorOf(inner, i + 1, buffer));
        child.has_high = true;
      }
      stack.push_back(std::move(child));
    }
    // The first one next, so that keys come in order.
    std::reverse(stack.begin() + static_cast<ptrdiff_t>(first), stack.end());
  }
}

bool Salvager::Inside(const std::string& low, const std::string& high, bool has_high, Bytes key) {
  return Compare(key, BytesOf(low)) >= 0 && (!has_high || Compare(key, BytesOf(high)) < 0);
}

// Whether the tail says what became of an entry of which only the hash is known.
bool Salvager::TailHas(uint32_t tree, uint32_t hash, const Pending& leaf) const {
  auto [first, last] = tail_hashes_.equal_range(hash);
  for (; first != last; ++first) {
    const std::string& id = *first->second;
    const Bytes key{reinterpret_cast<const uint8_t*>(id.data()) + 1, id.size() - 1};
    if (static_cast<uint8_t>(id[0]) == tree && Inside(leaf.low, leaf.high, leaf.has_high, key)) return true;
  }
  return false;
}

void Salvager::CopyLeaf(uint32_t tree, const Pending& at) {
  const LeafNode leaf = *reinterpret_cast<const LeafNode*>(node_.get());
  std::vector<std::pair<uint64_t, OwnRecord>> records;
  for (uint32_t i = 0; i < leaf.header.count; ++i) {
    const uint64_t offset = RecordRefOffset(leaf.refs[i]);
    const uint32_t hash = RecordRefTag(leaf.refs[i]) << 8 | leaf.fingerprints[i];
    OwnRecord own;
    const Status status = source_.ReadRecord(offset, &own);
    if (status == Status::kNoMemory) {
      failure_ = {status, 0, "", offset, "no memory for a record"};
      return;
    }
    const Record& record = own.record;
    // All that a leaf knows of the key, and where the leaf is, tell whether this is still the key.
    const bool key_holds = own.memory != nullptr && record.tree == tree && HashOf(record.key) == hash &&
                           Inside(at.low, at.high, at.has_high, record.key);
    if (status == Status::kOk && key_holds && record.kind == kRecordPut) {
      if (tail_.count(IdOf(tree, record.key)) == 0) records.emplace_back(offset, std::move(own));
      continue;
    }
    if (key_holds ? tail_.count(IdOf(tree, record.key)) != 0 : TailHas(tree, hash, at)) continue;
    SalvageLoss loss;
    loss.what = "record";
    loss.where = offset;
    loss.tree = tree;
    loss.entries = 1;
    loss.has_key = key_holds;
    if (key_holds) {
      loss.key = TextOf(record.key);
      loss.detail = "the record does not hold";
    } else {
      loss.is_range = true;
      loss.low = at.low;
      loss.high = at.high;
      loss.has_high = at.has_high;
      loss.detail = "the record does not hold; its key cannot be read, but lies in this range";
    }
    Note(std::move(loss));
  }
  std::sort(records.begin(), records.end(),
            [](const auto& a, const auto& b) { return Compare(a.second.record.key, b.second.record.key) < 0; });
  for (auto& [offset, own] : records) Stage(offset, std::move(own), &report_->by_index);
  Step(leaf.header.count);
}

void Salvager::SortGaps() {
  std::sort(gaps_.begin(), gaps_.end(),
            [](const Gap& a, const Gap& b) { return a.tree != b.tree ? a.tree < b.tree : a.low < b.low; });
}

// REQUIRES: sorted. Gaps of a tree lie apart.
Salvager::Gap* Salvager::GapOf(uint32_t tree, Bytes key) {
  auto after = std::upper_bound(gaps_.begin(), gaps_.end(), key, [tree](Bytes k, const Gap& gap) {
    return gap.tree != tree ? tree < gap.tree : Compare(k, BytesOf(gap.low)) < 0;
  });
  if (after == gaps_.begin()) return nullptr;
  --after;
  return after->tree == tree && Inside(after->low, after->high, after->has_high, key) ? &*after : nullptr;
}

}  // namespace sealog
