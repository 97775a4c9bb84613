// Records a workload in a domain, walks its events, makes images of the device at every point, checks each with the
// oracle of test/crash.
#pragma once

#include <chrono>
#include <string>
#include <unordered_set>

#include "check.h"
#include "device.h"

namespace sealog::test {

using Clock = std::chrono::steady_clock;

struct Options {
  Domain domain = Domain::kDisk;
  int operations = 300;
  uint64_t seed = 1;
  Shape shape;
  double seconds = 0;     // 0: one trace
  size_t per_point = 6;   // images of pages at most, and as many of sectors
  size_t second_in = 40;  // one image in so many is crashed again, with its process killed or its machine stopped
  Forgotten forgotten = Forgotten::kNothing;
  size_t only_event = SIZE_MAX, only_image = SIZE_MAX;
};

struct Figures {
  uint64_t traces = 0, events = 0, commits = 0, checkpoints = 0, groups = 0;
  uint64_t range_syncs = 0, syncs = 0;
  uint64_t images = 0;          // checked
  uint64_t torn = 0;            // of them, sectors of one page from different times
  uint64_t killed = 0;          // the process alone died: the page cache as it was
  uint64_t second = 0;          // a second crash, inside the recovery from a first one or behind it
  uint64_t cut_after_kill = 0;  // of them, a power cut in the session behind a kill
  uint64_t repeated = 0;        // made again, not checked again
  uint64_t pending_max = 0;
  uint64_t violations = 0;
  std::unordered_set<uint64_t> distinct;
};

struct Run {
  Shape shape;
  std::vector<uint8_t> base;
  std::vector<Event> events;
  History history;
  uint64_t groups = 0;
  std::string wrong;
};
Run Record(const std::string& folder, const Options& options, uint64_t seed);

class Walk {
 public:
  Walk(const Options& options, const std::string& folder, uint64_t bytes, Figures* figures)
      : options_(options), bench_(folder + "/image.sealog", bytes), figures_(figures) {}

  // False: a violation. Ends there, or at the deadline.
  bool Explore(const Run& run, uint64_t seed, Clock::time_point deadline, bool quiet);
  const std::string& objection() const { return objection_; }

 private:
  std::string Check(const Device& device, const Image& image, const Bounds& bounds, Random* random);
  std::string CrashAgain(const Device& device, const Image& image, bool kill, const Bounds& bounds, Random* random);

  const Options& options_;
  Shape shape_;
  Bench bench_;
  Figures* figures_;
  std::unordered_set<uint64_t> seen_;
  std::string objection_;
};

std::string Replay(const Options& options, uint64_t seed, size_t event, size_t image);
void SetReplay(const Options& options, uint64_t seed, size_t event, size_t image);
const char* CurrentReplay();

}  // namespace sealog::test
