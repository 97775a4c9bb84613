// A range of addresses, reserved whole and mapped to a file from its start as far as the file goes. The base never
// moves: growth maps more of the same range.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "base/status.h"
#include "platform/file.h"

namespace sealog {

inline constexpr size_t kHugePageBytes = size_t{2} << 20;

enum class MapMode {
  kSharedSync,  // MAP_SHARED_VALIDATE | MAP_SYNC: a fenced line is durable. kUnsupported where that cannot be promised
  kShared,      // stores reach the file's page cache
  kPrivate,     // stores stay in this process. Readable and writable also over a read-only descriptor. A page never
                // stored to shows what is written to the file; once stored to, it is a copy, until DropPrivate
};

class Mapping {
 public:
  Mapping() = default;
  ~Mapping();
  Mapping(Mapping&& other) noexcept;
  Mapping& operator=(Mapping&& other) noexcept;
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;

  // Reserves addresses only, 2 MiB aligned so that huge mappings are possible: no memory, nothing accessible yet.
  static Failure Reserve(size_t bytes, Mapping* out);

  // Maps [offset, offset + bytes) of `file` to base() + offset. REQUIRES: offset == mapped_bytes(), a multiple of the
  // page size; it fits the reservation; the mode is that of what is mapped already. The descriptor may be closed
  // afterwards.
  Failure Map(const File& file, uint64_t offset, size_t bytes, MapMode mode);

  // Gives [bytes, mapped_bytes()) back to the reservation. REQUIRES: a multiple of the page size; no one uses that
  // part.
  Failure Shrink(size_t bytes);

  // Nothing is mapped any more, but the addresses stay reserved, zeros if `readable`: for a forked child, whose mapping
  // would keep the file's lock (it goes with the last reference to the open file, and a mapping is one).
  void Abandon(bool readable);

  uint8_t* base() const { return base_; }
  size_t reserved_bytes() const { return reserved_bytes_; }
  // May be asked while another thread maps more.
  size_t mapped_bytes() const { return mapped_bytes_.load(std::memory_order_acquire); }
  MapMode mode() const { return mode_; }

  // MADV_POPULATE_WRITE: every page of the range gets a writable page table entry, so that the next store does not
  // fault. kUnsupported before Linux 5.14; kMedia where a store would have raised SIGBUS.
  Failure PopulateWrite(size_t offset, size_t bytes) const;

  // Forgets what was stored to the whole pages in [offset, offset + bytes): they show the file again.
  // REQUIRES: kPrivate; no one holds on to what they contain. The range is a multiple of the page size.
  Failure DropPrivate(size_t offset, size_t bytes) const;

  // Huge page advice is not given: DAX makes 2 MiB entries by itself where file and addresses are aligned, and on tmpfs
  // the pages exist already, from fallocate, when the mapping is made.

 private:
  uint8_t* base_ = nullptr;
  size_t reserved_bytes_ = 0;
  std::atomic<size_t> mapped_bytes_{0};
  MapMode mode_ = MapMode::kShared;
  void* raw_ = nullptr;  // what mmap gave, before alignment
  size_t raw_bytes_ = 0;
};

// True if the kernel grants MAP_SYNC on this file: the one proof of persistent memory. `*error_number` gets its
// refusal. STATX_ATTR_DAX does not imply it (virtio-pmem).
bool CanMapSync(const File& file, int* error_number = nullptr);

size_t PageBytes();

}  // namespace sealog
