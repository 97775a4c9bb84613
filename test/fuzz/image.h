// Store files to start from, made by the core itself, and where everything in them is.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "format/format.h"
#include "store/plan.h"

namespace sealog::fuzz {

struct LogFrame {
  uint64_t offset;
  uint32_t bytes;  // with its padding
  uint32_t seed;
  uint8_t kind;
};

struct LogSegment {
  uint32_t segment;
  uint32_t seed;
};

struct Image {
  std::string name;
  std::vector<uint8_t> bytes;
  Plan plan;
  std::vector<LogSegment> log_segments;  // also those that the table does not know yet
  std::vector<LogFrame> frames;
  std::vector<uint64_t> leaves;  // offsets of nodes that hold
  std::vector<uint64_t> inners;
  std::vector<uint32_t> node_segments;
  std::vector<std::string> keys;
  LogPosition end;  // of the log
  uint64_t next_lsn = 0;

  uint32_t segment_bytes() const { return 1u << plan.header.segment_bytes_log2; }
  uint32_t segment_count() const { return plan.header.segment_count; }
};

// Empty; small; several checkpoints and a tail to replay; large values; nearly full; deep. Made at the first call.
const std::vector<Image>& Images();

// A folder of this process in memory, gone at exit.
const std::string& Folder();

// Everything that the core draws at random from here on follows from `seed`.
void SeedRandom(uint64_t seed);

}  // namespace sealog::fuzz
