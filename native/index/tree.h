// The index: an epoch copy-on-write B+tree from keys to records in the log.
//
// A node of an older epoch is copied before it is changed, and so is its parent; a node of the current epoch changes in
// place. So every pinned state stays as it was, nothing in the put path is flushed, and a checkpoint writes just what
// was made since the last one (the copy-on-write B-tree of Rodeh, ACM TOS 2008, with epochs instead of reference
// counts).
//
// Readers of a frozen root need no lock; readers of the newest one, and every writer, hold the store's.
#pragma once

#include <cstdint>

#include "index/leaf.h"
#include "index/node_pool.h"

namespace sealog {

struct Root {
  uint64_t ref = 0;    // 0: empty
  uint64_t count = 0;  // entries
};

inline constexpr uint32_t kTreeHeightMax = 16;

// The nodes from the root to a leaf.
struct Path {
  struct Step {
    uint64_t ref;
    const InnerNode* node;
    uint32_t child;
  };
  uint32_t height = 0;  // steps; the leaf is below
  Step steps[kTreeHeightMax];
  uint64_t leaf_ref = 0;
  const LeafNode* leaf = nullptr;
};

// What looking at a tree can meet. kDamaged: see `damaged_offset`.
struct Found {
  Lookup lookup = Lookup::kAbsent;
  uint64_t ref = 0;
  Record record;
  uint64_t damaged_offset = 0;
};

// The record of `key` in the tree at `root`.
Found Find(NodePool& pool, const Space& space, Root root, Bytes key);

// From the root to the leaf whose range holds `key`. False if a node does not hold.
bool Descend(NodePool& pool, Root root, Bytes key, Path* path);

class Tree;

// Where a key is, or would be: all that a change needs to know, found and verified before the change is logged.
struct Place {
  Path path;
  KeyHash hash;
  bool found;
  uint32_t index;     // in the leaf, if found
  Record record;      // if found
  bool stays_sorted;  // an insert here would keep the leaf in order
  bool splits;        // an insert here needs `sorted`
  SortedLeaf sorted;

  // For LocateNext, which goes on from here.
  static constexpr uint32_t kUnknown = ~0u;
  const Tree* of = nullptr;             // whose path this is; null: it cannot be gone on from
  Bytes key;                            // that was located last
  uint32_t bound = kUnknown;            // the step whose next separator ends the leaf's range; path.height: none does
  const LeafNode* sorted_of = nullptr;  // what `sorted` is of, while it is so
  void Forget() {
    of = nullptr;
    sorted_of = nullptr;
  }
};

// What a change was found to replace, at the first of two looks.
struct Replaced {
  uint64_t ref = 0;    // 0: nothing, or a list of pieces, which is read again
  uint32_t bytes = 0;  // in its segment's account; 0: damaged, and stays counted
};

class Tree {
 public:
  Tree(NodePool* pool, const Space* space) : pool_(pool), space_(space) {}

  Root root() const { return root_; }
  void set_root(Root root) {
    root_ = root;
    // Of a root that does not hold nothing is known; Locate says so, and what is reserved by height must not be absurd.
    const uint8_t level = root.ref == 0 ? 0 : pool_->LevelOf(root.ref);
    height_ = level > kTreeHeightMax ? 0 : level;
  }

  uint32_t height() const { return height_; }

  // Nodes that `changes` changes, `puts` of them no removals, may need, for NodePool::Ensure: copies of what is there,
  // and splits. For inner nodes this counts one split in eight changes; greater separators than usual may ask for more,
  // which the index's reserve has.
  uint32_t LeavesFor(uint32_t changes, uint32_t puts) const {
    return Least(changes, pool_->stats().leaves) + (puts == 0 ? 0 : puts + 1);
  }
  uint32_t InnersFor(uint32_t changes, uint32_t puts) const {
    return Least(uint64_t{changes} * height_, pool_->stats().inners) + (puts == 0 ? 0 : puts / 8 + 2 * height_ + 2);
  }

  // Finds the place of `key`. kCorrupt: a node or a record that the change would rely on does not hold;
  // damaged_offset() names it.
  Status Locate(Bytes key, Place* place);
  // The same, where keys are likely to come in order: what follows in the leaf that `place` is in needs no way down,
  // and a full leaf is sorted once. REQUIRES: what changed in this tree since `place` was located was changed by Set
  // and Erase with `place`, and the memory of that key is still there.
  Status LocateNext(Bytes key, Place* place);
  // The same where `key` was found as entry `ref` before, without a look at its record. False: it is not that any more,
  // or the way to it does not hold.
  bool LocateAgain(Bytes key, uint64_t ref, Place* place);
  // Points `key` at the record at `offset`. REQUIRES: located since the last change; nodes ensured. Cannot fail.
  void Set(Place* place, Bytes key, uint64_t offset);
  // Takes the key out. REQUIRES: located, found; nodes ensured. Cannot fail.
  void Erase(Place* place);

  uint64_t damaged_offset() const { return damaged_offset_; }

 private:
  static uint32_t Least(uint64_t a, uint64_t b) { return static_cast<uint32_t>(a < b ? a : b); }
  Status Corrupt(uint64_t offset) {
    damaged_offset_ = offset;
    return Status::kCorrupt;
  }
  // Whether `key` follows what was located last, in the same leaf.
  bool Follows(Bytes key, Place* place) const;
  bool FindBound(Place* place) const;
  // Makes every node on the path young, top down.
  void MakeYoung(Path* path);
  void AddToCounts(const Path& path, int32_t delta);
  bool InOrder(const Place& place) const;
  void SplitLeaf(Place* place, Bytes key, uint64_t offset);
  void InsertChild(Path* path, uint32_t step, Bytes separator, uint64_t child, uint32_t count, uint8_t child_level);
  void Unlink(Path* path);
  void MergeLeaf(Path* path);

  NodePool* pool_;
  const Space* space_;
  Root root_;
  uint32_t height_ = 0;  // inner levels
  uint64_t damaged_offset_ = 0;
};

}  // namespace sealog
