// sealog_crash: crash images of a traced workload, each recovered and held against the model. See test/crash/README.md.
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "explore.h"
#include "support/scratch.h"
#include "support/verify_store.h"

namespace sealog::test {

const char* CurrentReplay();

namespace {

int Usage() {
  fprintf(stderr,
          "sealog_crash [--ops N] [--seed S] [--flush clwb|clflushopt|clflush|nt|none] [--words] [--segments N] "
          "[--checkpoint-bytes N]\n"
          "             [--images-max M] [--seconds T] [--per-drain 40] [--per-point 8] [--depth2-in 24] [--use-in 3]\n"
          "             [--event E] [--image K]      replay one point, one image\n"
          "             [--mutants] [--mutant I]     forget each flush and drain in turn; only one\n"
          "With --seconds or --images-max: trace after trace, seed after seed. Exit 1: a violation, or a mutant that "
          "survived.\n");
  return 2;
}

// The store died of an image, or hangs on it.
void Died(int sig) {
  char text[320];
  int n = snprintf(text, sizeof text, "VIOLATION: signal %d\n  replay: %s", sig, CurrentReplay());
  static_cast<void>(!write(STDOUT_FILENO, text, static_cast<size_t>(n)));
  _exit(1);
}

Clock::time_point Deadline(double seconds) {
  return seconds <= 0
             ? Clock::time_point::max()
             : Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
}

void Print(const Figures& f, double seconds) {
  alarm(0);
  printf("traces %llu, events %llu (drains %llu), points %llu, at most %llu lines undrained\n",
         static_cast<unsigned long long>(f.traces), static_cast<unsigned long long>(f.events),
         static_cast<unsigned long long>(f.drains), static_cast<unsigned long long>(f.points),
         static_cast<unsigned long long>(f.lines_max));
  const Reached& r = f.reached;
  const std::pair<const char*, uint64_t> reached[] = {{"commits", r.commits},
                                                      {"refused as full", r.refused},
                                                      {"sessions", r.sessions},
                                                      {"checkpoints", r.checkpoints},
                                                      {"of them beside writes", r.overlapped},
                                                      {"segment rolls", r.rolls},
                                                      {"log segments reused", r.log_reused},
                                                      {"node places reused", r.nodes_reused},
                                                      {"inner nodes", r.inner_nodes},
                                                      {"batch frames", r.batches},
                                                      {"of them continued", r.batch_pieces},
                                                      {"chunks", r.chunks},
                                                      {"puts with a time to come", r.done.expiring},
                                                      {"with one that has passed", r.done.expired},
                                                      {"batches whose checks held", r.done.checked},
                                                      {"whose checks did not", r.done.conflicts},
                                                      {"slices erased", r.done.erasing},
                                                      {"entries of them", r.done.erased},
                                                      {"sweeps", r.done.sweeps},
                                                      {"entries swept", r.done.swept},
                                                      {"outdated lines swept", r.done.outdated},
                                                      {"changes in namespaces", r.done.spaces},
                                                      {"cold heads begun", r.cold_heads},
                                                      {"records moved by slices", r.done.moved},
                                                      {"segments emptied by them", r.done.cleaned},
                                                      {"values streamed in", r.done.streams},
                                                      {"streams aborted", r.done.aborted},
                                                      {"growths", r.done.grown},
                                                      {"growths killed", r.done.cut_off},
                                                      {"points between two lengths", f.lengths},
                                                      {"backups checked", r.done.backups}};
  printf("reached:");
  for (const auto& [name, count] : reached) printf(" %s %llu;", name, static_cast<unsigned long long>(count));
  printf(" trace digest %016llx", static_cast<unsigned long long>(r.digest));
  printf(
      "\nimages checked %llu (distinct %zu; depth 2: %llu; made again and skipped: %llu) in %.0f s\nviolations %llu\n",
      static_cast<unsigned long long>(f.images), f.distinct.size(), static_cast<unsigned long long>(f.depth2),
      static_cast<unsigned long long>(f.repeated), seconds, static_cast<unsigned long long>(f.violations));
  printf(
      "figures: "
      "{\"lane\":\"crash\",\"node\":%llu,\"images\":%llu,\"distinct\":%zu,\"depth2\":%llu,\"traces\":%llu,\"verified\":"
      "%llu,"
      "\"violations\":%llu}\n",
      static_cast<unsigned long long>(f.through_node), static_cast<unsigned long long>(f.images), f.distinct.size(),
      static_cast<unsigned long long>(f.depth2), static_cast<unsigned long long>(f.traces),
      static_cast<unsigned long long>(stores_verified.load()), static_cast<unsigned long long>(f.violations));
}

void Count(const Run& run, Figures* f) {
  f->reached.Add(run.trace, run.history);
  ++f->traces;
  f->events += run.trace.events.size();
  for (const Event& e : run.trace.events) f->drains += e.kind == EventKind::kDrain;
}

int ExploreAll(const Options& o, const std::string& folder) {
  Figures figures;
  const bool on = o.seconds > 0 || o.images_max != UINT64_MAX;
  auto begun = Clock::now();
  auto deadline = Deadline(o.seconds);
  for (uint64_t seed = o.seed;; ++seed) {
    alarm(120);
    Run run = Record(folder, o, seed);
    Count(run, &figures);
    if (!run.wrong.empty()) {
      printf("VIOLATION: without a crash: %s\n  replay: sealog_crash --ops %d --seed %llu\n", run.wrong.c_str(),
             o.operations, static_cast<unsigned long long>(seed));
      ++figures.violations;
    } else {
      Explorer explorer(o, folder, LargestBytes(run.shape), &figures);
      explorer.Explore(run, seed, {}, deadline, false);
    }
    if (!on || figures.violations != 0 || figures.images >= o.images_max || Clock::now() >= deadline) break;
  }
  Print(figures, std::chrono::duration<double>(Clock::now() - begun).count());
  return figures.violations == 0 ? 0 : 1;
}

int Mutants(const Options& o, const std::string& folder) {
  const Site copies[] = {Site::kFrame,     Site::kLink,     Site::kSession,    Site::kSegmentHeader,
                         Site::kSuccessor, Site::kReplayed, Site::kNode,       Site::kBitmap,
                         Site::kTableHalf, Site::kSlot,     Site::kGrownTable, Site::kSuperblock};
  // Not of kGrownTable: what it is for, the drain of superblock B makes durable as well, before anything refers to it.
  const Site drains[] = {Site::kCommit,   Site::kNode,          Site::kSlot,      Site::kSession,
                         Site::kReplayed, Site::kSegmentHeader, Site::kSuperblock};
  std::vector<Mutant> mutants;
  for (Site site : copies) mutants.push_back({true, site, false, false});
  for (bool early : {false, true}) {
    for (Site site : drains) mutants.push_back({true, site, true, early});
  }
  if (o.only_mutant != SIZE_MAX && o.only_mutant < mutants.size()) mutants = {mutants[o.only_mutant]};
  // Most fall at once: what they leave is for those that take longer, each of which gets at most so many times its
  // share.
  constexpr double kSharesMax = 6;
  const double total = o.seconds > 0 ? o.seconds : 480;
  const auto begun = Clock::now();
  auto left = static_cast<double>(mutants.size());
  size_t killed = 0;
  std::string survivors;
  for (const Mutant& mutant : mutants) {
    Figures figures;
    const double unused = total - std::chrono::duration<double>(Clock::now() - begun).count();
    const double seconds = std::min(unused / left--, kSharesMax * total / static_cast<double>(mutants.size()));
    auto deadline = Deadline(seconds);
    std::string how;
    uint64_t seed = o.seed;
    for (; how.empty() && Clock::now() < deadline; ++seed) {
      alarm(120 + static_cast<unsigned>(seconds));
      Run run = Record(folder, o, seed);
      Explorer explorer(o, folder, LargestBytes(run.shape), &figures);
      if (!explorer.Explore(run, seed, mutant, deadline, true)) how = explorer.objection();
    }
    std::string name = std::string(mutant.early   ? "early drain "
                                   : mutant.drain ? "drain "
                                                  : "flush ") +
                       SiteName(mutant.site);
    killed += !how.empty();
    if (how.empty()) survivors += (survivors.empty() ? "" : ", ") + name;
    printf("%-27s %s after %llu images%s%s\n", name.c_str(), how.empty() ? "SURVIVED" : "killed",
           static_cast<unsigned long long>(figures.images), how.empty() ? "" : ": ", how.c_str());
    fflush(stdout);
  }
  printf("mutants killed %zu / %zu%s%s\n", killed, mutants.size(),
         survivors.empty() ? "" : "; survived: ", survivors.c_str());
  return killed == mutants.size() ? 0 : 1;
}

}  // namespace
}  // namespace sealog::test

