#include "image.h"

#include <sys/types.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>

#include "region/create.h"
#include "support/recovery_twin.h"

namespace {

std::mt19937_64 system_random(1);

}  // namespace

// Stands in for the C library's: seeds, stamps and UUIDs repeat, and so do failures.
extern "C" __attribute__((visibility("default"))) ssize_t getrandom(void* out, size_t bytes, unsigned) {
  auto* to = static_cast<uint8_t*>(out);
  for (size_t i = 0; i < bytes; ++i) to[i] = static_cast<uint8_t>(system_random());
  return static_cast<ssize_t>(bytes);
}

namespace sealog::test {

void SeedSystemRandom(uint64_t seed) { system_random.seed(seed); }

Model Image::StateAt(uint64_t lsn) const {
  Model model;
  for (const Commit& commit : commits) {
    if (commit.last_lsn > lsn) break;
    for (const auto& [key, value] : commit.changes) {
      if (value) {
        model[key] = *value;
      } else {
        model.erase(key);
      }
    }
  }
  return model;
}

namespace {

constexpr uint32_t kSegmentBytes = kSegmentBytesMin;

class Maker {
 public:
  Maker(std::string path, uint64_t seed, std::vector<Commit>* commits)
      : path_(std::move(path)), random_(seed), commits_(commits) {}

  void Create(uint32_t segments) {
    CreateOptions options;
    options.segment_bytes = kSegmentBytes;
    options.capacity_bytes = uint64_t{segments} * kSegmentBytes;
    options.key_codec = 3;    // binary, so that TypeScript sees the same bytes
    options.value_codec = 4;  // binary
    Demand(CreateStore(path_, options).ok(), "create");
  }
  void Open() {
    OpenResult result = OpenStore(path_, {}, BestFlush(false), kNoCheckpoints);
    Demand(result.failure.ok(), "open");
    store_ = std::move(result.store);
  }
  void Close() {
    Demand(store_->Close() == Status::kOk, "close");
    store_.reset();
  }
  void Kill() { store_.reset(); }
  void Checkpoint() { Demand(store_->Checkpoint() == Status::kOk, "checkpoint"); }
  void Commit() { Demand(store_->Commit() == Status::kOk, "commit"); }

  std::string Value(size_t bytes) {
    std::string value(bytes, '\0');
    for (char& c : value) c = static_cast<char>(random_());
    return value;
  }
  void Put(const std::string& key, const std::string& value, bool deferred = false) {
    uint64_t lsn = 0;
    Demand(store_->Put(kTreeUser, BytesOf(key), BytesOf(value), deferred, &lsn) == Status::kOk, "put");
    commits_->push_back({lsn, {{key, value}}});
  }
  void Remove(const std::string& key) {
    uint64_t lsn = 0;
    Demand(store_->Remove(kTreeUser, BytesOf(key), false, &lsn) == Status::kOk, "remove");
    if (lsn != 0) commits_->push_back({lsn, {{key, std::nullopt}}});
  }
  // Puts; a key without a value is removed.
  void Batch(std::vector<std::pair<std::string, std::optional<std::string>>> given) {
    std::vector<Change> changes;
    for (const auto& [key, value] : given) {
      changes.push_back({static_cast<uint8_t>(value ? kRecordPut : kRecordDel), 0, kTreeUser, BytesOf(key),
                         value ? BytesOf(*value) : Bytes{}});
    }
    uint64_t lsn = 0;
    Demand(store_->Batch(changes.data(), static_cast<uint32_t>(changes.size()), false, &lsn) == Status::kOk, "batch");
    commits_->push_back({lsn, std::move(given)});
  }

  std::string Small() { return SmallAt(static_cast<uint32_t>(random_() % kSmallKeys)); }
  void Update(int puts) {
    for (int i = 0; i < puts; ++i) Put(Small(), Value(8 + random_() % 150));
  }
  void SmallBatch(uint32_t count) {
    std::vector<std::pair<std::string, std::optional<std::string>>> batch;
    for (uint32_t i = 0; i < count; ++i) {
      batch.emplace_back(Small(), i % 4 == 3 ? std::nullopt : std::optional(Value(20 + random_() % 60)));
    }
    Batch(std::move(batch));
  }

