// The store against a sorted map: puts, removes, batches, ranges, snapshots, kills and clean ends, with segments so
// small that every roll, split and reuse happens within a few hundred operations.
#include <gtest/gtest.h>

#include <map>
#include <random>

#include "support/recovery_twin.h"
#include "support/scan.h"
#include "support/scratch.h"

namespace sealog::test {
namespace {

using Model = std::map<std::string, std::string>;

struct Shape {
  uint32_t segment_bytes;
  uint32_t segments;
  uint64_t checkpoint_bytes;
  uint32_t keys;
  uint32_t key_bytes_max;
  uint32_t value_bytes_max;
};

class Subject {
 public:
  Subject(const std::string& path, const Shape& shape, uint64_t seed, Durability durability = Durability::kSync)
      : path_(path), shape_(shape), random_(seed) {
    CreateOptions create;
    create.segment_bytes = shape.segment_bytes;
    create.capacity_bytes = uint64_t{shape.segments} * shape.segment_bytes;
    options_.durability = create.durability = durability;
    Failure failure = CreateStore(path, create);
    EXPECT_TRUE(failure.ok()) << failure.detail << failure.syscall;
    Open();
  }

  void Open() {
    OpenResult result = OpenStore(path_, options_, BestFlush(false), shape_.checkpoint_bytes);
    ASSERT_TRUE(result.failure.ok()) << static_cast<int>(result.failure.status) << " " << result.failure.detail
                                     << " at " << result.failure.offset;
    store_ = std::move(result.store);
    replayed_ = result.replay.end.frames;
    clean_ = result.clean;
  }
  void Kill() { store_.reset(); }
  void Close() {
    ASSERT_EQ(store_->Close(), Status::kOk);
    store_.reset();
  }

  std::string Key() {
    uint32_t n = static_cast<uint32_t>(random_() % shape_.keys);
    std::string key = "key" + std::to_string(n * 7919u % 100003u);
    // Some keys share long beginnings, some are long, all are stable for their number.
    if (n % 5 == 0) key = "a/long/common/beginning/that/goes/on/" + key;
    if (n % 11 == 0 && key.size() < shape_.key_bytes_max)
      key += std::string(shape_.key_bytes_max - key.size(), static_cast<char>('a' + n % 3));
    return key;
  }
  std::string Value() {
    uint32_t size =
        static_cast<uint32_t>(random_() % 20 == 0 ? random_() % (shape_.value_bytes_max + 1) : random_() % 120);
    std::string value(size, '\0');
    for (char& c : value) c = static_cast<char>(random_());
    return value;
  }

  void Put(bool deferred) {
    std::string key = Key(), value = Value();
    uint64_t version = 0;
    Status status = store_->Put(kTreeUser, BytesOf(key), BytesOf(value), deferred, &version);
    if (status == Status::kFull) {
      ++full_;
      return;
    }
    ASSERT_EQ(status, Status::kOk) << store_->damaged_offset() << " " << store_->poison().detail;
    model_[key] = value;
    EXPECT_GT(version, last_version_);
    last_version_ = version;
  }
  void Remove(bool deferred) {
    std::string key = Key();
    uint64_t version = 0;
    Status status = store_->Remove(kTreeUser, BytesOf(key), deferred, &version);
    if (status == Status::kFull) {
      ++full_;
      return;
    }
    ASSERT_EQ(status, Status::kOk) << store_->damaged_offset();
    EXPECT_EQ(version != 0, model_.erase(key) == 1) << key;
  }
  void Batch(bool deferred) {
    uint32_t count = 1 + static_cast<uint32_t>(random_() % 40);
    std::vector<std::pair<std::string, std::string>> puts(count);
    std::vector<Change> changes;
    for (auto& [key, value] : puts) {
      key = Key();
      if (random_() % 4 == 0) {
        changes.push_back({kRecordDel, 0, kTreeUser, BytesOf(key), {}});
      } else {
        value = Value();
        changes.push_back({kRecordPut, 0, kTreeUser, BytesOf(key), BytesOf(value)});
      }
    }
    uint64_t version = 0;
    Status status = store_->Batch(changes.data(), count, deferred, &version);
    if (status == Status::kFull) {
      ++full_;
      return;
    }
    ASSERT_EQ(status, Status::kOk) << store_->damaged_offset();
    for (size_t i = 0; i < count; ++i) {
      if (changes[i].kind == kRecordDel) {
        model_.erase(puts[i].first);
      } else {
        model_[puts[i].first] = puts[i].second;
      }
    }
  }
  void Get() {
    std::string key = Key();
    std::vector<uint8_t> out(shape_.value_bytes_max + 1);
    GetResult result = store_->Get(kTreeUser, BytesOf(key), out.data(), out.size());
    auto it = model_.find(key);
    if (it == model_.end()) {
      EXPECT_EQ(result.status, Status::kNotFound) << key;
    } else {
      ASSERT_EQ(result.status, Status::kOk) << key;
      EXPECT_TRUE(std::string(reinterpret_cast<char*>(out.data()), result.bytes) == it->second) << key;
    }
  }