int main(int argc, char** argv) {
  using namespace sealog::test;
  Options o;
  for (int i = 1; i < argc; ++i) {
    std::string name = argv[i];
    if (name == "--words") {
      o.words = true;
    } else if (name == "--mutants") {
      o.mutants = true;
    } else if (i + 1 == argc) {
      return Usage();
    } else {
      const char* value = argv[++i];
      uint64_t n = strtoull(value, nullptr, 10);
      if (name == "--ops")
        o.operations = static_cast<int>(n);
      else if (name == "--seed")
        o.seed = n;
      else if (name == "--flush")
        o.flush_name = value;
      else if (name == "--segments")
        o.shape.segments = static_cast<uint32_t>(n);
      else if (name == "--checkpoint-bytes")
        o.shape.checkpoint_bytes = n;
      else if (name == "--images-max")
        o.images_max = n;
      else if (name == "--seconds")
        o.seconds = strtod(value, nullptr);
      else if (name == "--per-drain")
        o.per_drain = n;
      else if (name == "--per-point")
        o.per_point = n;
      else if (name == "--depth2-in")
        o.depth2_in = n;
      else if (name == "--use-in")
        o.use_in = std::max<uint32_t>(1, static_cast<uint32_t>(n));
      else if (name == "--node-in")
        o.node_in = n;
      else if (name == "--mutant")
        o.only_mutant = n;
      else if (name == "--event")
        o.only_event = n;
      else if (name == "--image")
        o.only_image = n;
      else
        return Usage();
    }
  }
  if (!sealog::FlushKindOf(o.flush_name.c_str(), &o.shape.flush)) return Usage();
  if (!sealog::FlushAvailable(o.shape.flush)) {
    fprintf(stderr, "this CPU has no %s\n", o.flush_name.c_str());
    return 2;
  }
  for (int sig : {SIGABRT, SIGSEGV, SIGALRM, SIGFPE, SIGILL}) signal(sig, Died);
  if (o.mutants) {
    // Many traces rather than all of one.
    o.per_drain = std::min<size_t>(o.per_drain, 12);
    o.per_point = std::min<size_t>(o.per_point, 3);
  }
  Scratch scratch;
  return o.mutants ? Mutants(o, scratch.path()) : ExploreAll(o, scratch.path());
}
