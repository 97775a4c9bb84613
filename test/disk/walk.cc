#include "walk.h"

#include <unistd.h>

#include <cstdio>

#include "group.h"
#include "progress.h"
#include "recording.h"
#include "region/create.h"
#include "support/scratch.h"

namespace sealog::test {
namespace {

char replay[256];

}  // namespace

std::string Replay(const Options& o, uint64_t seed, size_t event, size_t image) {
  return "build/disk/sealog_disk --domain " + std::string(DomainName(o.domain)) + " --ops " +
         std::to_string(o.operations) + " --seed " + std::to_string(seed) + " --per-point " +
         std::to_string(o.per_point) + " --second-in " + std::to_string(o.second_in) + " --event " +
         std::to_string(event) + " --image " + std::to_string(image);
}

void SetReplay(const Options& options, uint64_t seed, size_t event, size_t image) {
  snprintf(replay, sizeof replay, "%s\n", Replay(options, seed, event, image).c_str());
}
const char* CurrentReplay() { return replay; }

Run Record(const std::string& folder, const Options& options, uint64_t seed) {
  Run run;
  run.shape = options.shape;
  constexpr uint32_t kSegments[] = {64, 24, 64, 128};
  constexpr uint64_t kCheckpointKiB[] = {6, 12, 3, 6, 40};
  run.shape.segments = kSegments[seed % 4];
  run.shape.checkpoint_bytes = kCheckpointKiB[seed % 5] << 10;
  const std::string path = folder + "/recorded.sealog";
  remove(path.c_str());
  CreateOptions create;
  create.segment_bytes = kSegmentBytesMin;
  create.capacity_bytes = uint64_t{run.shape.segments} * kSegmentBytesMin;
  Failure failure = CreateStore(path, create);
  if (!failure.ok()) {
    run.wrong = "create failed: " + failure.detail;
    return run;
  }
  run.base = ReadFile(path);
  Recorder recorder(Mix(seed, 1), path);
  {
    Recording recording(&recorder, options.domain);
    if (options.domain == Domain::kDisk && seed % 3 == 2) {
      run.wrong = RunGroups(path, run.shape, options.operations, &run.history, &recorder, Mix(seed, 2), &run.groups);
    } else {
      Driver driver(path, run.shape, &run.history, &recorder, Mix(seed, 2));
      run.wrong = driver.Run(options.operations);
      recorder.SetOpen(true);
    }
  }
  remove(path.c_str());
  run.events = recorder.Take();
  run.history.Finish();
  return run;
}

std::string Walk::Check(const Device& device, const Image& image, const Bounds& bounds, Random* random) {
  figures_->distinct.insert(image.hash);
  ++figures_->images;
  bench_.Write(device.durable(), image);
  return CheckImage(&bench_, shape_, bounds, nullptr, random);
}

bool Walk::Explore(const Run& run, uint64_t seed, Clock::time_point deadline, bool quiet) {
  shape_ = run.shape;
  Device device(run.base, options_.domain);
  Progress progress(options_.domain, 0);
  Model at_durable = run.history.start;
  Bounds bounds{&run.history, &at_durable, 0, 0};
  auto violated = [&](size_t e, size_t k, const std::string& wrong) {
    ++figures_->violations;
    objection_ = wrong + ", event " + std::to_string(e) + " image " + std::to_string(k);
    if (quiet) return;
    printf("VIOLATION: %s\n  %s, seed %llu, after event %zu of %zu, image %zu; at least %zu, at most %zu commits\n",
           wrong.c_str(), DomainName(options_.domain), static_cast<unsigned long long>(seed), e, run.events.size(), k,
           bounds.acked, bounds.issued);
    for (size_t i = e >= 8 ? e - 8 : 0; i < std::min(run.events.size(), e + 2); ++i) {
      const Event& event = run.events[i];
      const char* site = event.site == kSyncBegin      ? "sync begins"
                         : event.site == kSyncDone     ? "synced"
                         : event.site == kWriteDurable ? "durable"
                                                       : SiteName(event.site);
      printf("  %c %zu: %s %s owner %d at %llu, %zu bytes, acked %zu issued %zu\n", i == e ? '>' : ' ', i,
             KindName(event.kind), event.kind == EventKind::kMark ? "" : site, event.owner,
             static_cast<unsigned long long>(event.offset), event.content.size(), event.acked, event.issued);
    }
    printf("  replay: %s\n", Replay(options_, seed, e, k).c_str());
    fflush(stdout);
  };
  for (size_t e = 0; e < run.events.size(); ++e) {
    device.Apply(run.events[e], options_.forgotten);
    progress.Apply(run.events[e]);
    run.history.Advance(progress.durable(), &bounds.acked, &at_durable);
    bounds.issued = progress.issued();
    if (options_.only_event != SIZE_MAX && e != options_.only_event) continue;
    size_t k = 0;
    // Number `k` of this point: 0 is the process's death, then pages, then sectors.
    auto look = [&](const Image& image, bool kill, bool torn, Random* random) {
      const size_t number = k++;
      if (options_.only_image != SIZE_MAX && number != options_.only_image) return true;
      Bounds here = bounds;
      Model at_acked;
      if (kill) {
        at_acked = StateOf(bounds, progress.acked());
        here.acked = progress.acked();
        here.at_acked = &at_acked;
      }
      const bool again = (*random)() % (kill ? std::max<size_t>(options_.second_in / 4, 1) : options_.second_in) == 0;
      if (!seen_.insert(Mix(Mix(image.hash, here.acked), kill && again)).second) {
        ++figures_->repeated;
        return true;
      }
      SetReplay(options_, seed, e, number);
      alarm(60);  // a hang is a violation
      figures_->torn += torn;
      figures_->killed += kill;
      std::string wrong = Check(device, image, here, random);
      if (wrong.empty() && again) wrong = CrashAgain(device, image, kill, kill ? bounds : here, random);
      if (wrong.empty()) return true;
      violated(e, number, (kill ? "after a kill: " : "") + wrong);
      return false;
    };
    Random random(Mix(seed, e));
    if (!look(device.CacheImage(), true, false, &random)) return false;
    for (bool torn : {false, true}) {
      const auto choices = device.Choices(torn);
      figures_->pending_max = std::max<uint64_t>(figures_->pending_max, choices.size());
      bool all = false;
      const size_t count = Device::ImageCount(choices, options_.per_point, &all);
      for (size_t i = 0; i < count; ++i) {
        Random own(Mix(Mix(seed, e), k));
        Image image = device.MakeImage(choices, all, i, &own);
        if (!look(image, false, torn, &own)) return false;
        if (Clock::now() >= deadline) return true;
      }
    }
  }
  return true;
}

// A second crash. `kill`: what is in the page cache is opened by the next process, and then the power goes, with all
// that the first one never synced. Else: an image that a power cut left, opened, and the power goes again.
std::string Walk::CrashAgain(const Device& device, const Image& image, bool kill, const Bounds& bounds,
                             Random* random) {
  Random& r = *random;
  bench_.Write(device.durable(), image);
  const std::vector<uint8_t> content(bench_.bytes(), bench_.bytes() + bench_.size());
  size_t state = 0;
  {
    std::unique_ptr<Store> store;
    std::string wrong = Recover(&bench_, shape_, bounds, false, &store, &state);
    if (!wrong.empty()) return wrong;
  }
  History history;
  history.start = StateOf(bounds, state);
  memcpy(bench_.bytes(), content.data(), content.size());
  Recorder recorder(r(), bench_.path());
  std::string wrong;
  {
    Recording recording(&recorder, options_.domain);
    Driver driver(bench_.path(), shape_, &history, &recorder, r());
    for (uint64_t sessions = 1 + r() % 2; sessions != 0 && wrong.empty(); --sessions) {
      wrong = driver.Open();
      if (wrong.empty()) wrong = driver.RunSome(static_cast<int>(r() % 3 == 0 ? 0 : r() % 40));
      if (wrong.empty() && r() % 3 != 0) {
        wrong = driver.Close();
      } else if (wrong.empty()) {
        driver.Kill();
      }
    }
    recorder.SetOpen(true);
  }
  if (!wrong.empty()) return "recorded again: " + wrong;

  // One history: what the device may go back to before the second process has said that it is open, then its own.
  History both;
  size_t before = 0;
  both.start = history.start;
  if (kill) {
    both.start = *bounds.at_acked;
    before = state - bounds.acked;
    both.deltas.assign(bounds.history->deltas.begin() + static_cast<std::ptrdiff_t>(bounds.acked),
                       bounds.history->deltas.begin() + static_cast<std::ptrdiff_t>(state));
  }
  both.deltas.insert(both.deltas.end(), history.deltas.begin(), history.deltas.end());
  both.Finish();

  Device inner = kill ? device : Device(content, options_.domain);
  inner.Orphan();
  Progress progress(options_.domain, 0);
  bool held = !kill;  // what was found is on the device
  Model at_lower = both.start;
  Bounds within{&both, &at_lower, 0, before};
  const std::vector<Event> events = recorder.Take();
  for (size_t e = 0; e < events.size(); ++e) {
    inner.Apply(events[e], options_.forgotten);
    progress.Apply(events[e]);
    held = held || (options_.domain == Domain::kOs ? events[e].site == kSyncDone : events[e].kind == EventKind::kMark);
    both.Advance(held ? before + progress.durable() : 0, &within.acked, &at_lower);
    within.issued = before + progress.issued();
    if (r() % events.size() >= 12) continue;
    const auto choices = inner.Choices(r() % 2 == 0);
    bool all = false;
    const size_t count = Device::ImageCount(choices, 32, &all);
    for (int n = 0; n < 2; ++n) {
      Image cut = inner.MakeImage(choices, all, r() % count, random);
      if (!seen_.insert(Mix(Mix(cut.hash, ~within.acked), kill)).second) {
        ++figures_->repeated;
        continue;
      }
      ++figures_->second;
      figures_->cut_after_kill += kill;
      wrong = Check(inner, cut, within, random);
      if (!wrong.empty()) {
        const Event& at = events[e];
        return std::string(kill ? "power cut behind a kill" : "second power cut") + " after event " +
               std::to_string(e) + " of " + std::to_string(events.size()) + " (" + KindName(at.kind) + " " +
               std::to_string(static_cast<int>(at.site)) + "; state " + std::to_string(state) + ", at least " +
               std::to_string(within.acked) + ", at most " + std::to_string(within.issued) + ", found " +
               std::to_string(before) + "): " + wrong;
      }
    }
  }
  return {};
}

}  // namespace sealog::test
