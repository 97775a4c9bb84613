#include "scenarios.h"

#include <fcntl.h>
#include <linux/falloc.h>
#include <unistd.h>

namespace sealog::faults {
namespace {

void JustOpen(World& world) { world.Open(); }

// The first change of a session writes more than the others do.
void OpenAndBegin(World& world) {
  if (world.Open()) world.Put(5, 50);
}

void Puts(World& world) {
  for (uint16_t i = 0; i < 25; ++i) world.Put(static_cast<uint16_t>(i * 17 % kKeyCount), 60 + i);
}

void Deferred(World& world) {
  for (uint16_t round = 0; round < 3; ++round) {
    for (uint16_t i = 0; i < 8; ++i) world.Put(static_cast<uint16_t>(round * 8 + i), 40, true);
    world.Commit(round != 1);
  }
}

void Batches(World& world) {
  world.Batch(10, 10, 80);
  world.Batch(50, 30, 700);  // more than a frame
  world.Batch(90, 20, 30, true);
  world.Commit();
}

void Removes(World& world) {
  for (uint16_t i = 0; i < 30; ++i) world.Remove(static_cast<uint16_t>(i * 7));
}

void Reads(World& world) { world.Compare(false); }

void Checkpoints(World& world) {
  world.Checkpoint();
  Puts(world);
  world.Checkpoint();
}

void LargeValues(World& world) {
  world.Put(20, 12000);
  world.Put(21, 30000);
  world.Put(20, 12);
}

void Close(World& world) { world.Close(); }

void OpenClean(World& world) {
  if (world.Open(false, true)) world.Put(7, 70);
}
void OpenReadOnly(World& world) { world.Open(true); }

void Session(World& world) {
  if (world.Open() && world.Put(8, 80)) world.Batch(30, 12, 40);
  if (world.store() != nullptr) world.Close();
  if (world.Open()) Puts(world);
}

void Create(World& world) {
  if (world.Create() && world.Open()) world.Put(9, 90);
}

// The last segments, of which none is in use yet.
void Punch(World& world) {
  const int fd = open(world.place().path.c_str(), O_RDWR | O_CLOEXEC);
  const CreateOptions options = SmallStore(Durability::kSync);
  const int result =
      fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                static_cast<off_t>(options.capacity_bytes - 4 * options.segment_bytes), 4 * options.segment_bytes);
  if (result != 0) world.journal().Problem("untyped: no hole can be punched here");
  close(fd);
}

}  // namespace

const std::vector<Scenario>& Scenarios() {
  static const std::vector<Scenario> scenarios = {
      {"create", nullptr, nullptr, Create},
      {"open-clean", "clean", nullptr, OpenClean},
      {"open-tail", "tail", nullptr, OpenClean},
      {"open-read-only", "tail", nullptr, OpenReadOnly},
      {"first-open", "empty", nullptr, OpenClean},
      {"put", "clean", JustOpen, Puts},
      {"deferred", "clean", OpenAndBegin, Deferred},
      {"batch", "tail", OpenAndBegin, Batches},
      {"remove", "clean", OpenAndBegin, Removes},
      {"read", "clean", OpenAndBegin, Reads},
      {"checkpoint", "tail", OpenAndBegin, Checkpoints},
      {"large", "clean", OpenAndBegin, LargeValues},
      {"close", "tail", OpenAndBegin, Close},
      {"repair", "clean", Punch, OpenClean},
      {"session", "tail", nullptr, Session},
  };
  return scenarios;
}

}  // namespace sealog::faults