  // Reads a range to its end in blocks, from the newest state or on from a snapshot.
  static void ReadRange(
      Store& store, RangeRequest request, std::vector<std::pair<std::string, std::string>>* out,
      const std::function<void()>& between = [] {}) {
    std::vector<uint8_t> block(1 << 18);
    request.out = block.data();
    request.out_bytes = block.size();
    std::string last;
    for (;;) {
      RangeResult result = store.FillRange(request);
      ASSERT_EQ(result.status, Status::kOk) << store.damaged_offset();
      size_t at = 0;
      for (uint32_t i = 0; i < result.entries; ++i) {
        RangeEntry entry;
        memcpy(&entry, block.data() + at, sizeof entry);
        const char* key = reinterpret_cast<char*>(block.data() + at + sizeof entry);
        last.assign(key, entry.key_bytes);
        out->emplace_back(last, std::string(key + entry.key_bytes, entry.value_bytes));
        at += RoundUp(sizeof entry + entry.key_bytes + entry.value_bytes, 8);
      }
      if (result.done) {
        if (request.snapshot != 0) store.ReleaseSnapshot(request.snapshot);
        return;
      }
      request.snapshot = result.snapshot;
      GoOnBehind(last, &request);
      between();
    }
  }

  void Range() {
    std::string a = Key(), b = Key();
    if (b < a) std::swap(a, b);
    RangeRequest request;
    request.limit = 1 + static_cast<uint32_t>(random_() % 50);
    request.range.low = BytesOf(a);
    request.range.high = BytesOf(b);
    request.range.has_high = true;
    request.range.low_exclusive = random_() % 2 != 0;
    request.range.high_inclusive = random_() % 2 != 0;
    request.reverse = random_() % 2 != 0;
    KeyRange range = request.range;
    std::vector<std::pair<std::string, std::string>> expected, found;
    for (auto it = model_.lower_bound(a); it != model_.end() && it->first <= b; ++it) {
      if (!range.Below(BytesOf(it->first)) && !range.Above(BytesOf(it->first))) expected.emplace_back(*it);
    }
    uint64_t count = 0;
    ASSERT_EQ(store_->Count(range, &count), Status::kOk);
    EXPECT_EQ(count, expected.size());
    if (request.reverse) std::reverse(expected.begin(), expected.end());
    // Writes between the blocks must not show.
    ReadRange(*store_, request, &found, [this] { random_() % 2 ? Put(false) : Remove(false); });
    EXPECT_TRUE(found == expected);
  }

  void CheckAll() {
    std::vector<std::pair<std::string, std::string>> expected(model_.begin(), model_.end()), found;
    RangeRequest request;
    request.limit = 1000;
    ReadRange(*store_, request, &found);
    ASSERT_EQ(found.size(), expected.size());
    EXPECT_TRUE(found == expected);
    StoreStats stats;
    store_->Stats(&stats);
    EXPECT_EQ(static_cast<size_t>(stats.entries), model_.size());
  }

  void Run(int operations) {
    for (int i = 0; i < operations && !testing::Test::HasFatalFailure(); ++i) {
      bool deferred = random_() % 4 == 0;
      switch (random_() % 16) {
        case 0:
        case 1:
        case 2:
          Remove(deferred);
          break;
        case 3:
          Batch(deferred);
          break;
        case 4:
          if (shape_.keys < 5000 || random_() % 32 == 0) Range();
          break;
        case 5:
          Get();
          break;
        case 6:
          if (random_() % 20 == 0) {
            ASSERT_EQ(store_->Checkpoint(), Status::kOk);
          }
          break;
        case 7:
          if (random_() % 8 == 0) {
            // As a kill: what was deferred is in the file, so it may be found as well.
            if (random_() % 3 == 0) {
              Close();
            } else {
              ASSERT_EQ(store_->Commit(), Status::kOk);
              Kill();
            }
            Open();
            CheckAll();
          }
          break;
        default:
          Put(deferred);
          break;
      }
    }
    CheckAll();
  }

  Store& store() { return *store_; }
  uint64_t full() const { return full_; }
  bool clean() const { return clean_; }

 private:
  std::string path_;
  Shape shape_;
  RegionOptions options_;
  std::mt19937_64 random_;
  Model model_;
  std::unique_ptr<Store> store_;
  uint64_t last_version_ = 0, replayed_ = 0, full_ = 0;
  bool clean_ = false;
};

TEST(StoreModel, SmallSegmentsManyReuses) {
  Scratch scratch;
  for (uint64_t seed = 1; seed <= 6; ++seed) {
    SCOPED_TRACE(seed);
    Subject subject(scratch.File("small" + std::to_string(seed)), {16384, 256, 8192, 300, 60, 20000}, seed);
    subject.Run(6000);
  }
}

TEST(StoreModel, LongKeysSplitInnerNodesEarly) {
  Scratch scratch;
  Subject subject(scratch.File("long"), {65536, 400, 65536, 3000, kKeyBytesMax, 3000}, 11);
  subject.Run(12000);
}

TEST(StoreModel, DefaultSegmentsManyKeys) {
  Scratch scratch;
  Subject subject(scratch.File("large"), {2 << 20, 64, 1 << 20, 60000, 60, 100000}, 21);
  subject.Run(8000);
}

TEST(StoreModel, DiskDomainWritesThroughTheDescriptor) {
  Scratch scratch(true);
  Subject subject(scratch.File("disk"), {65536, 256, 32768, 500, 60, 20000}, 31);
  if (subject.store().region().domain() != Domain::kDisk) GTEST_SKIP() << "the temporary folder is not on a disk";
  subject.Run(1500);
}

TEST(StoreModel, RelaxedOnDisk) {
  Scratch scratch(true);
  Subject subject(scratch.File("os"), {65536, 256, 32768, 500, 60, 20000}, 41, Durability::kRelaxed);
  subject.Run(4000);
}

}  // namespace
}  // namespace sealog::test
