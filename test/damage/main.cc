// sealog_damage: a store file damaged in every way, one at a time, and what opening and using it gives. See
// test/damage/README.md.
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <numeric>

#include "check.h"
#include "export.h"
#include "support/scratch.h"

namespace sealog::test {
namespace {

using Clock = std::chrono::steady_clock;

constexpr uint64_t kHangMs = 20000;
constexpr uint64_t kPrintedMax = 20;
constexpr int kJobsMax = 16;
constexpr const char* kOutcomeNames[kOutcomes] = {"correct",      "fallback", "typed error", "partial", "last frame",
                                                  "out of reach", "wrong",    "crash",       "hang"};

struct Options {
  std::string variant = "killed";
  uint64_t seed = 1;
  uint64_t every = 0;    // of all bits; 0: the headers, and a sample of the rest
  double sample = 0.01;  // of bits outside of the headers, and of blocks
  double seconds = 0;    // 0: to the end
  int jobs = 1;
  bool bits = true, blocks = true;
  uint64_t bits_first = 0, bits_last = UINT64_MAX;
  uint64_t blocks_first = 0, blocks_last = UINT64_MAX;
  std::string export_to;
};

int Usage() {
  fprintf(stderr,
          "sealog_damage [--variant killed|clean|tall|reused] [--seed S] [--jobs J] [--seconds T]\n"
          "              [--every K]            every K-th bit of the file, and all blocks\n"
          "              [--sample F]           the headers whole, and this part of the other bits and of the blocks\n"
          "              [--only bits|blocks]   [--bits A-B] [--blocks A-B]   these numbers, all of them\n"
          "              [--export FOLDER]      write the store and what is known of it, and do nothing else\n");
  return 2;
}

// What a worker is at, seen by its parent.
struct Worker {
  std::atomic<uint64_t> at{UINT64_MAX};  // number under way
  std::atomic<uint64_t> end{0};          // of its chunk
  std::atomic<uint64_t> begun_ms{0};
};

struct Shared {
  std::atomic<uint64_t> next[2];  // chunks given out, of bits and of blocks
  std::atomic<uint64_t> turn;
  std::atomic<uint64_t> counts[kKinds][kOutcomes];
  std::atomic<uint64_t> cases[2];  // bits, blocks
  std::atomic<uint64_t> longest_us{0};
  std::atomic<uint64_t> printed{0};
  Worker workers[kJobsMax];
};

uint64_t NowMs() {
  return static_cast<uint64_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now().time_since_epoch()).count());
}

uint64_t Mixed(uint64_t z) {
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
  return z ^ (z >> 31);
}

