#include "index/leaf.h"

#include <algorithm>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace sealog {

uint64_t MatchFingerprint(const LeafNode& leaf, uint8_t fingerprint) {
  uint64_t mask = 0;
#if defined(__SSE2__)
  const __m128i wanted = _mm_set1_epi8(static_cast<char>(fingerprint));
  const auto* at = reinterpret_cast<const __m128i*>(leaf.fingerprints);
  for (int i = 0; i < 3; ++i) {
    auto equal = static_cast<uint32_t>(_mm_movemask_epi8(_mm_cmpeq_epi8(_mm_loadu_si128(at + i), wanted)));
    mask |= uint64_t{equal} << (16 * i);
  }
#else
  for (uint32_t i = 0; i < kLeafEntriesMax; ++i) mask |= uint64_t{leaf.fingerprints[i] == fingerprint} << i;
#endif
  return mask & ((1ull << leaf.header.count) - 1);
}

bool CheckLeaf(const LeafNode& leaf) {
  return leaf.header.count != 0 && leaf.header.count <= kLeafEntriesMax && leaf.header.sorted <= leaf.header.count;
}

bool VerifyRecord(const Space& space, uint64_t offset, const Record& record) {
  uint32_t seed = PlaceSeed(space.segment(space.SegmentOf(offset)).check, offset & (space.segment_bytes() - 1));
  return record.header->crc == RecordCrc(reinterpret_cast<const uint8_t*>(record.header), record.bytes, seed);
}

// Whether `key` may be that of entry `i`: all that a leaf knows of it. Tells a damaged key from a good one without
// reading the value.
static bool HasKeyOf(const LeafNode& leaf, uint32_t i, Bytes key) {
  const KeyHash hash = HashKey(key);
  return hash.fingerprint == leaf.fingerprints[i] && hash.tag == RecordRefTag(leaf.refs[i]);
}

Lookup FindInLeaf(const Space& space, const LeafNode& leaf, Bytes key, KeyHash hash, uint32_t* index, Record* record,
                  uint64_t* damaged_offset) {
  for (uint64_t match = MatchFingerprint(leaf, hash.fingerprint); match != 0; match &= match - 1) {
    auto i = static_cast<uint32_t>(__builtin_ctzll(match));
    uint64_t ref = leaf.refs[i];
    if (RecordRefTag(ref) != hash.tag) continue;
    uint64_t offset = RecordRefOffset(ref);
    if (!RecordAt(space, offset, record)) {
      *damaged_offset = offset;
      return Lookup::kDamaged;
    }
    if (record->key.size == key.size && memcmp(record->key.data, key.data, key.size) == 0) {
      *index = i;
      return Lookup::kFound;
    }
    // All 24 bits agree and the key does not: once in 16 million, or a damaged key, or another record in this one's
    // place. Never "not found" for the latter two.
    if (!VerifyRecord(space, offset, *record) || !HasKeyOf(leaf, i, record->key)) {
      *damaged_offset = offset;
      return Lookup::kDamaged;
    }
  }
  return Lookup::kAbsent;
}

bool SortLeaf(const Space& space, const LeafNode& leaf, bool verify, SortedLeaf* out, uint64_t* damaged_offset) {
  uint32_t count = leaf.header.count;
  for (uint32_t i = 0; i < count; ++i) {
    uint64_t offset = RecordRefOffset(leaf.refs[i]);
    if (offset < space.bytes()) __builtin_prefetch(space.base() + offset);
  }
  for (uint32_t i = 0; i < count; ++i) {
    uint64_t offset = RecordRefOffset(leaf.refs[i]);
    Record record;
    // A damaged key would be sorted where it does not belong: a range or a count would miss it without an error.
    if (!RecordAt(space, offset, &record) || !HasKeyOf(leaf, i, record.key) ||
        (verify && !VerifyRecord(space, offset, record))) {
      *damaged_offset = offset;
      return false;
    }
    out->entries[i] = {KeyHead(record.key), record.key.data, leaf.refs[i], static_cast<uint16_t>(record.key.size),
                       static_cast<uint8_t>(i)};
  }
  out->count = count;
  auto before = [](const SortedLeaf::Entry& a, const SortedLeaf::Entry& b) {
    return a.head != b.head ? a.head < b.head : Compare(a.key(), b.key()) < 0;
  };
  if (leaf.header.sorted < count) {
    auto* middle = out->entries + leaf.header.sorted;
    std::sort(middle, out->entries + count, before);
    if (leaf.header.sorted != 0) {
      SortedLeaf::Entry merged[kLeafEntriesMax];
      std::merge(out->entries, middle, middle, out->entries + count, merged, before);
      std::copy(merged, merged + count, out->entries);
    }
  }
  // `sorted` may claim too much, and a key may be there twice: a range would not end, a split would not hold.
  for (uint32_t i = 1; i < count; ++i) {
    if (before(out->entries[i - 1], out->entries[i])) continue;
    *damaged_offset = RecordRefOffset(out->entries[i].ref);
    return false;
  }
  return true;
}

}  // namespace sealog
