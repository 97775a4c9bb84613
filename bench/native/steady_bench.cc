// Steady state: durable puts one at a time into a store whose pages are all mapped. Reports puts per second, latency
// percentiles, page faults and fences. Usage: sealog_bench PATH [puts] [keys] [sequential|random] [checkpoint bytes]
// [flush]
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "support/recovery_twin.h"

namespace {

using namespace sealog;
using Clock = std::chrono::steady_clock;

rusage Usage(int who) {
  rusage usage{};
  getrusage(who, &usage);
  return usage;
}

int Fail(const char* what, const Failure& failure) {
  fprintf(stderr, "%s: status %d %s %s\n", what, static_cast<int>(failure.status), failure.syscall,
          failure.detail.c_str());
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    fprintf(stderr, "usage: sealog_bench PATH [puts] [keys] [sequential|random] [checkpoint bytes] [flush]\n");
    return 2;
  }
  const std::string path = argv[1];
  const uint64_t puts = argc > 2 ? strtoull(argv[2], nullptr, 10) : 1000000;
  const uint64_t keys = argc > 3 ? strtoull(argv[3], nullptr, 10) : puts;
  const bool random = argc <= 4 || std::string(argv[4]) != "sequential";
  CreateOptions create;
  create.capacity_bytes = puts * 192 * 2 + keys * 64 + (256ull << 20);
  if (Failure f = CreateStore(path, create); !f.ok()) return Fail("create", f);
  RegionOptions options;
  const uint64_t checkpoint_bytes = argc > 5 ? strtoull(argv[5], nullptr, 10) : 512 << 10;
  if (argc > 6) options.flush = argv[6];
  FlushKind flush = BestFlush(false);
  if (argc > 6) FlushKindOf(argv[6], &flush);
  test::OpenResult opened = test::OpenStore(path, options, flush, checkpoint_bytes, true);
  if (!opened.failure.ok()) return Fail("open", opened.failure);
  Store& store = *opened.store;
  StoreStats stats;
  for (int i = 0; i < 6000; ++i) {
    store.Stats(&stats);
    if (stats.populate_complete != 0) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }

  std::vector<uint32_t> order(puts);
  std::mt19937_64 generator(1);
  for (uint64_t i = 0; i < puts; ++i) order[i] = static_cast<uint32_t>(random ? generator() % keys : i % keys);
  std::vector<uint32_t> nanoseconds(puts);
  std::fill(nanoseconds.begin(), nanoseconds.end(), 1u);  // its own pages are not the store's faults
  const std::string value(100, 'v');

  auto put = [&](uint64_t number) {
    char key[24];
    snprintf(key, sizeof key, "key-%012u", static_cast<unsigned>(number));
    uint64_t version = 0;
    return store.Put(kTreeUser, {reinterpret_cast<uint8_t*>(key), 16}, test::BytesOf(value), false, &version);
  };
  // Not steady yet: the store's lists in DRAM grow to their size in the first checkpoints.
  const uint64_t warm_up = puts / 5;
  for (uint64_t i = 0; i < warm_up; ++i) static_cast<void>(put(order[puts - 1 - i]));

  StoreStats before;
  store.Stats(&before);
  rusage thread_before = Usage(RUSAGE_THREAD), all_before = Usage(RUSAGE_SELF);
  auto start = Clock::now();
  for (uint64_t i = 0; i < puts; ++i) {
    auto t = Clock::now();
    Status status = put(order[i]);
    nanoseconds[i] = static_cast<uint32_t>((Clock::now() - t).count());
    if (status != Status::kOk) {
      fprintf(stderr, "put %llu: status %d\n", static_cast<unsigned long long>(i), static_cast<int>(status));
      return 1;
    }
  }
  double seconds = std::chrono::duration<double>(Clock::now() - start).count();
  rusage thread_after = Usage(RUSAGE_THREAD), all_after = Usage(RUSAGE_SELF);
  store.Stats(&stats);
  std::sort(nanoseconds.begin(), nanoseconds.end());
  auto percentile = [&](double p) {
    return nanoseconds[std::min<size_t>(puts - 1, static_cast<size_t>(p * static_cast<double>(puts)))] / 1000.0;
  };
  printf("domain %s, flush %s, %s order, %llu puts of 16 + 100 bytes after %llu to warm up, %llu keys, populated %s\n",
         DomainName(store.region().domain()), FlushName(flush), random ? "random" : "sequential",
         static_cast<unsigned long long>(puts), static_cast<unsigned long long>(warm_up),
         static_cast<unsigned long long>(keys), stats.populate_complete != 0 ? "yes" : "no");
  printf("checkpoint every %llu KiB of log\n", static_cast<unsigned long long>(checkpoint_bytes >> 10));
  printf("puts per second  %.0f\n", static_cast<double>(puts) / seconds);
  printf("latency, us      p50 %.2f  p99 %.2f  p99.9 %.2f  p99.99 %.2f  max %.1f\n", percentile(0.5), percentile(0.99),
         percentile(0.999), percentile(0.9999), percentile(1));
  printf(
      "fences per put   %.4f (writer), %.0f by %.0f checkpoints\n",
      (stats.fences - before.fences - (stats.checkpoint_fences - before.checkpoint_fences)) / static_cast<double>(puts),
      stats.checkpoint_fences - before.checkpoint_fences, stats.checkpoints - before.checkpoints);
  printf("lines per put    %.3f (writer), %.3f (checkpoints)\n",
         (stats.lines - before.lines - (stats.checkpoint_lines - before.checkpoint_lines)) / static_cast<double>(puts),
         (stats.checkpoint_lines - before.checkpoint_lines) / static_cast<double>(puts));
  printf("page faults      writer %ld minor, %ld major; whole process %ld minor, %ld major\n",
         thread_after.ru_minflt - thread_before.ru_minflt, thread_after.ru_majflt - thread_before.ru_majflt,
         all_after.ru_minflt - all_before.ru_minflt, all_after.ru_majflt - all_before.ru_majflt);
  Status closed = store.Close();
  opened.store.reset();
  remove(path.c_str());
  return closed == Status::kOk ? 0 : 1;
}
