#include "index/tree.h"

#include <algorithm>
#include <cstring>

#include "index/inner.h"

namespace sealog {
namespace {

// A leaf that a removal leaves with fewer entries than this is joined with a neighbour if both fit with room to spare.
constexpr uint32_t kMergeBelow = 12;
constexpr uint32_t kMergedMax = 36;

// The shortest separator s with left < s <= right (Bayer and Unterauer's prefix B-tree). REQUIRES: left < right.
Bytes Separator(Bytes left, Bytes right) {
  size_t i = 0;
  while (i < left.size && left.data[i] == right.data[i]) ++i;
  return {right.data, i + 1};
}

}  // namespace

bool Descend(NodePool& pool, Root root, Bytes key, Path* path) {
  path->height = 0;
  uint64_t ref = root.ref;
  uint8_t level = pool.LevelOf(ref);
  if (level > kTreeHeightMax) return false;
  for (; level != 0; --level) {
    auto* node = reinterpret_cast<const InnerNode*>(pool.Load(ref, level));
    if (node == nullptr) return false;
    uint32_t child = FindChild(*node, key);
    path->steps[path->height++] = {ref, node, child};
    ref = node->entries[child].child;
  }
  path->leaf_ref = ref;
  path->leaf = reinterpret_cast<const LeafNode*>(pool.Load(ref, 0));
  return path->leaf != nullptr;
}

Found Find(NodePool& pool, const Space& space, Root root, Bytes key) {
  Found found;
  if (root.ref == 0) return found;
  uint64_t ref = root.ref;
  uint8_t level = pool.LevelOf(ref);
  const NodeHeader* node = pool.Load(ref, level);
  for (; node != nullptr && level != 0; --level) {
    auto* inner = reinterpret_cast<const InnerNode*>(node);
    ref = inner->entries[FindChild(*inner, key)].child;
    node = pool.Load(ref, static_cast<uint8_t>(level - 1));
  }
  if (node == nullptr) {
    found.lookup = Lookup::kDamaged;
    found.damaged_offset = pool.failure_offset();
    return found;
  }
  auto* leaf = reinterpret_cast<const LeafNode*>(node);
  uint32_t index = 0;
  found.lookup = FindInLeaf(space, *leaf, key, HashKey(key), &index, &found.record, &found.damaged_offset);
  if (found.lookup == Lookup::kFound) found.ref = leaf->refs[index];
  return found;
}

void Tree::MakeYoung(Path* path) {
  // A young node has young ancestors, so most paths end this at the first look.
  if (pool_->Young(&path->leaf->header)) return;
  uint64_t* parent_ref = &root_.ref;
  for (uint32_t i = 0; i < path->height; ++i) {
    Path::Step& step = path->steps[i];
    if (!pool_->Young(&step.node->header)) {
      step.ref = pool_->Copy(step.ref, &step.node->header);
      step.node = pool_->Mutable<InnerNode>(step.ref);
      *parent_ref = step.ref;
    }
    parent_ref = &pool_->Mutable<InnerNode>(step.ref)->entries[step.child].child;
  }
  path->leaf_ref = pool_->Copy(path->leaf_ref, &path->leaf->header);
  path->leaf = pool_->Mutable<LeafNode>(path->leaf_ref);
  *parent_ref = path->leaf_ref;
}

void Tree::AddToCounts(const Path& path, int32_t delta) {
  for (uint32_t i = 0; i < path.height; ++i) {
    pool_->Mutable<InnerNode>(path.steps[i].ref)->entries[path.steps[i].child].count += static_cast<uint32_t>(delta);
  }
  root_.count += static_cast<uint64_t>(int64_t{delta});
}

Status Tree::Locate(Bytes key, Place* place) {
  place->Forget();
  return LocateNext(key, place);
}

Status Tree::LocateNext(Bytes key, Place* place) {
  const bool follows = Follows(key, place);
  // What was to go to the leaf's end, or has gone there, is less than this key.
  const bool at_end = follows && !place->found && place->stays_sorted;
  place->hash = HashKey(key);
  place->key = key;
  place->found = place->splits = false;
  place->stays_sorted = true;
  if (!follows) {
    place->of = nullptr;
    place->path.height = 0;
    place->path.leaf = nullptr;
    if (root_.ref == 0) return Status::kOk;
    if (!Descend(*pool_, root_, key, &place->path)) return Corrupt(pool_->failure_offset());
    height_ = place->path.height;
    place->of = this;
    place->bound = Place::kUnknown;
  }

  const LeafNode& leaf = *place->path.leaf;
  uint64_t damaged = 0;
  Lookup lookup = FindInLeaf(*space_, leaf, key, place->hash, &place->index, &place->record, &damaged);
  if (lookup == Lookup::kDamaged) return Corrupt(damaged);
  place->found = lookup == Lookup::kFound;
  if (place->found) return Status::kOk;
  if (leaf.header.count == kLeafEntriesMax) {
    place->splits = true;
    if (place->sorted_of == &leaf) return Status::kOk;
    place->sorted_of = nullptr;
    // Verified, since a separator made from a damaged key would hide its neighbours.
    if (!SortLeaf(*space_, leaf, true, &place->sorted, &damaged)) return Corrupt(damaged);
    if (!InOrder(*place)) return Corrupt(NodeRefIndex(place->path.leaf_ref) * kLeafBytes);
    place->sorted_of = &leaf;
    return Status::kOk;
  }
  // The leaf stays sorted while keys arrive in order; that is worth a look at its last key only as long as it is so.
  place->stays_sorted = leaf.header.sorted == leaf.header.count;
  if (place->stays_sorted && leaf.header.count != 0 && !at_end) {
    uint64_t last = RecordRefOffset(leaf.refs[leaf.header.count - 1]);
    Record record;
    if (!RecordAt(*space_, last, &record)) return Corrupt(last);
    place->stays_sorted = Compare(record.key, key) < 0;
  }
  return Status::kOk;
}

bool Tree::Follows(Bytes key, Place* place) const {
  if (place->of != this || Compare(place->key, key) >= 0) return false;
  if (place->bound == Place::kUnknown && !FindBound(place)) {
    place->of = nullptr;
    return false;
  }
  if (place->bound == place->path.height) return true;
  const Path::Step& step = place->path.steps[place->bound];
  return CompareSeparator(*step.node, step.child + 1, key) < 0;
}

// The lowest separator to the right of the path. False if one above it is less, which no tree of ours has: what lies
// between them is not found by the way down.
bool Tree::FindBound(Place* place) const {
  const Path& path = place->path;
  place->bound = path.height;
  uint8_t buffer[kKeyBytesMax];
  Bytes bound{};
  for (uint32_t i = path.height; i-- != 0;) {
    const Path::Step& step = path.steps[i];
    if (step.child + 1u == step.node->header.count) continue;
    if (place->bound != path.height) {
      if (CompareSeparator(*step.node, step.child + 1, bound) > 0) return false;
      continue;
    }
    place->bound = i;
    bound = SeparatorOf(*step.node, step.child + 1, buffer);
  }
  return true;
}

bool Tree::LocateAgain(Bytes key, uint64_t ref, Place* place) {
  place->Forget();
  place->hash = HashKey(key);
  place->splits = false;
  if (root_.ref == 0 || !Descend(*pool_, root_, key, &place->path)) return false;
  const LeafNode& leaf = *place->path.leaf;
  for (uint64_t match = MatchFingerprint(leaf, place->hash.fingerprint); match != 0; match &= match - 1) {
    place->index = static_cast<uint32_t>(__builtin_ctzll(match));
    if (leaf.refs[place->index] == ref) return place->found = true;
  }
  return false;
}

// The leaf's keys, and the separators of every node of the path, are between the separators above them; otherwise what
// a split puts into a node would be out of order there.
bool Tree::InOrder(const Place& place) const {
  const SortedLeaf& sorted = place.sorted;
  const Path& path = place.path;
  uint8_t buffer[kKeyBytesMax];
  for (uint32_t i = 0; i < path.height; ++i) {
    const Path::Step& above = path.steps[i];
    auto between = [&above](Bytes first, Bytes last) {
      return (above.child == 0 || CompareSeparator(*above.node, above.child, first) >= 0) &&
             (above.child + 1u == above.node->header.count || CompareSeparator(*above.node, above.child + 1, last) < 0);
    };
    if (!between(sorted.entries[0].key(), sorted.entries[sorted.count - 1].key())) return false;
    for (uint32_t j = i + 1; j < path.height; ++j) {
      const InnerNode& below = *path.steps[j].node;
      for (uint32_t c : {1u, below.header.count - 1u}) {
        if (c == 0 || c >= below.header.count) continue;
        const Bytes separator = SeparatorOf(below, c, buffer);
        if (!between(separator, separator)) return false;
      }
    }
  }
  return true;
}

void Tree::Set(Place* place, Bytes key, uint64_t offset) {
  Path& path = place->path;
  const uint64_t ref = MakeRecordRef(offset, place->hash.tag);
  place->sorted_of = nullptr;
  if (root_.ref == 0) {
    root_.ref = path.leaf_ref = pool_->Make(0);
    path.leaf = pool_->Mutable<LeafNode>(path.leaf_ref);
    height_ = 0;
  }
  if (place->splits) return SplitLeaf(place, key, offset);
  MakeYoung(&path);
  auto* leaf = pool_->Mutable<LeafNode>(path.leaf_ref);
  if (place->found) {
    leaf->refs[place->index] = ref;
    return;
  }
  AddToCounts(path, 1);
  uint32_t count = leaf->header.count;
  leaf->fingerprints[count] = place->hash.fingerprint;
  leaf->refs[count] = ref;
  leaf->header.count = static_cast<uint8_t>(count + 1);
  if (place->stays_sorted) leaf->header.sorted = static_cast<uint8_t>(count + 1);
}

void Tree::SplitLeaf(Place* place, Bytes key, uint64_t offset) {
  Path* path = &place->path;
  const SortedLeaf& sorted = place->sorted;
  uint32_t at = 0;  // where the new key goes
  while (at < sorted.count && Compare(sorted.entries[at].key(), key) < 0) ++at;
  // Keys in order fill their leaves: only the new one goes to the right.
  const uint32_t left_count = at == sorted.count ? sorted.count : sorted.count / 2;

  MakeYoung(path);
  AddToCounts(*path, 1);
  uint64_t right_ref = pool_->Make(0);
  auto* left = pool_->Mutable<LeafNode>(path->leaf_ref);
  auto* right = pool_->Mutable<LeafNode>(right_ref);
  uint8_t fingerprints[kLeafEntriesMax];
  memcpy(fingerprints, left->fingerprints, sizeof fingerprints);
  for (uint32_t i = 0; i < sorted.count; ++i) {
    LeafNode* to = i < left_count ? left : right;
    uint32_t slot = i < left_count ? i : i - left_count;
    to->fingerprints[slot] = fingerprints[sorted.entries[i].index];
    to->refs[slot] = sorted.entries[i].ref;
  }
  left->header.count = left->header.sorted = static_cast<uint8_t>(left_count);
  right->header.count = right->header.sorted = static_cast<uint8_t>(sorted.count - left_count);

  // A key that belongs between the halves goes to the left one.
  const bool goes_right = at > left_count || left_count == sorted.count;
  Bytes left_last = !goes_right && at == left_count ? key : sorted.entries[left_count - 1].key();
  Bytes right_first = left_count == sorted.count ? key : sorted.entries[left_count].key();
  LeafNode* home = goes_right ? right : left;
  uint32_t slot = home->header.count;
  home->fingerprints[slot] = place->hash.fingerprint;
  home->refs[slot] = MakeRecordRef(offset, place->hash.tag);
  home->header.count = static_cast<uint8_t>(slot + 1);
  if ((goes_right ? at - left_count : at) == slot) home->header.sorted = home->header.count;

  InsertChild(path, path->height, Separator(left_last, right_first), right_ref, right->header.count, 0);
  place->Forget();
}

// Puts `child` to the right of what step `step` of the path leads to (step == height: the leaf). Splits upwards as
// needed.
void Tree::InsertChild(Path* path, uint32_t step, Bytes separator, uint64_t child, uint32_t count,
                       uint8_t child_level) {
  if (step == 0) {
    uint64_t left = root_.ref;
    auto left_count = static_cast<uint32_t>(root_.count - count);
    root_.ref = pool_->Make(static_cast<uint8_t>(child_level + 1));
    auto* node = pool_->Mutable<InnerNode>(root_.ref);
    node->heap_begin = kInnerBytes;
    node->header.count = 1;
    node->entries[0] = {0, left, left_count, 0, 0};
    InsertInPlace(node, 1, separator, child, count);
    return;
  }
  const Path::Step& parent = path->steps[step - 1];
  auto* node = pool_->Mutable<InnerNode>(parent.ref);
  node->entries[parent.child].count -= count;
  if (InsertInPlace(node, parent.child + 1, separator, child, count)) return;

  InnerEdit edit(*node);
  edit.Insert(parent.child + 1, separator, child, count);
  if (edit.Fits(0, edit.size())) {
    edit.Write(0, edit.size(), node);
    return;
  }
  uint32_t at = parent.child + 2 == edit.size() && edit.Fits(0, edit.size() - 1) ? edit.size() - 1 : edit.SplitPoint();
  uint8_t level = node->header.level;
  uint64_t right_ref = pool_->Make(level);
  auto* right = pool_->Mutable<InnerNode>(right_ref);
  edit.Write(0, at, node);
  edit.Write(at, edit.size(), right);
  InsertChild(path, step - 1, edit.item(at).separator, right_ref, static_cast<uint32_t>(SumCounts(*right)), level);
}

void Tree::Erase(Place* place) {
  place->Forget();
  Path& path = place->path;
  const uint32_t index = place->index;
  MakeYoung(&path);
  AddToCounts(path, -1);
  auto* leaf = pool_->Mutable<LeafNode>(path.leaf_ref);
  uint32_t last = leaf->header.count - 1u;
  if (index < leaf->header.sorted) {
    // The sorted part stays in order; what is behind it does not matter.
    memmove(&leaf->fingerprints[index], &leaf->fingerprints[index + 1], last - index);
    memmove(&leaf->refs[index], &leaf->refs[index + 1], (last - index) * sizeof(uint64_t));
    --leaf->header.sorted;
  } else {
    leaf->fingerprints[index] = leaf->fingerprints[last];
    leaf->refs[index] = leaf->refs[last];
  }
  leaf->header.count = static_cast<uint8_t>(last);
  if (last == 0) {
    Unlink(&path);
  } else if (last < kMergeBelow) {
    MergeLeaf(&path);
  }
}

// Takes an empty leaf out, and every inner node that this leaves empty; a root with one child gives way to it.
void Tree::Unlink(Path* path) {
  pool_->Retire(path->leaf_ref, &path->leaf->header);
  uint32_t step = path->height;
  for (; step != 0; --step) {
    const Path::Step& parent = path->steps[step - 1];
    auto* node = pool_->Mutable<InnerNode>(parent.ref);
    if (node->header.count > 1) {
      RemoveChild(node, parent.child);
      break;
    }
    pool_->Retire(parent.ref, &node->header);
  }
  if (step == 0) {
    root_.ref = 0;
    return;
  }
  for (uint8_t level = pool_->LevelOf(root_.ref); level != 0; --level) {
    auto* node = reinterpret_cast<const InnerNode*>(pool_->Load(root_.ref, level));
    if (node == nullptr || node->header.count != 1) return;
    uint64_t only = node->entries[0].child;
    // The child becomes the root only if it holds; otherwise the tree is as good with the extra level.
    if (pool_->Load(only, static_cast<uint8_t>(level - 1)) == nullptr) return;
    pool_->Retire(root_.ref, &node->header);
    root_.ref = only;
  }
}

// Moves the entries of the right one of two neighbours behind those of the left one. Since leaves are unsorted, no key
// is read.
void Tree::MergeLeaf(Path* path) {
  if (path->height == 0) return;
  const Path::Step& parent = path->steps[path->height - 1];
  auto* node = pool_->Mutable<InnerNode>(parent.ref);
  if (node->header.count < 2) return;
  const uint32_t left_child = parent.child + 1 < node->header.count ? parent.child : parent.child - 1;
  const uint32_t right_child = left_child + 1;
  if (node->entries[left_child].count + node->entries[right_child].count > kMergedMax) return;
  const bool is_left = left_child == parent.child;
  const uint64_t other_ref = node->entries[is_left ? right_child : left_child].child;
  const auto* other = reinterpret_cast<const LeafNode*>(pool_->Load(other_ref, 0));
  if (other == nullptr || other->header.count + path->leaf->header.count > kMergedMax) return;

  // This leaf is young: it takes the other's entries, whichever side it is on.
  auto* leaf = pool_->Mutable<LeafNode>(path->leaf_ref);
  uint32_t mine = leaf->header.count, theirs = other->header.count;
  memcpy(&leaf->fingerprints[mine], other->fingerprints, theirs);
  memcpy(&leaf->refs[mine], other->refs, theirs * sizeof(uint64_t));
  leaf->header.count = static_cast<uint8_t>(mine + theirs);
  if (!is_left) leaf->header.sorted = 0;  // its own keys are the greater ones
  if (is_left && leaf->header.sorted == mine) leaf->header.sorted = static_cast<uint8_t>(mine + other->header.sorted);
  pool_->Retire(other_ref, &other->header);
  node->entries[left_child].child = path->leaf_ref;
  node->entries[left_child].count = leaf->header.count;
  RemoveChild(node, right_child);
}

}  // namespace sealog
