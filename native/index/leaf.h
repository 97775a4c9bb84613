// A leaf: up to 48 references to records, found by one-byte fingerprints of their keys. The keys themselves are in the
// log.
#pragma once

#include <cstdint>

#include "base/crc32c.h"
#include "format/node_format.h"
#include "log/record.h"

namespace sealog {

// 24 bits of a key's hash are kept with its reference: 8 as the leaf's fingerprint, 16 in the reference itself.
struct KeyHash {
  uint8_t fingerprint;
  uint16_t tag;
};

inline KeyHash HashKey(Bytes key) {
  uint32_t h = Crc32c(0x9e3779b9u, key.data, key.size);
  h ^= h >> 15;
  return {static_cast<uint8_t>(h), static_cast<uint16_t>(h >> 8)};
}

// Bit i set: entry i has this fingerprint.
uint64_t MatchFingerprint(const LeafNode& leaf, uint8_t fingerprint);

// The bounds that a leaf from the file must keep.
bool CheckLeaf(const LeafNode& leaf);

enum class Lookup : uint8_t { kFound, kAbsent, kDamaged };

// Where `key` is in the leaf. kDamaged: an entry that may be the one refers to a record that does not hold; `*offset`
// names it.
Lookup FindInLeaf(const Space& space, const LeafNode& leaf, Bytes key, KeyHash hash, uint32_t* index, Record* record,
                  uint64_t* damaged_offset);

// The entries in key order, with their keys.
struct SortedLeaf {
  struct Entry {
    uint64_t head;  // the first 8 bytes of the key, big-endian, zero-padded
    const uint8_t* key_data;
    uint64_t ref;
    uint16_t key_bytes;
    uint8_t index;  // in the leaf

    Bytes key() const { return {key_data, key_bytes}; }
  };
  uint32_t count;  // nothing is initialised: 2 KiB that most uses fill only in part
  Entry entries[kLeafEntriesMax];
};

// False if a record's key does not hold or the keys are not in order (or, if `verify`, anything in a record);
// `*damaged_offset` names it.
bool SortLeaf(const Space& space, const LeafNode& leaf, bool verify, SortedLeaf* out, uint64_t* damaged_offset);

// Verifies the checksum of the record at `offset`.
bool VerifyRecord(const Space& space, uint64_t offset, const Record& record);

inline uint64_t KeyHead(Bytes key) {
  uint64_t head = 0;
  if (key.size != 0) memcpy(&head, key.data, key.size < 8 ? key.size : 8);
  return __builtin_bswap64(head);
}

}  // namespace sealog
