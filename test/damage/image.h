// The store files that are damaged: made by the core from a seed, with the history that says what must be in them.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace sealog::test {

using Random = std::mt19937_64;
using Model = std::map<std::string, std::string>;

constexpr uint64_t kNoCheckpoints = 1 << 30;  // but those that are asked for

struct Commit {
  uint64_t last_lsn;
  std::vector<std::pair<std::string, std::optional<std::string>>> changes;
};

struct Image {
  std::string variant;
  uint64_t seed;
  std::vector<uint8_t> bytes;
  std::vector<uint8_t> stale;    // the same file, some checkpoints earlier
  std::vector<uint8_t> foreign;  // another store of the same shape
  std::vector<Commit> commits;

  // What is in the store if the log ends behind `lsn`.
  Model StateAt(uint64_t lsn) const;
};

// "killed": cut off with a tail to replay. "clean": the same, closed. "tall": cut off, with two levels of inner nodes.
// "reused": cut off in a session that has used again what the checkpoint before its own needs; it is for the slots.
Image MakeImage(const std::string& folder, const std::string& variant, uint64_t seed);

// Everything that the process draws from the system's random numbers follows from this.
void SeedSystemRandom(uint64_t seed);

}  // namespace sealog::test