class Campaign {
 public:
  Campaign(const Options& options, const Image& image, const Map& map, std::string folder)
      : options_(options), image_(image), map_(map), blocks_(image), folder_(std::move(folder)) {
    void* p = mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) abort();
    shared_ = new (p) Shared();
    bits_ = image.bytes.size() * 8;
    all_ = bits_ + blocks_.size();
    if (options.seconds > 0) deadline_ms_ = NowMs() + static_cast<uint64_t>(options.seconds * 1000);
  }

  int Run() {
    const uint64_t begun = NowMs();
    fflush(stdout);
    pid_t children[kJobsMax] = {};
    int running = 0;
    for (int i = 0; i < options_.jobs; ++i, ++running) children[i] = Start(i, 0, 0);
    while (running != 0) {
      usleep(20000);
      for (int i = 0; i < options_.jobs; ++i) {
        if (children[i] == 0) continue;
        Worker& worker = shared_->workers[i];
        const uint64_t at = worker.at.load();
        if (at != UINT64_MAX && NowMs() > worker.begun_ms.load() + kHangMs) kill(children[i], SIGKILL);
        int status = 0;
        if (waitpid(children[i], &status, WNOHANG) != children[i]) continue;
        if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
          children[i] = 0;
          --running;
          continue;
        }
        const bool hang = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
        const uint64_t died_at = worker.at.load();
        if (died_at == UINT64_MAX) {
          fprintf(stderr, "a worker died outside of a case, status %d\n", status);
          return 2;
        }
        Count(died_at, {hang ? Outcome::kHang : Outcome::kCrash,
                        hang ? "no end in 20 s" : "signal " + std::to_string(WTERMSIG(status))});
        children[i] = Start(i, died_at + 1, worker.end.load());
      }
    }
    return Print(static_cast<double>(NowMs() - begun) / 1000);
  }

 private:
  pid_t Start(int index, uint64_t from, uint64_t to) {
    pid_t child = fork();
    if (child < 0) abort();
    if (child != 0) return child;
    Work(index, from, to);
    fflush(stdout);
    _exit(0);
  }

  // First what a worker before it has left of a chunk.
  void Work(int index, uint64_t from, uint64_t to) {
    Worker& worker = shared_->workers[index];
    const auto checker =
        std::make_unique<Checker>(image_, map_, folder_ + "/case-" + std::to_string(index) + ".sealog");
    for (;;) {
      for (uint64_t number = from; number < to; ++number) {
        if (!Chosen(number)) continue;
        if (deadline_ms_ != 0 && NowMs() > deadline_ms_) return;
        worker.end = to;
        worker.begun_ms = NowMs();
        worker.at = number;
        const auto begun = Clock::now();
        const Verdict verdict = checker->Check(DamageOf(number), Salt(number));
        const auto us =
            static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - begun).count());
        worker.at = UINT64_MAX;
        if (us > shared_->longest_us) shared_->longest_us = us;
        Count(number, verdict);
      }
      if (!NextChunk(&from, &to)) return;
    }
  }

  // In leaps over the file, and over the blocks in every fourth turn, so that a deadline leaves a bit of everything.
  bool NextChunk(uint64_t* from, uint64_t* to) {
    constexpr uint64_t kChunk = 512;
    const uint64_t turn = shared_->turn.fetch_add(1);
    for (bool blocks : {turn % 4 == 3, turn % 4 != 3}) {
      const uint64_t begin = blocks ? bits_ : 0, end = blocks ? all_ : bits_;
      const uint64_t chunks = (end - begin + kChunk - 1) / kChunk;
      const uint64_t next = shared_->next[blocks ? 1 : 0].fetch_add(1);
      if (next >= chunks) continue;
      uint64_t leap = chunks * 5 / 8 | 1;
      while (std::gcd(leap, chunks) != 1) leap += 2;
      *from = begin + next * leap % chunks * kChunk;
      *to = std::min(*from + kChunk, end);
      return true;
    }
    return false;
  }

  uint64_t Salt(uint64_t number) const { return Mixed(number + options_.seed); }

  bool Chosen(uint64_t number) const {
    if (number < bits_) {
      if (!options_.bits || number < options_.bits_first || number > options_.bits_last) return false;
      if (options_.bits_last != UINT64_MAX) return true;
      if (options_.every != 0) return number % options_.every == 0;
      return map_.IsHeader(number / 8) || Sampled(number);
    }
    const uint64_t block = number - bits_;
    if (!options_.blocks || block < options_.blocks_first || block > options_.blocks_last) return false;
    return options_.blocks_last != UINT64_MAX || options_.every != 0 || Sampled(number);
  }
  bool Sampled(uint64_t number) const {
    return static_cast<double>(Salt(number) >> 11) * 0x1p-53 < options_.sample * (number < bits_ ? 1 : 8);
  }

  Damage DamageOf(uint64_t number) const {
    return number < bits_ ? FlipBit(image_, number) : blocks_.Make(number - bits_);
  }
  // By its first byte.
  Kind KindOf(const Damage& damage) const {
    return damage.writes.empty() ? Kind::kFree : map_.KindAt(damage.writes[0].first);
  }

  void Count(uint64_t number, const Verdict& verdict) {
    const Damage damage = DamageOf(number);
    ++shared_->counts[static_cast<int>(KindOf(damage))][static_cast<int>(verdict.outcome)];
    ++shared_->cases[number < bits_ ? 0 : 1];
    if (verdict.outcome < Outcome::kWrong || shared_->printed++ >= kPrintedMax) return;
    const bool bit = number < bits_;
    const auto shown = static_cast<unsigned long long>(bit ? number : number - bits_);
    printf(
        "VIOLATION: %s: %s (%s): %s\n  replay: npm run test:damage -- --lane native --variant %s --seed %llu "
        "--%s %llu-%llu\n",
        kOutcomeNames[static_cast<int>(verdict.outcome)], damage.name.c_str(), NameOf(KindOf(damage)),
        verdict.wrong.c_str(), image_.variant.c_str(), static_cast<unsigned long long>(options_.seed),
        bit ? "bits" : "blocks", shown, shown);
    fflush(stdout);
  }

  int Print(double seconds) const {
    uint64_t frames = 0, records = 0, leaves = 0, inners = 0;
    for (const Piece& piece : map_.pieces()) {
      frames += piece.kind == Kind::kTail;
      records += piece.kind == Kind::kRecord;
      leaves += piece.kind == Kind::kLeaf;
      inners += piece.kind == Kind::kInner;
    }
    printf("%s: %zu bytes, %zu keys, %llu records, %llu leaves, %llu inner nodes, %llu frames to replay\n",
           image_.variant.c_str(), image_.bytes.size(), map_.state().size(), static_cast<unsigned long long>(records),
           static_cast<unsigned long long>(leaves), static_cast<unsigned long long>(inners),
           static_cast<unsigned long long>(frames));
    uint64_t sums[kOutcomes] = {};
    printf("%-12s", image_.variant.c_str());
    for (const char* name : kOutcomeNames) printf(" %12s", name);
    printf("\n");
    for (int kind = 0; kind < kKinds; ++kind) {
      printf("%-12s", NameOf(static_cast<Kind>(kind)));
      for (int outcome = 0; outcome < kOutcomes; ++outcome) {
        const uint64_t n = shared_->counts[kind][outcome];
        sums[outcome] += n;
        printf(" %12llu", static_cast<unsigned long long>(n));
      }
      printf("\n");
    }
    printf("%-12s", "all");
    for (uint64_t n : sums) printf(" %12llu", static_cast<unsigned long long>(n));
    const uint64_t bits = shared_->cases[0], blocks = shared_->cases[1];
    printf("\n%llu of %llu bits, %llu of %llu blocks in %.0f s (%.0f a second), the longest %.1f ms\n",
           static_cast<unsigned long long>(bits), static_cast<unsigned long long>(bits_),
           static_cast<unsigned long long>(blocks), static_cast<unsigned long long>(blocks_.size()), seconds,
           static_cast<double>(bits + blocks) / std::max(seconds, 0.001),
           static_cast<double>(shared_->longest_us) / 1000);
    printf(
        "figures: {\"lane\":\"damage\",\"engine\":\"native\",\"variant\":\"%s\",\"seed\":%llu,\"fileBytes\":%zu,"
        "\"bits\":%llu,\"blocks\":%llu",
        image_.variant.c_str(), static_cast<unsigned long long>(options_.seed), image_.bytes.size(),
        static_cast<unsigned long long>(bits), static_cast<unsigned long long>(blocks));
    constexpr const char* kJsonNames[kOutcomes] = {"correct",    "fallback", "typed", "partial", "lastFrame",
                                                   "outOfReach", "wrong",    "crash", "hang"};
    for (int outcome = 0; outcome < kOutcomes; ++outcome) {
      printf(",\"%s\":%llu", kJsonNames[outcome], static_cast<unsigned long long>(sums[outcome]));
    }
    printf(",\"seconds\":%.0f}\n", seconds);
    const uint64_t violations = sums[static_cast<int>(Outcome::kWrong)] + sums[static_cast<int>(Outcome::kCrash)] +
                                sums[static_cast<int>(Outcome::kHang)];
    return violations == 0 && bits + blocks != 0 ? 0 : 1;
  }

  const Options& options_;
  const Image& image_;
  const Map& map_;
  Blocks blocks_;
  std::string folder_;
  Shared* shared_;
  uint64_t bits_ = 0, all_ = 0;
  uint64_t deadline_ms_ = 0;
};

