#include "index/inner.h"

#include <algorithm>
#include <cstring>

#include "index/leaf.h"

namespace sealog {
namespace {

constexpr uint32_t kHeadBytes = 8;

Bytes Prefix(const InnerNode& node) {
  return {reinterpret_cast<const uint8_t*>(&node) + kInnerBytes - node.prefix_bytes, node.prefix_bytes};
}

uint32_t TailBytes(uint32_t suffix_bytes) { return suffix_bytes > kHeadBytes ? suffix_bytes - kHeadBytes : 0; }

uint32_t EntriesEnd(uint32_t count) {
  return static_cast<uint32_t>(offsetof(InnerNode, entries) + count * sizeof(InnerEntry));
}

// Compares the rest of a key, whose head is `head`, with entry `e`.
int CompareSuffix(const InnerNode& node, const InnerEntry& e, uint64_t head, Bytes rest) {
  if (head != e.head) return head < e.head ? -1 : 1;
  uint32_t n = std::min<uint32_t>(static_cast<uint32_t>(rest.size), e.suffix_bytes);
  if (n > kHeadBytes) {
    int c = memcmp(rest.data + kHeadBytes, reinterpret_cast<const uint8_t*>(&node) + e.tail_offset, n - kHeadBytes);
    if (c != 0) return c;
  }
  return rest.size < e.suffix_bytes ? -1 : rest.size > e.suffix_bytes ? 1 : 0;
}

int CompareEntries(const InnerNode& node, const InnerEntry& a, const InnerEntry& b) {
  if (a.head != b.head) return a.head < b.head ? -1 : 1;
  const auto* base = reinterpret_cast<const uint8_t*>(&node);
  int c = Compare({base + a.tail_offset, TailBytes(a.suffix_bytes)}, {base + b.tail_offset, TailBytes(b.suffix_bytes)});
  return c != 0 ? c : static_cast<int>(a.suffix_bytes) - static_cast<int>(b.suffix_bytes);
}

void WriteEntry(InnerNode* node, InnerEntry* e, Bytes suffix, uint64_t child, uint32_t count) {
  e->head = KeyHead(suffix);
  e->child = child;
  e->count = count;
  e->suffix_bytes = static_cast<uint16_t>(suffix.size);
  e->tail_offset = 0;
  if (uint32_t tail = TailBytes(e->suffix_bytes); tail != 0) {
    node->heap_begin = static_cast<uint16_t>(node->heap_begin - tail);
    e->tail_offset = node->heap_begin;
    memcpy(reinterpret_cast<uint8_t*>(node) + e->tail_offset, suffix.data + kHeadBytes, tail);
  }
}

}  // namespace

bool CheckInner(const InnerNode& node) {
  uint32_t count = node.header.count;
  if (count == 0 || count > kInnerEntriesMax || node.header.level > 32) return false;
  uint32_t end = EntriesEnd(count);
  if (node.heap_begin < end || node.heap_begin > kInnerBytes || node.prefix_bytes > kInnerBytes - node.heap_begin)
    return false;
  for (uint32_t i = 1; i < count; ++i) {
    const InnerEntry& e = node.entries[i];
    uint32_t tail = TailBytes(e.suffix_bytes);
    if (tail != 0 && (e.tail_offset < node.heap_begin || e.tail_offset + tail > kInnerBytes)) return false;
    if (e.suffix_bytes + node.prefix_bytes > kKeyBytesMax) return false;
    if (i > 1 && CompareEntries(node, node.entries[i - 1], e) >= 0) return false;
  }
  return true;
}

int CompareSeparator(const InnerNode& node, uint32_t index, Bytes key) {
  Bytes prefix = Prefix(node);
  int c = CompareFirst(key.data, prefix.data, std::min(key.size, prefix.size));
  if (c != 0) return c;
  if (key.size < prefix.size) return -1;
  Bytes rest{key.data + prefix.size, key.size - prefix.size};
  return CompareSuffix(node, node.entries[index], KeyHead(rest), rest);
}

Bytes SeparatorOf(const InnerNode& node, uint32_t index, uint8_t* buffer) {
  const InnerEntry& e = node.entries[index];
  const Bytes prefix = Prefix(node);
  const uint64_t head = __builtin_bswap64(e.head);
  uint8_t* at = buffer;
  if (prefix.size != 0) memcpy(at, prefix.data, prefix.size);
  at += prefix.size;
  memcpy(at, &head, std::min<uint32_t>(e.suffix_bytes, kHeadBytes));
  at += std::min<uint32_t>(e.suffix_bytes, kHeadBytes);
  memcpy(at, reinterpret_cast<const uint8_t*>(&node) + e.tail_offset, TailBytes(e.suffix_bytes));
  return {buffer, prefix.size + e.suffix_bytes};
}

uint32_t FindChild(const InnerNode& node, Bytes key) {
  uint32_t count = node.header.count;
  if (uint32_t p = node.prefix_bytes; p != 0) {
    const uint8_t* prefix = reinterpret_cast<const uint8_t*>(&node) + kInnerBytes - p;
    int c = CompareFirst(key.data, prefix, std::min<size_t>(key.size, p));
    if (c > 0) return count - 1;
    if (c < 0 || key.size < p) return 0;
    key = {key.data + p, key.size - p};
  }
  const uint64_t head = KeyHead(key);
  // The last entry whose separator is <= key; entry 0 counts as below everything.
  const InnerEntry* at = node.entries;
  uint32_t n = count;
  while (n > 1) {
    uint32_t half = n / 2;
    const InnerEntry& e = at[half];
    bool less = head < e.head;
    if (head == e.head) [[unlikely]]
      less = CompareSuffix(node, e, head, key) < 0;
    at = less ? at : at + half;
    n = less ? half : n - half;
  }
  return static_cast<uint32_t>(at - node.entries);
}

bool InsertInPlace(InnerNode* node, uint32_t at, Bytes separator, uint64_t child, uint32_t count) {
  Bytes prefix = Prefix(*node);
  uint32_t n = node->header.count;
  if (separator.size < prefix.size || memcmp(separator.data, prefix.data, prefix.size) != 0) return false;
  Bytes suffix{separator.data + prefix.size, separator.size - prefix.size};
  if (n >= kInnerEntriesMax || EntriesEnd(n + 1) + TailBytes(static_cast<uint32_t>(suffix.size)) > node->heap_begin)
    return false;
  memmove(&node->entries[at + 1], &node->entries[at], (n - at) * sizeof(InnerEntry));
  WriteEntry(node, &node->entries[at], suffix, child, count);
  node->header.count = static_cast<uint8_t>(n + 1);
  return true;
}

void RemoveChild(InnerNode* node, uint32_t at) {
  uint32_t n = node->header.count;
  memmove(&node->entries[at], &node->entries[at + 1], (n - at - 1) * sizeof(InnerEntry));
  node->header.count = static_cast<uint8_t>(n - 1);
  if (at == 0 && n > 1) {
    // What is first now is below everything.
    InnerEntry& e = node->entries[0];
    e.head = 0;
    e.suffix_bytes = e.tail_offset = 0;
  }
}

InnerEdit::InnerEdit(const InnerNode& node) {
  Bytes prefix = Prefix(node);
  uint32_t n = node.header.count;
  size_t total = kKeyBytesMax;  // for the one that may be inserted
  for (uint32_t i = 1; i < n; ++i) total += prefix.size + node.entries[i].suffix_bytes;
  bytes_.reserve(total);
  items_.reserve(n + 1);
  for (uint32_t i = 0; i < n; ++i) {
    const InnerEntry& e = node.entries[i];
    size_t begin = bytes_.size();
    if (i != 0) {
      uint8_t head[kHeadBytes];
      uint64_t big_endian = __builtin_bswap64(e.head);
      memcpy(head, &big_endian, kHeadBytes);
      bytes_.insert(bytes_.end(), prefix.data, prefix.data + prefix.size);
      bytes_.insert(bytes_.end(), head, head + std::min<uint32_t>(e.suffix_bytes, kHeadBytes));
      const uint8_t* tail = reinterpret_cast<const uint8_t*>(&node) + e.tail_offset;
      bytes_.insert(bytes_.end(), tail, tail + TailBytes(e.suffix_bytes));
    }
    items_.push_back({{bytes_.data() + begin, bytes_.size() - begin}, e.child, e.count});
  }
}

void InnerEdit::Insert(uint32_t at, Bytes separator, uint64_t child, uint32_t count) {
  size_t begin = bytes_.size();
  bytes_.insert(bytes_.end(), separator.data, separator.data + separator.size);
  items_.insert(items_.begin() + at, {{bytes_.data() + begin, separator.size}, child, count});
}

uint32_t InnerEdit::PrefixBytes(uint32_t first, uint32_t last) const {
  if (last - first < 3) return 0;  // of one separator the prefix would be all, and the next insert would not share it
  // They are sorted (CheckInner, and Tree::Locate before a split), so what the first and the last have in common all
  // have.
  Bytes a = items_[first + 1].separator, b = items_[last - 1].separator;
  size_t n = std::min(a.size, b.size), i = 0;
  while (i < n && a.data[i] == b.data[i]) ++i;
  return static_cast<uint32_t>(i);
}

bool InnerEdit::Fits(uint32_t first, uint32_t last) const {
  if (last - first > kInnerEntriesMax) return false;
  uint32_t prefix = PrefixBytes(first, last);
  size_t used = EntriesEnd(last - first) + prefix;
  for (uint32_t i = first + 1; i < last; ++i)
    used += TailBytes(static_cast<uint32_t>(items_[i].separator.size) - prefix);
  return used <= kInnerBytes;
}

void InnerEdit::Write(uint32_t first, uint32_t last, InnerNode* node) const {
  uint32_t prefix = PrefixBytes(first, last);
  node->header.count = static_cast<uint8_t>(last - first);
  node->prefix_bytes = static_cast<uint16_t>(prefix);
  node->heap_begin = static_cast<uint16_t>(kInnerBytes - prefix);
  if (prefix != 0)
    memcpy(reinterpret_cast<uint8_t*>(node) + node->heap_begin, items_[first + 1].separator.data, prefix);
  for (uint32_t i = first; i < last; ++i) {
    const Item& item = items_[i];
    Bytes suffix = i == first ? Bytes{} : Bytes{item.separator.data + prefix, item.separator.size - prefix};
    WriteEntry(node, &node->entries[i - first], suffix, item.child, item.count);
  }
}

uint32_t InnerEdit::SplitPoint() const {
  uint32_t middle = size() / 2;
  for (uint32_t distance = 0; distance < size(); ++distance) {
    for (uint32_t at : {middle + distance, middle - distance}) {
      if (at >= 1 && at < size() && Fits(0, at) && Fits(at, size())) return at;
    }
  }
  return middle;  // not reached: see the static assertion on kKeyBytesMax in format/node_format.h
}

}  // namespace sealog
