// What a killed writer writes: a pure function of (seed, n), so that its parent can say what the store must hold.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace sealog::test {

// SplitMix64 (Steele, Lea and Flood, 2014): cheap to begin anew for each operation.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  uint64_t operator()() {
    uint64_t z = state_ += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  uint64_t Below(uint64_t bound) { return (*this)() % bound; }

 private:
  uint64_t state_;
};

uint64_t Mix(uint64_t a, uint64_t b);

// Geometry of a store, and how many keys are written to it.
struct Shape {
  const char* name;
  uint64_t capacity_bytes;
  uint32_t segment_bytes;
  uint64_t checkpoint_bytes;
  uint32_t keys;
  uint64_t bytes_max;  // that it grows to
};
// The small one is full again and again; the last one has the product's segments.
inline constexpr Shape kShapes[] = {
    {"small", 3 << 19, 16 << 10, 32 << 10, 300, 2 << 20},
    {"medium", 4 << 20, 64 << 10, 128 << 10, 1500, 8 << 20},
    {"large", 24 << 20, 2 << 20, 512 << 10, 2000, 32 << 20},
};
inline constexpr uint32_t kShapeCount = 3;

// Where a value comes from: edit `index` of operation `n`.
struct Origin {
  uint64_t n;
  uint32_t index;
};

struct Edit {
  std::string key;
  bool removes;
};

enum class Kind : uint8_t { kPut, kStream, kRemove, kBatch, kCommit, kCheckpoint, kClean, kGrow };

struct Operation {
  Kind kind;
  bool deferred;
  std::vector<Edit> edits;  // one, or those of a batch; none of what changes nothing
};

std::string KeyOf(uint32_t number);
Operation OperationOf(uint64_t seed, const Shape& shape, uint64_t n);
// Says its origin in its first bytes, if it has 12.
std::string ValueOf(uint64_t seed, const Origin& origin);
Origin ClaimedOrigin(const std::string& value);

}  // namespace sealog::test
