// sealog_kill: writers killed with SIGKILL at any moment, on the same stores from the first cycle to the last.
//   sealog_kill --dir DIRECTORY --cycles N --seed S [--seconds T] [--relaxed]
// The last line is `totals:` and JSON. Exit 1: something was lost or wrong; the store is left in DIRECTORY as the kill
// left it.
#include <dirent.h>
#include <getopt.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cinttypes>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>

#include "support/recovery_twin.h"
#include "verify.h"
#include "writer.h"

namespace sealog::test {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::microseconds;

constexpr auto kPatience = std::chrono::milliseconds(40);  // for the moment that a kill waits for
constexpr auto kUnanswered = std::chrono::seconds(60);     // of a writer that was to end by itself

struct Options {
  std::string directory;
  uint64_t cycles = 1000;
  uint64_t seed = 1;
  uint64_t seconds = UINT64_MAX;
  Durability durability = Durability::kSync;
};

struct Totals {
  uint64_t cycles = 0, kills = 0, in_creation = 0, in_open = 0, in_recovery = 0, in_checkpoint = 0, in_close = 0;
  uint64_t in_cleaning = 0, in_growth = 0, in_stream = 0;
  uint64_t checkpoints_cut_off = 0;  // proven by what they left in the file
  uint64_t clean_ends = 0, acknowledged = 0, in_flight_kept = 0, refused = 0, frames_replayed = 0, entries = 0;
  uint64_t lost = 0, wrong = 0;
  Domain domain = Domain::kAny;
};

// A store that is written by one process after another.
struct Subject {
  std::string path;
  const Shape* shape;
  uint64_t seed;
  bool is_young = false;  // made for one cycle, to be killed in creation
  uint64_t next = 0;      // number of the next operation
  Model model = {};
  bool exists = false;
  bool needs_recovery = false;
  uint64_t cut_off_slot = 0;  // the checkpoint whose cut-off successor was counted
};

// When the writer is killed.
struct Moment {
  enum class At {
    kStart,
    kCreation,
    kOpening,
    kWriting,
    kOperation,
    kCheckpoint,
    kCleaning,
    kGrowth,
    kClosing,
    kNever
  };
  At at;
  uint32_t operation = 0;
  microseconds later{0};
};

class Campaign {
 public:
  explicit Campaign(const Options& options) : options_(options), random_(Mix(options.seed, 4)) {
    void* shared = mmap(nullptr, sizeof(Acknowledgements), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) abort();
    told_ = new (shared) Acknowledgements;
    for (uint32_t i = 0; i < kShapeCount; ++i) {
      subjects_.push_back({options.directory + "/" + kShapes[i].name + ".sealog", &kShapes[i], Mix(options.seed, i)});
    }
  }

  bool Run() {
    const auto begun = Clock::now();
    auto next_report = begun + std::chrono::seconds(5);
    auto passed = [&](Clock::time_point now) { return std::chrono::duration<double>(now - begun).count(); };
    for (uint64_t i = 0; i < options_.cycles && passed(Clock::now()) < static_cast<double>(options_.seconds); ++i) {
      // One in eight is about creating a store; the others go on with those that there are.
      bool fine;
      if (random_.Below(8) == 0) {
        const Shape& shape = kShapes[random_.Below(kShapeCount)];
        Subject young{options_.directory + "/young.sealog", &shape, Mix(options_.seed, 1000 + i), true};
        fine = Cycle(&young);
        if (fine && young.exists) unlink(young.path.c_str());
      } else {
        fine = Cycle(&subjects_[random_.Below(kShapeCount)]);
      }
      if (!fine) return false;
      if (Clock::now() >= next_report) {
        next_report = Clock::now() + std::chrono::seconds(5);
        Report(passed(Clock::now()));
      }
    }
    Report(passed(Clock::now()));
    return true;
  }

  const Totals& totals() const { return totals_; }

 private:
  // About as often of 1 to 10 as of 1,000 to 10,000.
  microseconds UpTo(double most_us) {
    const double exponent = static_cast<double>(random_.Below(1 << 20)) / (1 << 20);
    return microseconds(static_cast<int64_t>(std::pow(most_us, exponent)));
  }

