#include "explore.h"

#include <unistd.h>

#include <cstdio>

#include "region/create.h"
#include "support/scratch.h"

namespace sealog::test {
namespace {

char replay[256];

std::string ShapeArguments(const Options& o) {
  std::string out;
  if (o.shape.segments != 0) out += " --segments " + std::to_string(o.shape.segments);
  if (o.shape.checkpoint_bytes != 0) out += " --checkpoint-bytes " + std::to_string(o.shape.checkpoint_bytes);
  if (o.per_drain != Options().per_drain) out += " --per-drain " + std::to_string(o.per_drain);
  if (o.per_point != Options().per_point) out += " --per-point " + std::to_string(o.per_point);
  if (o.depth2_in != Options().depth2_in) out += " --depth2-in " + std::to_string(o.depth2_in);
  if (o.use_in != Options().use_in) out += " --use-in " + std::to_string(o.use_in);
  if (o.node_in != 0) out += " --node-in " + std::to_string(o.node_in);
  return out;
}

}  // namespace

std::string Replay(const Options& o, uint64_t seed, size_t event, size_t image) {
  return "sealog_crash --ops " + std::to_string(o.operations) + " --seed " + std::to_string(seed) + " --flush " +
         o.flush_name + (o.words ? " --words" : "") + ShapeArguments(o) + " --event " + std::to_string(event) +
         " --image " + std::to_string(image);
}

void SetReplay(const Options& options, uint64_t seed, size_t event, size_t image) {
  snprintf(replay, sizeof replay, "%s\n", Replay(options, seed, event, image).c_str());
}
const char* CurrentReplay() { return replay; }

void Reached::Add(const Trace& trace, const History& history) {
  commits += history.deltas.size();
  for (const History::Delta& delta : history.deltas) refused += delta.empty();
  const Done& d = history.done;
  done.expiring += d.expiring;
  done.expired += d.expired;
  done.checked += d.checked;
  done.conflicts += d.conflicts;
  done.erasing += d.erasing;
  done.erased += d.erased;
  done.sweeps += d.sweeps;
  done.swept += d.swept;
  done.outdated += d.outdated;
  done.spaces += d.spaces;
  done.moved += d.moved;
  done.cleaned += d.cleaned;
  done.streams += d.streams;
  done.aborted += d.aborted;
  done.grown += d.grown;
  done.cut_off += d.cut_off;
  done.backups += d.backups;
  std::unordered_set<uint64_t> headers, nodes;
  bool checkpointing = false, writing = false;
  for (const Event& e : trace.events) {
    digest = Mix(Mix(digest, static_cast<uint64_t>(e.kind) * 16 + static_cast<uint64_t>(e.site)),
                 Mix(e.offset, e.content.size()));
    digest = Mix(Mix(digest, static_cast<uint64_t>(e.owner)), Mix(e.acked, e.issued));
    if (e.kind > EventKind::kDrain) continue;
    if (e.kind == EventKind::kDrain) {
      if (e.site != Site::kSlot) continue;
      ++checkpoints;
      overlapped += writing;
      checkpointing = writing = false;
      continue;
    }
    writing = writing || (checkpointing && e.owner % kOwners == 0);
    checkpointing = checkpointing || e.owner % kOwners == 1;
    if (e.site == Site::kSession) ++sessions;
    if (e.site == Site::kLink) {
      ++rolls;
      cold_heads += (e.content[5] & kLinkCold) != 0;
    }
    if (e.site == Site::kSegmentHeader) log_reused += !headers.insert(e.offset).second;
    if (e.site == Site::kNode) {
      nodes_reused += !nodes.insert(e.offset).second;
      inner_nodes += e.content.size() == kInnerBytes;
    }
    if (e.site == Site::kFrame) {
      batches += e.content[4] == kFrameBatch;
      batch_pieces += e.content[4] == kFrameBatch && (e.content[5] & kBatchMore) != 0;
      chunks += e.content[4] == kRecordChunk;
    }
  }
}

Run Record(const std::string& folder, const Options& options, uint64_t seed) {
  Run run;
  run.shape = options.shape;
  // Shapes take turns, unless one was asked for: the smallest runs full, the largest reuses little.
  constexpr uint32_t kSegments[] = {48, 24, 32, 96};
  constexpr uint64_t kCheckpointKiB[] = {6, 12, 3, 6, 40};
  if (run.shape.segments == 0) run.shape.segments = kSegments[seed % 4];
  if (run.shape.checkpoint_bytes == 0) run.shape.checkpoint_bytes = kCheckpointKiB[seed % 5] << 10;
  run.shape.small = seed % 3 != 0;
  // Half of the traces grow; the others get full sooner.
  run.shape.segments_max = run.shape.segments + (seed % 8 < 4 ? kGrowthSegmentsMax : 0);
  const std::string path = folder + "/traced.sealog";
  remove(path.c_str());
  CreateOptions create;
  create.segment_bytes = kSegmentBytesMin;
  create.key_codec = 3;    // binary, as Node opens it
  create.value_codec = 4;  // the same
  create.capacity_bytes = uint64_t{run.shape.segments} * kSegmentBytesMin;
  Failure failure = CreateStore(path, create);
  if (!failure.ok()) {
    run.wrong = "create failed: " + failure.detail;
    return run;
  }
  run.trace.base = ReadFile(path);
  Recorder recorder(Mix(seed, 1), path);
  trace_sink = &recorder;
  {
    Driver driver(path, run.shape, &run.history, &recorder, Mix(seed, 2));
    run.wrong = driver.Run(options.operations);
    recorder.SetOpen(true);
  }
  trace_sink = nullptr;
  remove(path.c_str());
  run.trace.events = recorder.Take();
  run.history.Finish();
  return run;
}

void Explorer::Report(const Run& run, uint64_t seed, size_t event, size_t image, const std::string& wrong,
                      const Bounds& bounds) {
  const auto& events = run.trace.events;
  printf("VIOLATION: %s\n  seed %llu, after event %zu of %zu, image %zu, acked %zu, issued %zu\n", wrong.c_str(),
         static_cast<unsigned long long>(seed), event, events.size(), image, bounds.acked, bounds.issued);
  for (size_t i = event >= 6 ? event - 6 : 0; i < std::min(events.size(), event + 2); ++i) {
    const Event& e = events[i];
    printf("  %c %zu: %s %s owner %d at %llu, %zu bytes, acked %zu issued %zu\n", i == event ? '>' : ' ', i,
           KindName(e.kind), e.kind == EventKind::kMark ? "" : SiteName(e.site), e.owner,
           static_cast<unsigned long long>(e.offset), e.content.size(), e.acked, e.issued);
  }
  printf("  replay: %s\n", Replay(options_, seed, event, image).c_str());
  fflush(stdout);
}

bool Explorer::Explore(const Run& run, uint64_t seed, const Mutant& mutant, Clock::time_point deadline, bool quiet) {
  shape_ = run.shape;
  Media media(run.trace.base, HashLines(run.trace.base));
  Model at_acked = run.history.start;
  Bounds bounds{&run.history, &at_acked, 0, 0};
  const auto& events = run.trace.events;
  for (size_t e = 0; e < events.size(); ++e) {
    media.Apply(events[e], mutant);
    if (events[e].kind == EventKind::kMark) {
      run.history.Advance(events[e].acked, &bounds.acked, &at_acked);
      bounds.issued = events[e].issued;
    }
    if (options_.only_event != SIZE_MAX && e != options_.only_event) continue;
    ++figures_->points;
    const bool drain = e + 1 < events.size() && events[e + 1].kind == EventKind::kDrain;
    const auto choices = media.Undrained();
    figures_->lines_max = std::max<uint64_t>(figures_->lines_max, choices.lines.size());
    figures_->lengths += choices.lengths.size() > 1;
    bool all = false;
    const size_t count = ImageCount(choices, drain ? options_.per_drain : options_.per_point, options_.words, &all);
    for (size_t k = 0; k < count; ++k) {
      if (options_.only_image != SIZE_MAX && k != options_.only_image) continue;
      Random random(Mix(Mix(seed, e), k));
      Image image = MakeImage(media, choices, all, options_.words, k, &random);
      if (!seen_.insert(Mix(image.hash, bounds.acked)).second) {
        ++figures_->repeated;
        continue;
      }
      SetReplay(options_, seed, e, k);
      alarm(60);  // a hang is a violation
      figures_->distinct.insert(image.hash);
      ++figures_->images;
      bench_.Write(media.durable(), image);
      const bool again = random() % options_.depth2_in == 0;
      std::string wrong = CheckImage(&bench_, shape_, bounds, PeerFor(image), &random, options_.use_in);
      if (wrong.empty() && again) {
        bench_.Write(media.durable(), image);
        wrong = CrashAgain(image.hash, bounds, mutant, &random);
      }
      if (!wrong.empty()) {
        ++figures_->violations;
        objection_ = wrong + ", event " + std::to_string(e) + " image " + std::to_string(k);
        if (!quiet) Report(run, seed, e, k, wrong, bounds);
        return false;
      }
      if (figures_->images >= options_.images_max || Clock::now() >= deadline) return true;
    }
  }
  return true;
}

// Depth 2: the recovery of the image in the bench, and a few operations behind it, are traced and crashed in turn.
std::string Explorer::CrashAgain(uint64_t hash, const Bounds& bounds, const Mutant& mutant, Random* random) {
  Random& r = *random;
  Run run;
  run.trace.base.assign(bench_.bytes(), bench_.bytes() + bench_.size());
  size_t state = 0;
  {
    // First which state it is; then again from the start, traced.
    std::unique_ptr<Store> store;
    std::string wrong = Recover(&bench_, shape_, bounds, false, &store, &state);
    if (!wrong.empty()) return wrong;
    run.history.start = StateOf(bounds, state);
  }
  bench_.Write(run.trace.base.data(), run.trace.base.size());
  Recorder recorder(r(), bench_.path());
  trace_sink = &recorder;
  std::string wrong;
  {
    Driver driver(bench_.path(), shape_, &run.history, &recorder, r());
    wrong = driver.Open();
    if (wrong.empty()) wrong = driver.RunSome(static_cast<int>(1 + r() % 12));
    if (wrong.empty() && r() % 3 == 0) {
      wrong = driver.Close();
    } else if (wrong.empty()) {
      wrong = driver.Kill();
    }
    recorder.SetOpen(true);
  }
  trace_sink = nullptr;
  if (!wrong.empty()) return "traced again: " + wrong;
  run.trace.events = recorder.Take();
  run.history.Finish();
  Media media(run.trace.base, hash);
  Model at_acked = run.history.start;
  Bounds inner{&run.history, &at_acked, 0, 0};
  const auto& events = run.trace.events;
  for (size_t e = 0; e < events.size(); ++e) {
    media.Apply(events[e], mutant);
    if (events[e].kind == EventKind::kMark) {
      run.history.Advance(events[e].acked, &inner.acked, &at_acked);
      inner.issued = events[e].issued;
    }
    if (r() % events.size() >= 10) continue;
    const auto choices = media.Undrained();
    bool all = false;
    const size_t count = ImageCount(choices, 32, options_.words, &all);
    for (int n = 0; n < 2; ++n) {
      Image image = MakeImage(media, choices, all, options_.words, r() % count, random);
      if (!seen_.insert(Mix(image.hash, ~inner.acked)).second) {
        ++figures_->repeated;
        continue;
      }
      figures_->distinct.insert(image.hash);
      ++figures_->images;
      ++figures_->depth2;
      bench_.Write(media.durable(), image);
      wrong = CheckImage(&bench_, shape_, inner, PeerFor(image), random, options_.use_in);
      if (!wrong.empty()) {
        return "crashed again after event " + std::to_string(e) + " of " + std::to_string(events.size()) + " (" +
               KindName(events[e].kind) + " " + SiteName(events[e].site) + "; state " + std::to_string(state) +
               "): " + wrong;
      }
    }
  }
  return {};
}

}  // namespace sealog::test
