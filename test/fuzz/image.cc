#include "image.h"

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <memory>

#include "index/node_pool.h"
#include "support/recovery_twin.h"
#include "support/scratch.h"

// Coverage is that of the core.
#pragma clang attribute push(__attribute__((no_sanitize("coverage"))), apply_to = function)

namespace sealog::fuzz {
namespace {

constexpr uint32_t kSegmentBytes = kSegmentBytesMin;
constexpr uint64_t kNoCheckpoints = 1ull << 40;

// A store under construction. What cannot be done is a mistake in here: it ends the program.
class Maker {
 public:
  Maker(std::string name, uint32_t segments) : path_(Folder() + "/" + name + ".sealog") {
    SeedRandom(segments);
    CreateOptions options;
    options.capacity_bytes = uint64_t{segments} * kSegmentBytes;
    options.segment_bytes = kSegmentBytes;
    options.table_capacity = segments;
    Require(CreateStore(path_, options).ok());
    image_.name = std::move(name);
  }

  void Open() {
    test::OpenResult opened = test::OpenStore(path_, {}, BestFlush(false), kNoCheckpoints);
    Require(opened.failure.ok());
    store_ = std::move(opened.store);
  }
  Status Put(const std::string& key, size_t value_bytes, uint32_t tree = kTreeUser) {
    const std::string value(value_bytes, static_cast<char>('a' + key.size() % 26));
    uint64_t version = 0;
    return store_->Put(tree, test::BytesOf(key), test::BytesOf(value), false, &version);
  }
  void Remove(const std::string& key) {
    uint64_t version = 0;
    Require(store_->Remove(kTreeUser, test::BytesOf(key), false, &version) == Status::kOk);
  }
  void Batch(const std::vector<std::string>& keys, size_t value_bytes) {
    const std::string value(value_bytes, 'b');
    std::vector<Change> changes;
    for (const std::string& key : keys)
      changes.push_back({kRecordPut, 0, kTreeUser, test::BytesOf(key), test::BytesOf(value)});
    uint64_t version = 0;
    Require(store_->Batch(changes.data(), static_cast<uint32_t>(changes.size()), false, &version) == Status::kOk);
  }
  double Height() {
    StoreStats stats;
    store_->Stats(&stats);
    return stats.tree_height;
  }
  void Checkpoint() { Require(store_->Checkpoint() == Status::kOk); }
  void Close() {
    Require(store_->Close() == Status::kOk);
    store_.reset();
  }
  void Drop() { store_.reset(); }

  Image Take() {
    std::unique_ptr<Region> region;
    Require(Region::Open(path_, {}, &region).ok());
    image_.bytes.assign(region->base(), region->base() + region->bytes());
    const test::MetaPlan meta =
        test::MetaTwin(region->base(), region->bytes(), region->bytes()).Plan(false, kNoCheckpoints);
    Require(meta.status == Status::kOk);
    Require(ParsePlan(meta.bytes.data(), meta.bytes.size(), region->bytes(), &image_.plan).ok());
    FindLog();
    FindNodes();
    FindEnd(region.get());
    return std::move(image_);
  }

  static void Require(bool held) {
    if (!held) abort();
  }

 private:
  const uint8_t* At(uint64_t offset) const { return image_.bytes.data() + offset; }

  void FindLog() {
    const uint32_t store_seed = StoreSeed(image_.plan.header.uuid);
    for (uint32_t i = image_.plan.header.meta_segments; i < image_.segment_count(); ++i) {
      const uint64_t begin = uint64_t{i} * kSegmentBytes;
      LogSegmentHeader header;
      memcpy(&header, At(begin), sizeof header);
      if (header.magic != kLogSegmentMagic || header.crc != Crc32c(store_seed, At(begin) + 4, kLineBytes - 4)) continue;
      image_.log_segments.push_back({i, header.seed});
      Frame frame;
      for (uint32_t at = kLogFirstFrame; CheckFrame(At(begin + at), kSegmentBytes - at, header.seed, at, &frame);
           at += frame.bytes) {
        image_.frames.push_back({begin + at, frame.bytes, header.seed, frame.kind});
        Record record;
        if (ParseRecord(At(begin + at), kSegmentBytes - at, &record))
          image_.keys.emplace_back(reinterpret_cast<const char*>(record.key.data), record.key.size);
      }
    }
    std::sort(image_.keys.begin(), image_.keys.end());
    image_.keys.erase(std::unique(image_.keys.begin(), image_.keys.end()), image_.keys.end());
  }

