#include "exercise.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "support/scan.h"

// Coverage is that of the core.
#pragma clang attribute push(__attribute__((no_sanitize("coverage"))), apply_to = function)

namespace sealog::fuzz {
namespace {

constexpr uint32_t kGetsMax = 6;
constexpr size_t kBufferBytes = 32 << 10;

using test::BytesOf;
using test::GoOnBehind;

// The entries come in order and come to an end, whatever is in the file.
void ReadRange(Store& store, const Image& image, RangeRequest request) {
  static auto* buffer = new uint8_t[kBufferBytes];
  const uint64_t most = image.bytes.size() / kRecordAlign;
  std::string last;
  uint64_t seen = 0;
  request.limit = 100;
  request.out = buffer;
  request.out_bytes = kBufferBytes;
  const bool reverse = request.reverse, no_values = request.no_values;
  for (;;) {
    const RangeResult result = store.FillRange(request);
    if (result.snapshot != 0) request.snapshot = result.snapshot;
    request.skip = 0;
    const uint8_t* at = buffer;
    for (uint32_t i = 0; i < result.entries; ++i) {
      RangeEntry entry;
      memcpy(&entry, at, sizeof entry);
      const bool outside = (entry.flags & kRangeValueOutside) != 0 || no_values;
      std::string key(reinterpret_cast<const char*>(at + sizeof entry), entry.key_bytes);
      Promise(seen == 0 || (reverse ? key < last : last < key), "a range is in order");
      Promise(++seen <= most, "a range ends");
      last = std::move(key);
      at += RoundUp(sizeof entry + entry.key_bytes + (outside ? 0 : entry.value_bytes), 8);
    }
    Promise(at <= buffer + kBufferBytes, "a range fits its buffer");
    if (result.status != Status::kOk || result.done) break;
    Promise(result.entries != 0, "a range goes on");
    GoOnBehind(last, &request);
  }
  if (request.snapshot != 0) store.ReleaseSnapshot(request.snapshot);
}

std::string AnyKey(const Image& image, Random& random) {
  if (!image.keys.empty() && random() % 4 != 0) return image.keys[random() % image.keys.size()];
  const uint32_t bytes = random() % 16 == 0 ? kKeyBytesMax - random() % 2 : 1 + random() % 24;
  std::string key(bytes, static_cast<char>('a' + random() % 26));
  key[random() % bytes] = static_cast<char>(random());
  return key;
}

std::string AnyValue(Random& random) {
  const uint32_t bytes = random() % 8 == 0 ? random() % 12000 : random() % 300;
  return std::string(bytes, static_cast<char>(random()));
}

}  // namespace

void Promise(bool held, const char* what) {
  if (held) return;
  fprintf(stderr, "broken promise: %s\n", what);
  abort();
}

std::vector<uint8_t> EncodePlan(const Plan& plan) {
  std::vector<uint8_t> bytes(sizeof plan.header + plan.segments.size() * sizeof(PlanSegment));
  memcpy(bytes.data(), &plan.header, sizeof plan.header);
  memcpy(bytes.data() + sizeof plan.header, plan.segments.data(), bytes.size() - sizeof plan.header);
  return bytes;
}

void ReadWhole(Store& store, const Image& image) {
  ReadRange(store, image, {});
  RangeRequest backwards;
  backwards.reverse = backwards.no_values = true;
  backwards.skip = image.keys.size() / 3;
  ReadRange(store, image, backwards);
  for (const uint32_t tree : {kTreeSystem, kTreeSpaces, kTreeExpiry}) {
    RangeRequest request;
    request.tree = tree;
    ReadRange(store, image, request);
  }
  static auto* buffer = new uint8_t[kBufferBytes];
  const size_t step = image.keys.size() / kGetsMax + 1;
  for (size_t i = 0; i < image.keys.size(); i += step) {
    const Bytes key = BytesOf(image.keys[i]);
    const GetResult got = store.Get(kTreeUser, key, buffer, kBufferBytes);
    Promise(got.status != Status::kOk || got.bytes <= kBufferBytes, "a value fits its buffer");
    if (i % 2 == 0) static_cast<void>(store.Has(kTreeSystem, key));
    uint64_t count = 0;
    KeyRange range;
    range.low = key;
    if (i % 3 == 0) {
      range.high = BytesOf(image.keys[image.keys.size() - 1 - i]);
      range.has_high = true;
    }
    static_cast<void>(store.Count(range, &count));
  }
  StoreStats stats;
  store.Stats(&stats);
}

void WriteSome(Store& store, const Image& image, Random& random, uint32_t operations) {
  uint64_t version = 0;
  for (; operations != 0; --operations) {
    const bool deferred = random() % 3 == 0;
    const uint32_t tree = random() % 4 == 0 ? random() % kTreeCount : kTreeUser;
    const std::string key = AnyKey(image, random);
    switch (random() % 12) {
      case 0:
      case 1:
      case 2: {
        static_cast<void>(store.Remove(tree, BytesOf(key), deferred, &version));
        break;
      }
      case 3: {
        std::vector<std::string> keys(1 + random() % 8), values(keys.size());
        std::vector<Change> changes;
        for (size_t i = 0; i < keys.size(); ++i) {
          keys[i] = AnyKey(image, random);
          values[i] = AnyValue(random);
          const bool put = random() % 3 != 0;
          changes.push_back(
              {put ? kRecordPut : kRecordDel, 0, tree, BytesOf(keys[i]), put ? BytesOf(values[i]) : Bytes{}});
          if (!put || random() % 3 != 0) continue;
          changes.back().flags = kRecordExpires;
          changes.back().expires = random() % 2 == 0 ? random() : uint64_t{random()} << 32;
        }
        const Check check{tree, BytesOf(key), random() % 2};
        const RangeCheck range_check{tree, {BytesOf(key), {}, false, false, false}, random(), random() % 64};
        BatchRequest request;
        request.changes = changes.data();
        request.count = static_cast<uint32_t>(changes.size());
        request.checks = &check;
        request.check_count = random() % 4 == 0 ? 1 : 0;
        request.range_checks = &range_check;
        request.range_check_count = random() % 4 == 0 ? 1 : 0;
        static_cast<void>(store.Batch(request, deferred, &version));
        break;
      }
      case 4:
        static_cast<void>(random() % 4 == 0 ? store.Checkpoint() : store.Commit());
        break;
      case 5: {
        Removed removed;
        static_cast<void>(
            store.Sweep(random() % 2 == 0 ? random() : UINT64_MAX, 1 + random() % 16, deferred, &removed));
        break;
      }
      case 6: {
        Removed removed;
        KeyRange range;
        range.low = BytesOf(key);
        static_cast<void>(store.EraseRange(tree, range, 1 + random() % 16, deferred, &removed));
        break;
      }
      default: {
        const std::string value = AnyValue(random);
        static_cast<void>(store.Put(tree, BytesOf(key), BytesOf(value), deferred, &version));
      }
    }
  }
}

ImageFile::ImageFile(const Image& image) : image_(image), path_(Folder() + "/" + image.name + "-edited.sealog") {
  const int fd = open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  const size_t bytes = image.bytes.size();
  Promise(fd >= 0 && ftruncate(fd, static_cast<off_t>(bytes)) == 0, "the image has a file");
  bytes_ = static_cast<uint8_t*>(mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
  Promise(bytes_ != MAP_FAILED, "the image's file is mapped");
  close(fd);
  Restore();
}

void ImageFile::Restore() { memcpy(bytes_, image_.bytes.data(), image_.bytes.size()); }

ImageFile& FileOf(const Image& image) {
  static auto* files = new std::vector<std::unique_ptr<ImageFile>>(Images().size());
  std::unique_ptr<ImageFile>& file = (*files)[static_cast<size_t>(&image - Images().data())];
  if (file == nullptr) file = std::make_unique<ImageFile>(image);
  return *file;
}

}  // namespace sealog::fuzz

#pragma clang attribute pop
