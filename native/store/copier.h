// Copies the live entries of a pinned state into another store, in key order, tree by tree: what compacting is. The
// copy has versions of its own.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "store/store.h"

namespace sealog {

class Copier {
 public:
  // Entries that have expired by `unix_ms` are left out.
  Copier(std::shared_ptr<const PinnedState> state, uint64_t unix_ms);
  // False: there was no memory.
  bool ready() const { return pool_.ready(); }

  // Copies the next entries, or one large value, out of the state. REQUIRES: inside a guard. kCorrupt: see
  // damaged_offset(). kMedia is the guard's to say.
  Status Read();
  // Writes them to `target`, deferred. REQUIRES: outside of the guard.
  Status Write(Store* target);
  bool done() const { return tree_at_ == kTreeCount; }

  uint64_t bytes() const { return bytes_; }  // so far
  uint64_t damaged_offset() const { return damaged_offset_; }

 private:
  bool Take(const Record& record, uint64_t offset);
  bool TakeValue(const Record& record, uint64_t offset, size_t* bytes);

  std::shared_ptr<const PinnedState> state_;
  Space space_;
  NodePool pool_;  // only to check nodes once
  uint64_t unix_ms_;
  uint32_t tree_at_ = 0;
  std::optional<Cursor> cursor_;
  struct Entry {
    uint64_t expires;
    uint32_t key_bytes;
    uint32_t value_bytes;
    uint8_t flags;
  };
  std::vector<Entry> entries_;
  std::vector<uint8_t> buffer_;  // their keys and values
  size_t used_ = 0;
  uint64_t bytes_ = 0;
  uint64_t damaged_offset_ = 0;
};

}  // namespace sealog
