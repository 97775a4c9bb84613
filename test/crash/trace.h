// The trace of one run: every copy, flush and drain in one order, with what it wrote and who did it, and marks of what
// was issued and acknowledged by then.
//
// The order is the same for a seed. The writer's events come as they happen. A checkpoint writes frozen state, so its
// events may lie anywhere between its freeze and its finish: the recorder lets it finish only between operations, where
// the seed says so, and spreads its events over that time by the seed as well.
#pragma once

#include <unistd.h>

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <random>
#include <thread>
#include <vector>

#include "persist/trace.h"

namespace sealog::test {

using Random = std::mt19937_64;

enum class EventKind : uint8_t { kCopy, kFlush, kDrain, kMark };

struct Event {
  EventKind kind;
  Site site = Site::kFrame;
  int owner = 0;  // session and thread: a drain is for what its owner wrote
  uint64_t offset = 0;
  std::vector<uint8_t> content;
  size_t acked = 0, issued = 0;  // kMark: commits
};

struct Trace {
  std::vector<uint8_t> base;  // the file when the trace began
  std::vector<Event> events;
};

const char* SiteName(Site site);
const char* KindName(EventKind kind);

class Recorder final : public TraceSink {
 public:
  explicit Recorder(uint64_t seed) : random_(seed), writer_(std::this_thread::get_id()), writer_id_(gettid()) {}

  void OnCopy(uint64_t offset, const void* content, size_t bytes, Site site) override;
  void OnFlush(uint64_t offset, const void* content, size_t bytes, Site site) override;
  void OnDrain(Site site) override;

  // The writer's. What the session before has not drained nobody else's drain makes durable.
  void NextSession();
  void Mark(size_t acked, size_t issued);
  // A checkpoint was seen in flight between two operations.
  void NoteInFlight();
  // Lets one checkpoint finish; or all that follow, while `open`.
  void Grant();
  // Lets one finish but for its last drain: its process is killed there, and its slot stays in the caches.
  void Abandon();
  void SetOpen(bool open);

  std::vector<Event> Take();

 private:
  struct Checkpoint {
    size_t low = SIZE_MAX, high = 0;  // in the writer's events
    bool noted = false;
    std::vector<Event> events;
  };
  void Add(Event event);

  Random random_;
  std::thread::id writer_;
  int writer_id_;
  std::mutex lock_;
  std::condition_variable wake_;
  std::vector<Event> events_;
  std::vector<Checkpoint> checkpoints_;
  Checkpoint current_;
  int session_ = 0;
  bool open_ = false, granted_ = false, abandoned_ = false;
};

}  // namespace sealog::test
