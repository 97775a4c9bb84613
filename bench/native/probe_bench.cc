// Finding a key in the tree, without Node: present and absent keys in random order, by number of keys; and what the
// fingerprints of one leaf take. Usage: sealog_probe_bench DIRECTORY [keys...]
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "support/recovery_twin.h"
#include "timing.h"

namespace {

using namespace sealog;

struct Key {
  char text[17];
  Bytes bytes() const { return {reinterpret_cast<const uint8_t*>(text), 16}; }
};

Key KeyOf(uint64_t number, char last = 0) {
  Key key;
  snprintf(key.text, sizeof key.text, "%016llu", static_cast<unsigned long long>(number));
  if (last != 0) key.text[15] = last;
  return key;
}

int Measure(const std::string& path, uint64_t keys) {
  CreateOptions create;
  create.capacity_bytes = keys * 360 + (64ull << 20);
  if (Failure f = CreateStore(path, create); !f.ok()) {
    fprintf(stderr, "create: status %d\n", static_cast<int>(f.status));
    return 1;
  }
  test::OpenResult opened = test::OpenStore(path, {}, BestFlush(false), 8 << 20, true);
  if (!opened.failure.ok()) {
    fprintf(stderr, "open: status %d\n", static_cast<int>(opened.failure.status));
    return 1;
  }
  Store& store = *opened.store;
  std::vector<uint32_t> order(keys);
  for (uint64_t i = 0; i < keys; ++i) order[i] = static_cast<uint32_t>(i);
  std::mt19937_64 generator(1);
  std::shuffle(order.begin(), order.end(), generator);
  const std::string value(100, 'v');
  for (uint32_t number : order) {
    uint64_t version = 0;
    if (store.Put(kTreeUser, KeyOf(number).bytes(), test::BytesOf(value), false, &version) != Status::kOk) return 1;
  }
  const uint64_t probes = keys < 200000 ? keys : 200000;
  std::vector<Key> present, absent;
  std::shuffle(order.begin(), order.end(), generator);
  for (uint64_t i = 0; i < probes; ++i) {
    present.push_back(KeyOf(order[i]));
    absent.push_back(KeyOf(order[i], '~'));
  }
  uint8_t out[256];
  uint64_t found = 0, missed = 0;
  const double get = bench::NanosecondsPer(probes, [&](uint64_t i) {
    found += store.Get(kTreeUser, present[i].bytes(), out, sizeof out).status == Status::kOk;
  });
  const double none = bench::NanosecondsPer(
      probes, [&](uint64_t i) { missed += store.Has(kTreeUser, absent[i].bytes()) == Status::kNotFound; });
  StoreStats stats;
  store.Stats(&stats);
  if (found != probes * (bench::kRounds + 1) || missed != probes * (bench::kRounds + 1)) {
    fprintf(stderr, "%llu found, %llu absent, of %llu each\n", static_cast<unsigned long long>(found),
            static_cast<unsigned long long>(missed), static_cast<unsigned long long>(probes * (bench::kRounds + 1)));
    return 1;
  }
  printf("%10llu keys, height %.0f: get %7.1f ns, absent %7.1f ns\n", static_cast<unsigned long long>(keys),
         static_cast<double>(stats.tree_height), get, none);
  static_cast<void>(store.Close());
  opened.store.reset();
  remove(path.c_str());
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    fprintf(stderr, "usage: sealog_probe_bench DIRECTORY [keys...]\n");
    return 2;
  }
  LeafNode leaf{};
  leaf.header.count = kLeafEntriesMax;
  for (uint32_t i = 0; i < kLeafEntriesMax; ++i) leaf.fingerprints[i] = static_cast<uint8_t>(i * 5);
  uint64_t bits = 0;
  const double match = bench::NanosecondsPer(
      1000000, [&](uint64_t i) { bits ^= MatchFingerprint(leaf, static_cast<uint8_t>(i + bits)); });
  bench::Keep(bits);
  printf("fingerprints of a leaf compared: %.2f ns\n", match);
  std::vector<uint64_t> sizes;
  for (int i = 2; i < argc; ++i) sizes.push_back(strtoull(argv[i], nullptr, 10));
  if (sizes.empty()) sizes = {1000, 100000, 1000000};
  for (uint64_t keys : sizes) {
    if (int failed = Measure(std::string(argv[1]) + "/probe.sealog", keys); failed != 0) return failed;
  }
  return 0;
}
