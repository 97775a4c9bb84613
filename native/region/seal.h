// The seal: what the file's block map is, whether that is still so, and how to make it so again.
#pragma once

#include <cstdint>

#include "base/status.h"
#include "platform/file.h"

namespace sealog {

// In SealRecord::level and across the boundary. What the first store to a page costs, and what can be proven.
enum class SealLevel : uint32_t {
  kSparse = 0,     // holes, or nothing known: allocation and a journal commit
  kAllocated = 1,  // no holes, but unwritten, shared or unprovable extents: conversion and a journal commit
  kSealed = 2,     // every extent written, unshared, on a file system that overwrites in place: a minor fault
};

struct SealProbe {
  const char* method = "none";  // "fiemap"; "blocks": tmpfs, where st_blocks is all there is; "none"
  SealLevel level = SealLevel::kSparse;
  uint64_t extents = 0;
  uint64_t digest = 0;  // see ExtentSummary
  uint64_t aligned_bytes = 0;
  uint64_t unwritten_bytes = 0;
  uint64_t shared_bytes = 0;
  uint64_t hole_bytes = 0;
  uint64_t other_bytes = 0;  // delayed, encoded, inline, encrypted, unaligned or unknown
  uint64_t region_bytes = 0;
  uint64_t device = 0;
  uint64_t inode = 0;
  uint64_t generation = 0;
  bool immutable = false;
};

// Looks. Changes nothing, but FIEMAP_FLAG_SYNC writes back what is dirty.
// btrfs and other file systems that move blocks on their own are kAllocated at best.
Failure ProbeSeal(const File& file, SealProbe* out);

// Refills holes (zeros: what was in them is lost, and the checksums of recovery will say so), writes unwritten extents
// with their own content, unshares what is shared, fsyncs. `*after` is the probe then: a level that cannot be had is no
// failure.
// REQUIRES: opened kReadWrite and locked exclusively; no one stores through a mapping meanwhile (the content is read
// and written back); no private copies of the pages matter.
Failure RepairSeal(const File& file, SealProbe* after);

// Writes copy `sequence & 1` of the seal record, durable on return. The other copy stays as it is.
Failure WriteSealRecord(const File& file, const uint8_t uuid[16], uint64_t sequence, const SealProbe& probe);

}  // namespace sealog