bool ParseRange(const char* text, uint64_t* first, uint64_t* last) {
  char* end;
  *first = strtoull(text, &end, 10);
  if (end == text) return false;
  *last = *end == '-' ? strtoull(end + 1, &end, 10) : *first;
  return *end == '\0' && *last >= *first;
}

int Main(int argc, char** argv) {
  Options o;
  for (int i = 1; i < argc; i += 2) {
    const std::string name = argv[i];
    if (i + 1 == argc) return Usage();
    const char* value = argv[i + 1];
    if (name == "--variant") {
      o.variant = value;
    } else if (name == "--seed") {
      o.seed = strtoull(value, nullptr, 10);
    } else if (name == "--every") {
      o.every = strtoull(value, nullptr, 10);
    } else if (name == "--sample") {
      o.sample = strtod(value, nullptr);
    } else if (name == "--seconds") {
      o.seconds = strtod(value, nullptr);
    } else if (name == "--jobs") {
      o.jobs = std::clamp(atoi(value), 1, kJobsMax);
    } else if (name == "--only") {
      o.bits = strcmp(value, "bits") == 0;
      o.blocks = !o.bits;
    } else if (name == "--bits") {
      if (!ParseRange(value, &o.bits_first, &o.bits_last)) return Usage();
      o.blocks = false;
    } else if (name == "--blocks") {
      if (!ParseRange(value, &o.blocks_first, &o.blocks_last)) return Usage();
      o.bits = false;
    } else if (name == "--export") {
      o.export_to = value;
    } else {
      return Usage();
    }
  }
  if (o.variant != "clean" && o.variant != "killed" && o.variant != "tall" && o.variant != "reused") return Usage();
  Scratch scratch;
  const Image image = MakeImage(scratch.path(), o.variant, o.seed);
  const Map map(image);
  if (!o.export_to.empty()) {
    Export(image, map, o.export_to);
    return 0;
  }
  return Campaign(o, image, map, scratch.path()).Run();
}

}  // namespace
}  // namespace sealog::test

int main(int argc, char** argv) { return sealog::test::Main(argc, argv); }
