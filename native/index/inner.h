// An inner node: children and truncated separators. Separators are stored behind the node's common prefix, the first 8
// bytes of each as a number, so that a lookup compares numbers; longer ones have a tail in the node's heap.
#pragma once

#include <cstdint>
#include <vector>

#include "format/node_format.h"
#include "log/record.h"

namespace sealog {

// The bounds that an inner node from the file must keep.
bool CheckInner(const InnerNode& node);

// The child whose range holds `key`.
uint32_t FindChild(const InnerNode& node, Bytes key);

// Compares `key` with separator `index` (1 .. count - 1).
int CompareSeparator(const InnerNode& node, uint32_t index, Bytes key);

// Separator `index` (1 .. count - 1), put together in `buffer`, which has room for the greatest key.
Bytes SeparatorOf(const InnerNode& node, uint32_t index, uint8_t* buffer);

inline uint64_t SumCounts(const InnerNode& node) {
  uint64_t sum = 0;
  for (uint32_t i = 0; i < node.header.count; ++i) sum += node.entries[i].count;
  return sum;
}

// A node taken apart, to be changed at will and put together again. Entry 0's separator is empty.
class InnerEdit {
 public:
  struct Item {
    Bytes separator;
    uint64_t child;
    uint32_t count;
  };

  explicit InnerEdit(const InnerNode& node);
  // Inserts before item `at`; `separator` is copied. REQUIRES: at >= 1.
  void Insert(uint32_t at, Bytes separator, uint64_t child, uint32_t count);
  uint32_t size() const { return static_cast<uint32_t>(items_.size()); }
  const Item& item(uint32_t i) const { return items_[i]; }

  // True if items [first, last) make one node, the first one's separator left out.
  bool Fits(uint32_t first, uint32_t last) const;
  // Writes them to `node`, whose birth and level stay.
  void Write(uint32_t first, uint32_t last, InnerNode* node) const;
  // The item to promote in a split: the most even one for which both sides fit. There always is one.
  uint32_t SplitPoint() const;

 private:
  uint32_t PrefixBytes(uint32_t first, uint32_t last) const;

  std::vector<uint8_t> bytes_;  // of the separators; never grows after the constructor
  std::vector<Item> items_;
};

// Inserts a child behind child `at - 1`, in place. False if it needs an InnerEdit: no room, or the prefix does not
// hold.
bool InsertInPlace(InnerNode* node, uint32_t at, Bytes separator, uint64_t child, uint32_t count);

// Removes child `at`; the heap is tidied when the node is next put together.
void RemoveChild(InnerNode* node, uint32_t at);

}  // namespace sealog