  // Large values, removed keys, dead records; `tall`: inner nodes of two levels, by long separators.
  void Fill(bool tall) {
    std::vector<uint32_t> order(kSmallKeys);
    for (uint32_t i = 0; i < kSmallKeys; ++i) order[i] = i;
    std::shuffle(order.begin(), order.end(), random_);
    for (uint32_t i : order) Put(SmallAt(i), Value(8 + random_() % 150));
    Checkpoint();
    for (uint32_t i = tall ? kLongKeys : 3; i-- != 0;) Put(LongAt(i), Value(8 + random_() % 16));
    Put("empty", "");
    Put("large-1", Value(15000));  // above 14 KiB: in chunks
    for (int i = 0; i < 4; ++i) Put("medium-" + std::to_string(i), Value(1000 + random_() % 500));
    Checkpoint();
    for (int i = 0; i < 40; ++i) Remove(Small());
    Update(40);
    SmallBatch(12);
  }

  // All kinds of frames, over more than two segments.
  void Tail() {
    Update(12);
    SmallBatch(6);
    Remove("medium-0");
    Remove(Small());
    for (int i = 0; i < 3; ++i) Put("deferred-" + std::to_string(i), Value(40), true);
    Commit();
    std::vector<std::pair<std::string, std::optional<std::string>>> wide;
    for (int i = 0; i < 19; ++i) wide.emplace_back("wide-" + std::to_string(i), Value(900));  // more than one frame
    Batch(std::move(wide));
    Put("large-2", Value(15000));
    Update(8);
    Put("zz-last", Value(30));
  }

  // Much that lives shortly.
  void Churn(int puts) {
    for (int i = 0; i < puts; ++i) Put("churn-" + std::to_string(random_() % 3), Value(2500 + random_() % 500));
  }

 private:
  static constexpr uint32_t kSmallKeys = 260;
  static constexpr uint32_t kLongKeys = 150;

  static std::string SmallAt(uint32_t i) {
    char key[16];
    snprintf(key, sizeof key, "k%05u", i * 7919 % 10007);
    return key;
  }
  static std::string LongAt(uint32_t i) {
    char end[8];
    snprintf(end, sizeof end, "%03u", i);
    return std::string(1200, 'L') + end;
  }
  static void Demand(bool holds, const char* what) {
    if (holds) return;
    fprintf(stderr, "the store could not be made: %s\n", what);
    exit(2);
  }

  std::string path_;
  Random random_;
  std::vector<sealog::test::Commit>* commits_;
  std::unique_ptr<Store> store_;
};

std::vector<uint8_t> FileBytes(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace

Image MakeImage(const std::string& folder, const std::string& variant, uint64_t seed) {
  const uint32_t segments = variant == "tall" ? 56 : 24;
  SeedSystemRandom(seed);
  Image image{variant, seed, {}, {}, {}, {}};
  const std::string path = folder + "/" + variant + ".sealog";
  Maker maker(path, seed, &image.commits);
  maker.Create(segments);
  maker.Open();
  maker.Fill(variant == "tall");
  maker.Close();

  maker.Open();
  maker.Update(20);
  if (variant == "reused") {
    maker.Churn(6);
    maker.Checkpoint();
    maker.Churn(6);
  } else {
    maker.SmallBatch(8);
  }
  maker.Checkpoint();
  image.stale = FileBytes(path);
  maker.Update(20);
  maker.Checkpoint();
  maker.Update(5);
  maker.Kill();

  if (variant == "reused") {
    maker.Open();
    maker.Churn(20);
  } else {
    maker.Open();
    maker.Update(5);
    maker.Kill();
    maker.Open();
    maker.Tail();
  }
  if (variant == "clean") {
    maker.Close();
  } else {
    maker.Kill();
  }
  image.bytes = FileBytes(path);
  unlink(path.c_str());

  std::vector<Commit> ignored;
  const std::string other = folder + "/foreign.sealog";
  Maker stranger(other, seed + 1, &ignored);
  stranger.Create(segments);
  stranger.Open();
  stranger.Fill(variant == "tall");
  stranger.Tail();
  stranger.Close();
  image.foreign = FileBytes(other);
  unlink(other.c_str());
  return image;
}

}  // namespace sealog::test
