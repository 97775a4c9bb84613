// The trace of one run: every copy, flush and drain in one order, with what it wrote and who did it, and marks of what
// was issued and acknowledged by then.
//
// The order is the same for a seed. The writer's events come as they happen. A checkpoint writes frozen state, so its
// events may lie anywhere between its freeze and its finish: the recorder lets it finish only between operations, where
// the seed says so, and spreads its events over that time by the seed as well. Growth likewise, from where it begins to
// where it may end; it is held at an event that the seed chooses, and can be killed there.
//
// The file's length is looked at when a system call is made (platform/syscall.h), and durable with an fsync.
#pragma once

#include <unistd.h>

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "persist/trace.h"

namespace sealog::test {

using Random = std::mt19937_64;

// kLength: the file has been given another length, `offset`; kSync: that length is durable.
enum class EventKind : uint8_t { kCopy, kFlush, kDrain, kMark, kLength, kSync };

// Threads of a session that write: the writer, the checkpointer, one that grows the store.
inline constexpr int kOwners = 3;

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
  // Of the file at `path`, until it is destroyed. One at a time.
  Recorder(uint64_t seed, std::string path);
  ~Recorder() override;

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

  // The writer's: a growth begins, which is held behind its event number `hold`. The thread of it says that it is it.
  void BeginGrowth(size_t hold);
  void NameGrower();
  bool GrowthIsHeld();
  // Lets it go on; `killed`: what it does from now on is not recorded.
  void ReleaseGrowth(bool killed);
  // It has ended.
  void EndGrowth();

  std::vector<Event> Take();

 private:
  struct Checkpoint {
    size_t low = SIZE_MAX, high = 0;  // in the writer's events
    bool noted = false;
    std::vector<Event> events;
  };
  void Add(Event event);
  static int OnSyscall(const char* name);
  void NoteLength(const char* syscall);

  std::string path_;
  uint64_t length_ = 0;
  bool synced_ = true;
  Random random_;
  std::thread::id writer_;
  int writer_id_;
  std::mutex lock_;
  std::condition_variable wake_;
  std::vector<Event> events_;
  std::vector<Checkpoint> checkpoints_;
  Checkpoint current_;
  Checkpoint growth_;
  std::thread::id grower_;
  size_t hold_ = 0;
  bool growing_ = false, held_ = false, released_ = false, killed_ = false;
  int session_ = 0;
  bool open_ = false, granted_ = false, abandoned_ = false;
};

}  // namespace sealog::test
