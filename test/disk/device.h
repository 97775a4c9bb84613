// A file on a device behind a page cache: what is durable for sure, and for each sector that is not synced the contents
// that the device may have instead.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <vector>

#include "media.h"
#include "region/domain.h"
#include "trace.h"

namespace sealog::test {

inline constexpr uint64_t kSectorBytes = 512;
inline constexpr uint64_t kPageBytes = 4096;
using Sector = std::array<uint8_t, kSectorBytes>;

// A fault put into the model: this kind of sync by this thread does nothing.
enum class Forgotten { kNothing, kWriterDsync, kWriterSync, kCheckpointDsync, kCheckpointSync };

class Device {
 public:
  Device(std::vector<uint8_t> durable, Domain domain);

  void Apply(const Event& event, Forgotten forgotten = Forgotten::kNothing);
  // The process is gone. What it wrote stays in the page cache, and is durable at anybody's next fdatasync.
  void Orphan();
  // The file ends here, all else is zero.
  void Extend(uint64_t bytes);

  const std::vector<uint8_t>& durable() const { return durable_; }
  const std::vector<uint8_t>& cache() const { return cache_; }
  uint64_t hash() const { return hash_; }

  // A page, or a sector, with the times at which it may have been written back; 0: not since it was durable.
  struct Choice {
    uint64_t first_sector;
    uint64_t sectors;
    std::vector<uint64_t> times;
  };
  std::vector<Choice> Choices(bool torn) const;
  // Image `k` of them: all combinations if they are at most `cap`; else none, all, one alone, all but one, a prefix,
  // any.
  static size_t ImageCount(const std::vector<Choice>& choices, size_t cap, bool* all);
  Image MakeImage(const std::vector<Choice>& choices, bool all, size_t k, Random* random) const;
  // What a kill of the process leaves: the page cache.
  Image CacheImage() const;

 private:
  struct Version {
    Sector content;
    int owner;
    uint64_t write;
  };
  static constexpr int kOrphan = -1;
  void Write(const Event& event);
  template <class Covered>
  void Settle(std::map<uint64_t, std::vector<Version>>::iterator* it, Covered&& covered);
  void AddLines(uint64_t sector, const Sector& content, Image* image) const;

  Domain domain_;
  std::vector<uint8_t> durable_, cache_;
  std::map<uint64_t, std::vector<Version>> pending_;  // oldest first
  std::map<int, uint64_t> begun_;                     // writes when an owner's fdatasync began
  uint64_t writes_ = 0;
  uint64_t hash_ = 0;
};

}  // namespace sealog::test