  void FindNodes() {
    const uint32_t store_seed = StoreSeed(image_.plan.header.uuid);
    for (uint32_t i = 0; i < image_.segment_count(); ++i) {
      const auto type = static_cast<SegmentType>(image_.plan.segments[i].type);
      if (type != SegmentType::kLeaf && type != SegmentType::kInner) continue;
      image_.node_segments.push_back(i);
      const uint32_t unit = type == SegmentType::kLeaf ? kLeafBytes : kInnerBytes;
      for (uint32_t at = kNodeFirstByte; at < kSegmentBytes; at += unit) {
        const uint64_t offset = uint64_t{i} * kSegmentBytes + at;
        std::vector<uint64_t> copy(unit / 8);
        memcpy(copy.data(), At(offset), unit);
        auto* node = reinterpret_cast<NodeHeader*>(copy.data());
        const uint32_t crc = node->crc;
        if (node->birth == 0 || (node->level == 0) != (type == SegmentType::kLeaf)) continue;
        SealNode(node, offset / kLeafBytes, store_seed);
        if (crc == node->crc) (type == SegmentType::kLeaf ? image_.leaves : image_.inners).push_back(offset);
      }
    }
  }

  void FindEnd(Region* region) {
    const PlanHeader& h = image_.plan.header;
    image_.end = h.hot;
    image_.next_lsn = h.lsn + 1;
    if (h.hot.segment == kSegmentNone) return;
    Space space(region->base(), h.segment_bytes_log2, h.segment_count, h.uuid);
    for (uint32_t i = 0; i < h.segment_count; ++i) {
      const PlanSegment& planned = image_.plan.segments[i];
      Segment segment;
      segment.type = static_cast<SegmentType>(planned.type);
      if (planned.live == 0 && segment.type != SegmentType::kMeta && i != h.hot.segment && i != h.cold.segment)
        segment.type = SegmentType::kFree;
      space.Restore(i, segment);
    }
    LogReader reader(&space, h.hot, h.cold, h.lsn + 1);
    Require(reader.Verify() == Status::kOk);
    image_.end = reader.end().position;
    image_.next_lsn = reader.end().next_lsn;
  }

  std::string path_;
  Image image_;
  std::unique_ptr<Store> store_;
};

std::string Key(uint32_t i) { return "key-" + std::to_string(i * 7919 % 10007); }

Image Empty() { return Maker("empty", 12).Take(); }

Image Small() {
  Maker maker("small", 12);
  maker.Open();
  for (uint32_t i = 0; i < 20; ++i) Maker::Require(maker.Put(Key(i), i) == Status::kOk);
  maker.Close();
  return maker.Take();
}

Image Tail() {
  Maker maker("tail", 16);
  maker.Open();
  for (uint32_t i = 0; i < 120; ++i) Maker::Require(maker.Put(Key(i), 10) == Status::kOk);
  maker.Checkpoint();
  for (uint32_t i = 60; i < 160; ++i) Maker::Require(maker.Put(Key(i), 20) == Status::kOk);
  maker.Checkpoint();
  for (uint32_t i = 0; i < 20; ++i) maker.Remove(Key(i));
  maker.Close();
  maker.Open();
  Maker::Require(maker.Put("system", 8, kTreeSystem) == Status::kOk);
  maker.Batch({"batch-a", "batch-b", Key(40)}, 30);
  for (uint32_t i = 150; i < 180; ++i) Maker::Require(maker.Put(Key(i), 200) == Status::kOk);
  maker.Batch({"more-a", "more-b", "more-c", "more-d", "more-e", "more-f", "more-g", "more-h", "more-i"}, 2000);
  for (uint32_t i = 20; i < 30; ++i) maker.Remove(Key(i));
  maker.Drop();
  return maker.Take();
}

Image Large() {
  Maker maker("large", 20);
  maker.Open();
  for (uint32_t i = 0; i < 4; ++i) Maker::Require(maker.Put(Key(i), 5000 + 3000 * i) == Status::kOk);
  maker.Checkpoint();
  Maker::Require(maker.Put(Key(1), 9000) == Status::kOk);
  maker.Drop();
  return maker.Take();
}

Image Full() {
  Maker maker("full", 14);
  maker.Open();
  for (uint32_t i = 0; maker.Put(Key(i), 100 + i % 300) == Status::kOk; ++i) {
    if (i % 50 == 49) maker.Checkpoint();
  }
  maker.Close();
  return maker.Take();
}

// Separators of nearly 2000 bytes that begin unlike each other, so that inner nodes hold few and the tree has three
// levels. Leaves have to end inside a letter: between two of them a separator is a letter long.
Image Deep() {
  Maker maker("deep", 64);
  maker.Open();
  for (uint32_t i = 0; i < 280; ++i) {
    std::string key(1900, static_cast<char>('a' + i / 36));
    key += Key(i);
    Maker::Require(maker.Put(key, 1) == Status::kOk);
  }
  Maker::Require(maker.Height() >= 3);
  maker.Close();
  return maker.Take();
}

}  // namespace

const std::string& Folder() {
  static const test::Scratch scratch;
  return scratch.path();
}

const std::vector<Image>& Images() {
  static const auto* images = new std::vector<Image>{Empty(), Small(), Tail(), Large(), Full(), Deep()};
  return *images;
}

}  // namespace sealog::fuzz

#pragma clang attribute pop
