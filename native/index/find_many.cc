#include "index/find_many.h"

#include "index/inner.h"

namespace sealog {
namespace {

// Of a record: header, key, and the value where it is small. What is behind comes by itself, being read in order.
constexpr uint64_t kRecordBytesAhead = 192;

// An address that does not exist is no harm to a prefetch.
void FetchLine(const void* at) { __builtin_prefetch(at); }

void FetchRecord(const Space& space, uint64_t ref) {
  const uint64_t offset = RecordRefOffset(ref);
  if (offset >= space.bytes()) return;
  for (uint64_t i = 0; i < kRecordBytesAhead; i += kLineBytes) FetchLine(space.base() + offset + i);
}

struct Lane {
  const LeafNode* leaf;  // null: a node on the way does not hold
  uint64_t damaged_offset;
  KeyHash hash;
  uint64_t match;  // entries of the leaf that may be the one
};

// Each lane's leaf; its first line is on the way. REQUIRES: root.ref != 0.
void FindLeaves(NodePool& pool, const Space& space, Root root, const Bytes* keys, uint32_t count, Lane* lanes) {
  uint64_t refs[kSideBySide];
  uint8_t level = pool.LevelOf(root.ref);
  for (uint32_t i = 0; i < count; ++i) {
    refs[i] = root.ref;
    lanes[i].hash = HashKey(keys[i]);
    lanes[i].damaged_offset = 0;
  }
  const NodeHeader* nodes[kSideBySide];
  for (bool more = true; more; more = level-- != 0) {
    for (uint32_t i = 0; i < count; ++i) {
      nodes[i] = refs[i] == 0 ? nullptr : pool.Load(refs[i], level);
      if (nodes[i] == nullptr) {
        if (refs[i] != 0) lanes[i].damaged_offset = pool.failure_offset();
        refs[i] = 0;
        continue;
      }
      if (level == 0) continue;
      const auto* inner = reinterpret_cast<const InnerNode*>(nodes[i]);
      refs[i] = inner->entries[FindChild(*inner, keys[i])].child;
      const uint8_t* next = space.base() + NodeRefIndex(refs[i]) * kLeafBytes;
      FetchLine(next);
      if (level > 1) FetchLine(next + kInnerBytes - kLineBytes);  // the prefix
    }
  }
  for (uint32_t i = 0; i < count; ++i) lanes[i].leaf = reinterpret_cast<const LeafNode*>(nodes[i]);
}

}  // namespace

void FindMany(NodePool& pool, const Space& space, Root root, const Bytes* keys, uint32_t count, Found* found) {
  for (uint32_t i = 0; i < count; ++i) found[i] = {};
  if (root.ref == 0) return;
  Lane lanes[kSideBySide];
  FindLeaves(pool, space, root, keys, count, lanes);
  for (uint32_t i = 0; i < count; ++i) {
    Lane& lane = lanes[i];
    if (lane.leaf == nullptr) continue;
    lane.match = MatchFingerprint(*lane.leaf, lane.hash.fingerprint);
    for (uint64_t m = lane.match; m != 0; m &= m - 1) FetchLine(&lane.leaf->refs[__builtin_ctzll(m)]);
  }
  for (uint32_t i = 0; i < count; ++i) {
    const Lane& lane = lanes[i];
    if (lane.leaf == nullptr) continue;
    for (uint64_t m = lane.match; m != 0; m &= m - 1) {
      const uint64_t ref = lane.leaf->refs[__builtin_ctzll(m)];
      if (RecordRefTag(ref) == lane.hash.tag) FetchRecord(space, ref);
    }
  }
  for (uint32_t i = 0; i < count; ++i) {
    const Lane& lane = lanes[i];
    Found& f = found[i];
    if (lane.leaf == nullptr) {
      f.lookup = Lookup::kDamaged;
      f.damaged_offset = lane.damaged_offset;
      continue;
    }
    uint32_t index = 0;
    f.lookup = FindInLeaf(space, *lane.leaf, keys[i], lane.hash, &index, &f.record, &f.damaged_offset);
    if (f.lookup == Lookup::kFound) f.ref = lane.leaf->refs[index];
  }
}

void FetchMany(NodePool& pool, const Space& space, Root root, const Bytes* keys, uint32_t count) {
  if (root.ref == 0) return;
  Lane lanes[kSideBySide];
  FindLeaves(pool, space, root, keys, count, lanes);
  for (uint32_t i = 0; i < count; ++i) {
    const LeafNode* leaf = lanes[i].leaf;
    if (leaf == nullptr) continue;
    // All of it: the change copies it if it is not young.
    for (uint32_t at = kLineBytes; at < kLeafBytes - kLineBytes; at += kLineBytes)
      FetchLine(reinterpret_cast<const uint8_t*>(leaf) + at);
    lanes[i].match = MatchFingerprint(*leaf, lanes[i].hash.fingerprint);
  }
  for (uint32_t i = 0; i < count; ++i) {
    const Lane& lane = lanes[i];
    if (lane.leaf == nullptr) continue;
    bool there = false;
    for (uint64_t m = lane.match; m != 0; m &= m - 1) {
      const uint64_t ref = lane.leaf->refs[__builtin_ctzll(m)];
      if (RecordRefTag(ref) != lane.hash.tag) continue;
      there = true;
      FetchRecord(space, ref);
    }
    // What tells whether the leaf stays sorted.
    const NodeHeader& header = lane.leaf->header;
    if (!there && header.count != 0 && header.sorted == header.count)
      FetchRecord(space, lane.leaf->refs[header.count - 1]);
  }
}

}  // namespace sealog
