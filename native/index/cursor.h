// Walking a tree in key order, in either direction, over a root that does not change meanwhile.
#pragma once

#include <cstdint>

#include "index/leaf.h"
#include "index/tree.h"

namespace sealog {

// An interval of keys. Without `high` it is open to the top; an empty `low` is the bottom.
struct KeyRange {
  Bytes low;
  Bytes high;
  bool has_high = false;
  bool low_exclusive = false;
  bool high_inclusive = false;

  bool Above(Bytes key) const {
    if (!has_high) return false;
    int c = Compare(key, high);
    return c > 0 || (c == 0 && !high_inclusive);
  }
  bool Below(Bytes key) const {
    int c = Compare(key, low);
    return c < 0 || (c == 0 && low_exclusive);
  }
};

class Cursor {
 public:
  Cursor(NodePool* pool, const Space* space, Root root) : pool_(pool), space_(space), root_(root) {}

  // To the first entry in the range (the last one if `reverse`). The range's bytes must outlive the cursor.
  void Seek(const KeyRange& range, bool reverse);
  // To the entry behind the first `skip` ones of the range, by the counts under each child.
  void SeekPast(const KeyRange& range, bool reverse, uint64_t skip);
  bool valid() const { return valid_; }
  // kCorrupt if a node or a record on the way did not hold; the cursor is then not valid.
  Status status() const { return status_; }
  uint64_t damaged_offset() const { return damaged_offset_; }

  Bytes key() const { return leaf_.entries[at_].key(); }
  uint64_t ref() const { return leaf_.entries[at_].ref; }
  void Advance();

 private:
  void Fail(uint64_t offset);
  bool SortCurrent();
  bool StepLeaf();
  void Settle();

  NodePool* pool_;
  const Space* space_;
  Root root_;
  KeyRange range_;
  bool reverse_ = false;
  bool valid_ = false;
  Status status_ = Status::kOk;
  uint64_t damaged_offset_ = 0;
  Path path_;
  uint32_t at_ = 0;
  SortedLeaf leaf_;
};

// How many keys are in the range, by the counts under each child: reads one path and one leaf per bound.
Status CountRange(NodePool& pool, const Space& space, Root root, const KeyRange& range, uint64_t* count,
                  uint64_t* damaged_offset);

}  // namespace sealog