  Moment Choose(const Subject& subject) {
    using At = Moment::At;
    if (subject.is_young && random_.Below(4) != 0) return {At::kCreation, 0, UpTo(20'000)};
    const auto operation = static_cast<uint32_t>(random_.Below(random_.Below(2) == 0 ? 100 : 2000));
    switch (random_.Below(16)) {
      case 0:
        return {At::kNever, operation, {}};
      case 1:
      case 2:
        return {At::kStart, 0, UpTo(10'000)};
      case 3:
      case 4:
        return {At::kOpening, 0, UpTo(1000)};
      case 5:
      case 6:
        return {At::kCleaning, 0, UpTo(300)};
      case 12:
        return {At::kGrowth, 0, UpTo(300)};
      case 7:
      case 8:
        return {At::kCheckpoint, 0, UpTo(300)};
      case 9:
      case 10:
        return {At::kClosing, operation, UpTo(2000)};
      case 11:
      case 13:
        return {At::kOperation, operation, UpTo(50)};
      default:
        return {At::kWriting, 0, UpTo(20'000)};
    }
  }

  bool HasCome(const Moment& moment) const {
    using At = Moment::At;
    const Stage stage = told_->stage;
    switch (moment.at) {
      case At::kStart:
        return true;
      case At::kCreation:
        return stage >= Stage::kCreating;
      case At::kOpening:
        return stage >= Stage::kOpening;
      case At::kWriting:
        return stage >= Stage::kWriting;
      case At::kOperation:
        return told_->issued > moment.operation;
      case At::kCheckpoint:
        return told_->checkpointing;
      case At::kCleaning:
        return told_->cleaning;
      case At::kGrowth:
        return told_->growing;
      case At::kClosing:
        return stage >= Stage::kClosing;
      case At::kNever:
        return false;
    }
    return false;
  }

  // The wait status of the writer; `*hung` if it was to end, or to be done with creating, and did not.
  int RunWriter(const Job& job, const Subject& subject, const Moment& moment, bool* hung) {
    told_->Clear();
    fflush(nullptr);
    const pid_t child = fork();
    if (child < 0) {
      perror("fork");
      exit(2);
    }
    if (child == 0) Write(job, subject.model, told_);
    const auto begun = Clock::now();
    auto patience_begins = begun;
    int status = 0;
    while (!HasCome(moment) && !*hung) {
      if (waitpid(child, &status, WNOHANG) == child) return status;
      const auto now = Clock::now();
      // A creation takes as long as it takes, unless it is what is to be killed.
      if (job.creates && !subject.is_young && told_->stage <= Stage::kCreating) patience_begins = now;
      const bool rare = moment.at == Moment::At::kCleaning || moment.at == Moment::At::kGrowth;
      if (!job.closes && now - patience_begins > (rare ? 5 * kPatience : kPatience)) break;
      *hung = now - begun > kUnanswered;
      usleep(5);
    }
    if (moment.later.count() > 0) usleep(static_cast<useconds_t>(moment.later.count()));
    kill(child, SIGKILL);
    if (waitpid(child, &status, 0) != child) abort();
    return status;
  }

  bool Cycle(Subject* subject) {
    const Moment moment = Choose(*subject);
    Job job;
    job.path = subject->path;
    job.shape = subject->shape;
    job.seed = subject->seed;
    job.first = subject->next;
    job.creates = !subject->exists;
    job.closes = moment.at == Moment::At::kClosing || moment.at == Moment::At::kNever;
    job.operations = job.closes ? moment.operation : Acknowledgements::kOperationsMax;
    job.populates = random_.Below(8) == 0;
    job.durability = options_.durability;
    job.flush = random_.Below(4) == 0 ? FlushKind::kNonTemporal : BestFlush(false);

    bool hung = false;
    const int status = RunWriter(job, *subject, moment, &hung);
    ++totals_.cycles;
    if (hung) return Fail(*subject, "the writer hangs");
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) {
      CountKill(subject->needs_recovery);
    } else if (WIFEXITED(status) && WEXITSTATUS(status) == 0 && told_->stage == Stage::kClosed) {
      ++totals_.clean_ends;
    } else if (WIFEXITED(status) && WEXITSTATUS(status) == kComplains) {
      return Fail(*subject, std::string("the writer found: ") + told_->complaint);
    } else {
      return Fail(*subject, "the writer ended with wait status " + std::to_string(status));
    }
    RemoveUnpublished();
    if (access(subject->path.c_str(), F_OK) != 0) {
      if (subject->exists || told_->stage > Stage::kCreating) return Fail(*subject, "the store is gone");
      return true;
    }
    subject->exists = true;
    return Verify(job, subject);
  }

  void CountKill(bool needs_recovery) {
    ++totals_.kills;
    if (told_->checkpointing) ++totals_.in_checkpoint;
    if (told_->cleaning) ++totals_.in_cleaning;
    if (told_->growing) ++totals_.in_growth;
    if (told_->streaming != 0) ++totals_.in_stream;
    switch (told_->stage) {
      case Stage::kCreating:
        ++totals_.in_creation;
        break;
      case Stage::kOpening:
        ++(needs_recovery ? totals_.in_recovery : totals_.in_open);
        break;
      case Stage::kClosing:
        ++totals_.in_close;
        break;
      default:
        break;
    }
  }

  // What a killed creation leaves: a file of another name, and nothing else.
  void RemoveUnpublished() {
    DIR* directory = opendir(options_.directory.c_str());
    if (directory == nullptr) return;
    while (const dirent* entry = readdir(directory)) {
      const std::string name = entry->d_name;
      if (name.find(".sealog-creating-") != std::string::npos) unlink((options_.directory + "/" + name).c_str());
    }
    closedir(directory);
  }

  OpenResult Open(const Subject& subject, bool read_only) {
    RegionOptions options;
    options.read_only = read_only;
    options.durability = options_.durability;
    return OpenStore(subject.path, options, BestFlush(false), subject.shape->checkpoint_bytes,
                     !read_only && random_.Below(8) == 0);
  }

  bool Verify(const Job& job, Subject* subject) {
    CountCutOff(subject);
    // Read-only first: the file stays as it was killed, and it is the next writer that recovers it.
    const Session session = SessionOf(job, *told_);
    OpenResult opened = Open(*subject, true);
    if (!opened.failure.ok()) return FailToOpen(*subject, opened.failure, "read-only");
    totals_.domain = opened.store->region().domain();
    Pairs found;
    std::string problem = ReadAll(*opened.store, *subject->shape, random_(), &found);
    if (!problem.empty()) return Fail(*subject, problem);
    if (told_->stage == Stage::kClosed && !opened.clean) return Fail(*subject, "it was closed, and is not clean");
    const Model before = subject->model;
    const Verdict verdict = Compare(session, subject->seed, found, &subject->model);
    totals_.lost += verdict.lost;
    totals_.wrong += verdict.wrong;
    if (!verdict.problem.empty()) {
      std::ofstream(subject->path + ".differences") << Describe(session, subject->seed, before, found);
      return Fail(*subject, verdict.problem);
    }
    totals_.acknowledged += session.acknowledged;
    totals_.in_flight_kept += verdict.applied - session.acknowledged;
    totals_.frames_replayed += opened.replay.end.frames;
    totals_.entries += found.size();
    for (const auto& outcome : told_->outcomes) totals_.refused += outcome == Outcome::kRefused ? 1 : 0;
    subject->next += told_->issued;
    subject->needs_recovery = !opened.clean;
    opened.store.reset();
    return random_.Below(4) != 0 || RecoverHere(found, subject);
  }

  // The parent as the next opener: it finds the same, and ends in one way or the other.
  bool RecoverHere(const Pairs& expected, Subject* subject) {
    OpenResult opened = Open(*subject, false);
    if (!opened.failure.ok()) return FailToOpen(*subject, opened.failure, "for writing");
    Pairs found;
    const std::string problem = ReadAll(*opened.store, *subject->shape, random_(), &found);
    if (!problem.empty()) return Fail(*subject, problem);
    if (found != expected) {
      ++totals_.wrong;
      return Fail(*subject, "recovered for writing it holds something else than read-only");
    }
    if (random_.Below(2) == 0) {
      if (opened.store->Close() != Status::kOk) return Fail(*subject, "it cannot be closed after recovery");
      subject->needs_recovery = false;
    }
    return true;
  }

  // A checkpoint that was cut off has left table halves newer than the slot.
  void CountCutOff(Subject* subject) {
    RegionOptions options;
    options.read_only = true;
    std::unique_ptr<Region> region;
    if (!Region::Open(subject->path, options, &region).ok()) return;
    const MetaPlan meta =
        MetaTwin(region->base(), region->bytes(), region->bytes()).Plan(true, subject->shape->checkpoint_bytes);
    Plan plan;
    if (!ParsePlan(meta.bytes.data(), meta.bytes.size(), region->bytes(), &plan).ok()) return;
    const bool stale = std::any_of(plan.segments.begin(), plan.segments.end(), [](auto& s) { return s.stale != 0; });
    if (stale && subject->cut_off_slot != plan.header.slot_sequence) {
      subject->cut_off_slot = plan.header.slot_sequence;
      ++totals_.checkpoints_cut_off;
    }
  }

  bool FailToOpen(const Subject& subject, const Failure& failure, const char* how) {
    ++totals_.wrong;
    return Fail(subject, std::string("it does not open ") + how + ": status " +
                             std::to_string(static_cast<int>(failure.status)) + " " + failure.detail + " at " +
                             std::to_string(failure.offset));
  }

  bool Fail(const Subject& subject, const std::string& problem) {
    totals_.wrong += totals_.lost + totals_.wrong == 0 ? 1 : 0;
    printf("FAILED: cycle %" PRIu64 ", store %s (seed of its operations %" PRIu64 ", next %" PRIu64
           "), writer at stage %d: %s\n",
           totals_.cycles, subject.path.c_str(), subject.seed, subject.next, static_cast<int>(told_->stage.load()),
           problem.c_str());
    return false;
  }

  void Report(double seconds) {
    printf("  %" PRIu64 " cycles in %.1f s (%.0f per second), %" PRIu64 " acknowledged operations checked, %" PRIu64
           " lost, %" PRIu64 " wrong\n",
           totals_.cycles, seconds, static_cast<double>(totals_.cycles) / seconds, totals_.acknowledged, totals_.lost,
           totals_.wrong);
    fflush(stdout);
  }

  Options options_;
  Random random_;
  Acknowledgements* told_;
  std::vector<Subject> subjects_;
  Totals totals_;
};

void Print(const Totals& t) {
  printf("totals: {\"domain\":\"%s\",\"cycles\":%" PRIu64 ",\"kills\":%" PRIu64 ",\"killsInCreation\":%" PRIu64
         ",\"killsInOpen\":%" PRIu64 ",\"killsInRecovery\":%" PRIu64 ",\"killsInCheckpoint\":%" PRIu64
         ",\"killsInCleaning\":%" PRIu64 ",\"killsInGrowth\":%" PRIu64 ",\"killsInStream\":%" PRIu64
         ",\"checkpointsCutOff\":%" PRIu64 ",\"killsInClose\":%" PRIu64 ",\"cleanEnds\":%" PRIu64
         ",\"acknowledged\":%" PRIu64 ",\"inFlightKept\":%" PRIu64 ",\"refusedAsFull\":%" PRIu64
         ",\"framesReplayed\":%" PRIu64 ",\"entriesRead\":%" PRIu64 ",\"lost\":%" PRIu64 ",\"wrong\":%" PRIu64 "}\n",
         DomainName(t.domain), t.cycles, t.kills, t.in_creation, t.in_open, t.in_recovery, t.in_checkpoint,
         t.in_cleaning, t.in_growth, t.in_stream, t.checkpoints_cut_off, t.in_close, t.clean_ends, t.acknowledged,
         t.in_flight_kept, t.refused, t.frames_replayed, t.entries, t.lost, t.wrong);
}

Options ParseOptions(int argc, char** argv) {
  static const option known[] = {
      {"dir", required_argument, nullptr, 'd'},  {"cycles", required_argument, nullptr, 'c'},
      {"seed", required_argument, nullptr, 's'}, {"seconds", required_argument, nullptr, 't'},
      {"relaxed", no_argument, nullptr, 'r'},    {nullptr, 0, nullptr, 0}};
  Options options;
  for (int c; (c = getopt_long(argc, argv, "", known, nullptr)) != -1;) {
    if (c == 'd')
      options.directory = optarg;
    else if (c == 'c')
      options.cycles = strtoull(optarg, nullptr, 10);
    else if (c == 's')
      options.seed = strtoull(optarg, nullptr, 10);
    else if (c == 't')
      options.seconds = strtoull(optarg, nullptr, 10);
    else if (c == 'r')
      options.durability = Durability::kRelaxed;
    else
      exit(2);
  }
  if (options.directory.empty()) {
    fprintf(stderr, "sealog_kill: --dir is needed\n");
    exit(2);
  }
  return options;
}

}  // namespace
}  // namespace sealog::test

int main(int argc, char** argv) {
  using namespace sealog::test;
  prctl(PR_SET_TIMERSLACK, 1);
  Campaign campaign(ParseOptions(argc, argv));
  const bool fine = campaign.Run();
  Print(campaign.totals());
  return fine ? 0 : 1;
}
