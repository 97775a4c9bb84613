// sealog_disk: what a power cut leaves of a store in the disk and os domains, recovered and held against the model. See
// test/disk/README.md.
#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "creation.h"
#include "fuse_check.h"
#include "recording.h"
#include "support/scratch.h"
#include "walk.h"

namespace sealog::test {
namespace {

int Usage() {
  fprintf(stderr,
          "sealog_disk [--domain disk|os] [--ops N] [--seed S] [--seconds T] [--per-point 6] [--second-in 40]\n"
          "            [--event E] [--image K]   replay one point, one image\n"
          "            [--creation]              crashes of CreateStore, all of them\n"
          "            [--fuse]                  the same calls, as a FUSE server receives them\n"
          "            [--mutants]               each kind of sync forgotten in turn\n"
          "Exit 1: a violation, or a mutant that survived.\n");
  return 2;
}

void Died(int sig) {
  char text[320];
  const int n = snprintf(text, sizeof text, "VIOLATION: signal %d\n  replay: %s", sig, CurrentReplay());
  static_cast<void>(!write(STDOUT_FILENO, text, static_cast<size_t>(n)));
  _exit(1);
}

Clock::time_point Deadline(double seconds) {
  return seconds <= 0
             ? Clock::time_point::max()
             : Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
}

void Count(const Run& run, Figures* f) {
  ++f->traces;
  f->events += run.events.size();
  f->commits += run.history.deltas.size();
  f->groups += run.groups;
  for (const Event& e : run.events) {
    f->checkpoints += e.kind == EventKind::kDrain && e.site == Site::kSlot;
    f->syncs += e.site == kSyncDone;
    f->range_syncs += e.site == kWriteDurable;
  }
}

using N = unsigned long long;

int ExploreAll(const Options& o, const std::string& folder) {
  Figures f;
  const auto begun = Clock::now();
  const auto deadline = Deadline(o.seconds);
  for (uint64_t seed = o.seed;; ++seed) {
    alarm(120);
    SetReplay(o, seed, 0, 0);
    Run run = Record(folder, o, seed);
    Count(run, &f);
    if (!run.wrong.empty()) {
      printf("VIOLATION: without a crash: %s\n  replay: %s\n", run.wrong.c_str(), Replay(o, seed, 0, 0).c_str());
      ++f.violations;
    } else {
      Walk(o, folder, run.base.size(), &f).Explore(run, seed, deadline, false);
    }
    if (o.seconds <= 0 || f.violations != 0 || Clock::now() >= deadline) break;
  }
  alarm(0);
  const double seconds = std::chrono::duration<double>(Clock::now() - begun).count();
  printf(
      "%s: traces %llu, events %llu, commits %llu (group commits %llu), checkpoints %llu, dsync writes %llu, "
      "fdatasyncs "
      "%llu, at most %llu pages or sectors pending\n",
      DomainName(o.domain), N{f.traces}, N{f.events}, N{f.commits}, N{f.groups}, N{f.checkpoints}, N{f.range_syncs},
      N{f.syncs}, N{f.pending_max});
  printf(
      "%s: images checked %llu (distinct %zu; by sector %llu; process killed %llu; second crashes %llu, of them a "
      "power cut "
      "behind a kill %llu; made again and skipped %llu) in %.0f s; violations %llu\n",
      DomainName(o.domain), N{f.images}, f.distinct.size(), N{f.torn}, N{f.killed}, N{f.second}, N{f.cut_after_kill},
      N{f.repeated}, seconds, N{f.violations});
  printf(
      "part: {\"name\":\"%s\",\"images\":%llu,\"distinct\":%zu,\"violations\":%llu,\"second\":%llu,\"seconds\":%.0f}\n",
      DomainName(o.domain), N{f.images}, f.distinct.size(), N{f.violations}, N{f.second}, seconds);
  return f.violations == 0 ? 0 : 1;
}

int Mutants(Options o, const std::string& folder) {
  struct Case {
    Domain domain;
    Forgotten forgotten;
    const char* name;
  };
  const Case cases[] = {
      {Domain::kDisk, Forgotten::kWriterDsync, "disk: RWF_DSYNC of a commit"},
      {Domain::kDisk, Forgotten::kWriterSync, "disk: fdatasync of a commit"},
      {Domain::kDisk, Forgotten::kCheckpointSync, "disk: fdatasync of a checkpoint's nodes"},
      {Domain::kDisk, Forgotten::kCheckpointDsync, "disk: RWF_DSYNC of a slot"},
      {Domain::kOs, Forgotten::kWriterSync, "os: fdatasync of a session's beginning"},
      {Domain::kOs, Forgotten::kCheckpointSync, "os: fdatasyncs of a checkpoint"},
  };
  const double each = (o.seconds > 0 ? o.seconds : 60) / static_cast<double>(std::size(cases));
  size_t caught = 0;
  for (const Case& c : cases) {
    o.domain = domain_as = c.domain;
    o.forgotten = c.forgotten;
    Figures f;
    std::string how;
    const auto deadline = Deadline(each);
    for (uint64_t seed = o.seed; how.empty() && Clock::now() < deadline; ++seed) {
      alarm(120);
      Run run = Record(folder, o, seed);
      Walk walk(o, folder, run.base.size(), &f);
      if (!walk.Explore(run, seed, deadline, true)) how = walk.objection();
    }
    caught += !how.empty();
    printf("forgotten %-42s %s after %llu images%s%s\n", c.name, how.empty() ? "SURVIVED" : "caught", N{f.images},
           how.empty() ? "" : ": ", how.c_str());
    fflush(stdout);
  }
  printf("mutants caught %zu / %zu\n", caught, std::size(cases));
  return caught == std::size(cases) ? 0 : 1;
}

}  // namespace
}  // namespace sealog::test

int main(int argc, char** argv) {
  using namespace sealog::test;
  Options o;
  o.shape.flush = sealog::BestFlush(false);
  o.shape.backups = false;  // their files are not told from the store
  enum { kExplore, kCreation, kFuse, kMutants } what = kExplore;
  for (int i = 1; i < argc; ++i) {
    const std::string name = argv[i];
    if (name == "--creation") {
      what = kCreation;
    } else if (name == "--fuse") {
      what = kFuse;
    } else if (name == "--mutants") {
      what = kMutants;
    } else if (i + 1 == argc) {
      return Usage();
    } else {
      const char* value = argv[++i];
      const uint64_t n = strtoull(value, nullptr, 10);
      if (name == "--domain" && (strcmp(value, "disk") == 0 || strcmp(value, "os") == 0))
        o.domain = *value == 'o' ? sealog::Domain::kOs : sealog::Domain::kDisk;
      else if (name == "--ops")
        o.operations = static_cast<int>(n);
      else if (name == "--seed")
        o.seed = n;
      else if (name == "--seconds")
        o.seconds = strtod(value, nullptr);
      else if (name == "--per-point")
        o.per_point = n;
      else if (name == "--second-in")
        o.second_in = n;
      else if (name == "--event")
        o.only_event = n;
      else if (name == "--image")
        o.only_image = n;
      else
        return Usage();
    }
  }
  for (int sig : {SIGABRT, SIGSEGV, SIGALRM, SIGFPE, SIGILL}) signal(sig, Died);
  Scratch scratch;
  domain_as = o.domain;
  switch (what) {
    case kCreation:
      return CheckCreation(scratch.path(), o.seed);
    case kFuse:
      return CheckFuse(scratch.path(), o);
    case kMutants:
      return Mutants(o, scratch.path());
    default:
      return ExploreAll(o, scratch.path());
  }
}
