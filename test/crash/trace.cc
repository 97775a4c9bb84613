#include "trace.h"

#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>

#include "platform/syscall.h"

namespace sealog::test {
namespace {

Recorder* watching = nullptr;  // system calls

// A writer that sleeps at so many looks in a row, with nothing added, waits for the checkpoint itself.
constexpr auto kLook = std::chrono::milliseconds(1);
constexpr int kLooks = 4;

// Not just kept from running: the state that the kernel tells.
bool Sleeps(int thread) {
  char path[64], text[128] = {};
  snprintf(path, sizeof path, "/proc/self/task/%d/stat", thread);
  FILE* f = fopen(path, "r");
  if (f == nullptr) return true;
  size_t n = fread(text, 1, sizeof text - 1, f);
  fclose(f);
  const char* state = n == 0 ? nullptr : strrchr(text, ')');
  return state == nullptr || state[2] == 'S';
}

std::vector<uint8_t> BytesAt(const void* content, size_t bytes) {
  auto* p = static_cast<const uint8_t*>(content);
  return {p, p + bytes};
}

}  // namespace

const char* SiteName(Site site) {
  static const char* const names[] = {"?",        "frame", "link",   "session",    "segment-header", "successor",
                                      "replayed", "node",  "bitmap", "table-half", "slot",           "commit"};
  if (site == Site::kGrownTable) return "grown-table";
  if (site == Site::kSuperblock) return "superblock";
  auto i = static_cast<size_t>(site);
  return i < sizeof names / sizeof *names ? names[i] : "?";
}

const char* KindName(EventKind kind) {
  static const char* const names[] = {"copy", "flush", "drain", "mark", "length", "sync"};
  return names[static_cast<size_t>(kind)];
}

Recorder::Recorder(uint64_t seed, std::string path)
    : path_(std::move(path)), random_(seed), writer_(std::this_thread::get_id()), writer_id_(gettid()) {
  struct stat now;
  if (stat(path_.c_str(), &now) == 0) length_ = static_cast<uint64_t>(now.st_size);
  watching = this;
  SetSyscallHook(OnSyscall);
}

Recorder::~Recorder() {
  SetSyscallHook(nullptr);
  watching = nullptr;
}

int Recorder::OnSyscall(const char* name) {
  watching->NoteLength(name);
  return 0;
}

// Before a system call: what the one before has done.
void Recorder::NoteLength(const char* syscall) {
  const std::thread::id thread = std::this_thread::get_id();
  struct stat now;
  bool changed = false, synced = false;
  {
    std::lock_guard guard(lock_);
    // While it grows, nobody else changes it.
    if (thread != (growing_ ? grower_ : writer_) || killed_ || stat(path_.c_str(), &now) != 0) return;
    changed = static_cast<uint64_t>(now.st_size) != length_;
    length_ = static_cast<uint64_t>(now.st_size);
    synced_ = synced_ && !changed;
    synced = !synced_ && strcmp(syscall, "fsync") == 0;
    synced_ = synced_ || synced;
  }
  if (changed) Add({EventKind::kLength, Site::kSuperblock, 0, static_cast<uint64_t>(now.st_size), {}});
  if (synced) Add({EventKind::kSync, Site::kSuperblock, 0, static_cast<uint64_t>(now.st_size), {}});
}

void Recorder::OnCopy(uint64_t offset, const void* content, size_t bytes, Site site) {
  Add({EventKind::kCopy, site, 0, offset, BytesAt(content, bytes)});
}

void Recorder::OnFlush(uint64_t offset, const void* content, size_t bytes, Site site) {
  // Whole lines are written back.
  uint64_t front = offset % 64, total = (front + bytes + 63) / 64 * 64;
  Add({EventKind::kFlush, site, 0, offset - front, BytesAt(static_cast<const uint8_t*>(content) - front, total)});
}

void Recorder::OnDrain(Site site) { Add({EventKind::kDrain, site, 0, 0, {}}); }

void Recorder::Mark(size_t acked, size_t issued) {
  Event mark{EventKind::kMark, Site::kFrame, 0, 0, {}};
  mark.acked = acked;
  mark.issued = issued;
  Add(std::move(mark));
}

void Recorder::Add(Event event) {
  std::unique_lock guard(lock_);
  if (std::this_thread::get_id() == writer_) {
    event.owner = session_ * kOwners;
    events_.push_back(std::move(event));
    return;
  }
  if (std::this_thread::get_id() == grower_) {
    if (killed_) return;
    event.owner = session_ * kOwners + 2;
    growth_.events.push_back(std::move(event));
    held_ = growth_.events.size() == hold_;
    if (held_) wake_.wait(guard, [this] { return released_; });
    return;
  }
  event.owner = session_ * kOwners + 1;
  bool last = event.kind == EventKind::kDrain && event.site == Site::kSlot;
  if (!current_.noted) current_.low = std::min(current_.low, events_.size());
  current_.events.push_back(std::move(event));
  if (!last) return;
  int asleep = 0;
  for (size_t before = events_.size(); asleep < kLooks && !open_ && !granted_;) {
    if (wake_.wait_for(guard, kLook, [this] { return open_ || granted_; })) break;
    asleep = events_.size() == before && Sleeps(writer_id_) ? asleep + 1 : 0;
    before = events_.size();
  }
  if (abandoned_) current_.events.pop_back();
  granted_ = abandoned_ = false;
  current_.high = events_.size();
  checkpoints_.push_back(std::move(current_));
  current_ = {};
}

void Recorder::NextSession() {
  std::lock_guard guard(lock_);
  ++session_;
}

void Recorder::NoteInFlight() {
  std::lock_guard guard(lock_);
  // Its thread may have been earlier or later than the operation's last mark: what counts is this place.
  if (!current_.noted) current_.low = events_.size();
  current_.noted = true;
}

void Recorder::Grant() {
  std::lock_guard guard(lock_);
  granted_ = true;
  wake_.notify_all();
}

void Recorder::Abandon() {
  std::lock_guard guard(lock_);
  granted_ = abandoned_ = true;
  wake_.notify_all();
}

void Recorder::SetOpen(bool open) {
  std::lock_guard guard(lock_);
  open_ = open;
  granted_ = abandoned_ = false;
  wake_.notify_all();
}

void Recorder::BeginGrowth(size_t hold) {
  std::lock_guard guard(lock_);
  growth_.low = events_.size();
  hold_ = hold;
  growing_ = true;
  held_ = released_ = killed_ = false;
}

void Recorder::NameGrower() {
  std::lock_guard guard(lock_);
  grower_ = std::this_thread::get_id();
}

bool Recorder::GrowthIsHeld() {
  std::lock_guard guard(lock_);
  return held_;
}

void Recorder::ReleaseGrowth(bool killed) {
  std::lock_guard guard(lock_);
  killed_ = killed;
  released_ = true;
  wake_.notify_all();
}

void Recorder::EndGrowth() {
  std::lock_guard guard(lock_);
  grower_ = {};
  growing_ = killed_ = false;
  growth_.high = events_.size();
  checkpoints_.push_back(std::move(growth_));
  growth_ = {};
}

std::vector<Event> Recorder::Take() {
  std::vector<Event> out;
  struct Placed {
    size_t at, checkpoint, index;
  };
  std::vector<Placed> placed;
  for (size_t c = 0; c < checkpoints_.size(); ++c) {
    const Checkpoint& from = checkpoints_[c];
    std::vector<size_t> at(from.events.size());
    for (size_t& a : at) a = from.low + random_() % (from.high - from.low + 1);
    std::sort(at.begin(), at.end());
    for (size_t i = 0; i < at.size(); ++i) placed.push_back({at[i], c, i});
  }
  std::stable_sort(placed.begin(), placed.end(), [](const Placed& a, const Placed& b) { return a.at < b.at; });
  size_t next = 0;
  for (size_t i = 0; i <= events_.size(); ++i) {
    for (; next < placed.size() && placed[next].at == i; ++next) {
      out.push_back(std::move(checkpoints_[placed[next].checkpoint].events[placed[next].index]));
    }
    if (i < events_.size()) out.push_back(std::move(events_[i]));
  }
  return out;
}

}  // namespace sealog::test
