#include "creation.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <unordered_set>

#include "device.h"
#include "recording.h"
#include "region/create.h"
#include "support/recovery_twin.h"
#include "support/scratch.h"
#include "tap.h"

namespace sealog::test {
namespace {

constexpr char kName[] = "new.sealog";
constexpr size_t kPerPoint = 40;

using Names = std::vector<std::string>;

// The calls of one creation in their order: one thread, one file, one directory.
struct Step {
  enum Kind { kWrite, kWriteDurable, kSyncBegin, kSyncDone, kLength, kNames, kDirectorySync } kind;
  Event event{EventKind::kMark, Site::kFrame, 0, 0, {}};
  uint64_t length = 0;
  Names names;
};

class CreationTap final : public Tap {
 public:
  CreationTap() { tap = this; }
  ~CreationTap() override { tap = nullptr; }
  void OnWrite(uint64_t offset, const std::vector<uint8_t>& content) override {
    Add(Step::kWrite, EventKind::kCopy, Site::kFrame, offset, content);
    length_ = std::max(length_, offset + content.size());
    steps.push_back({Step::kLength, {EventKind::kMark, Site::kFrame, 0, 0, {}}, length_, {}});
  }
  void OnWriteDurable(uint64_t offset, const std::vector<uint8_t>& content) override {
    Add(Step::kWriteDurable, EventKind::kCopy, kWriteDurable, offset, content);
  }
  void OnSyncBegin() override { Add(Step::kSyncBegin, EventKind::kDrain, kSyncBegin, 0, {}); }
  void OnSyncDone() override { Add(Step::kSyncDone, EventKind::kDrain, kSyncDone, 0, {}); }
  void OnLength(uint64_t bytes) override {
    length_ = bytes;
    steps.push_back({Step::kLength, {EventKind::kMark, Site::kFrame, 0, 0, {}}, bytes, {}});
  }
  void OnCreate(const std::string& name) override { Change({name}, {}); }
  void OnRename(const std::string& from, const std::string& to) override { Change({to}, from); }
  void OnLink(const std::string& from, const std::string& to) override { Change({to}, {}); }
  void OnUnlink(const std::string& name) override { Change({}, name); }
  void OnDirectorySync() override { Add(Step::kDirectorySync, EventKind::kMark, Site::kFrame, 0, {}); }

  std::vector<Step> steps;

 private:
  void Add(Step::Kind kind, EventKind event, Site site, uint64_t offset, const std::vector<uint8_t>& content) {
    steps.push_back({kind, {event, site, 0, offset, content}, 0, {}});
  }
  void Change(const Names& added, const std::string& removed) {
    names_.insert(names_.end(), added.begin(), added.end());
    std::erase(names_, removed);
    steps.push_back({Step::kNames, {EventKind::kMark, Site::kFrame, 0, 0, {}}, 0, names_});
  }
  uint64_t length_ = 0;
  Names names_;
};

struct Counts {
  uint64_t creations = 0, points = 0, images = 0;
  uint64_t nothing = 0, temporary = 0, named = 0, both = 0;  // what the directory had
  uint64_t opened = 0;                                       // of `named`: as an empty store
  uint64_t temporary_refused = 0;                            // opened as if it were a store
  std::unordered_set<uint64_t> distinct;
};

void WriteFile(const std::string& path, const std::vector<uint8_t>& bytes, uint64_t length) {
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out.write(reinterpret_cast<const char*>(bytes.data()),
            static_cast<std::streamsize>(std::min<uint64_t>(length, bytes.size())));
  out.close();
  std::filesystem::resize_file(path, length);
}

// Empty: an empty store that takes a write, and has it when it is opened again.
std::string CheckEmptyStore(const std::string& path) {
  for (uint64_t round = 0; round < 2; ++round) {
    OpenResult opened = OpenStore(path);
    if (!opened.failure.ok()) return "open refused: " + opened.failure.detail;
    uint64_t count = 0, version = 0;
    if (opened.store->Count({}, &count) != Status::kOk || count != round) return "it is not empty";
    if (opened.store->Put(kTreeUser, BytesOf("k"), BytesOf("v"), false, &version) != Status::kOk) return "put failed";
    if (opened.store->Close() != Status::kOk) return "close failed";
  }
  return {};
}

std::string CheckDirectory(const std::string& folder, const Names& names, const CreateOptions& options, bool returned,
                           Counts* counts) {
  const std::string path = folder + "/" + kName;
  std::string temporary;
  bool named = false;
  for (const std::string& name : names) {
    if (name == kName) {
      named = true;
    } else {
      temporary = name;
    }
  }
  if (returned && !named) return "CreateStore has returned, and the name is gone";
  if (named && temporary.empty()) {
    ++counts->named;
    std::string wrong = CheckEmptyStore(path);
    counts->opened += wrong.empty();
    return wrong;
  }
  if (named) {
    // Only without RENAME_NOREPLACE. Refused as linked; whole once the other name is taken away.
    ++counts->both;
    if (OpenStore(path).failure.status != Status::kLinked) return "a file with two names was not refused as linked";
    unlink((folder + "/" + temporary).c_str());
    return CheckEmptyStore(path);
  }
  if (OpenStore(path).failure.status != Status::kAbsent) return "what is not there was not refused as absent";
  if (temporary.empty()) {
    ++counts->nothing;
  } else {
    ++counts->temporary;
    if (temporary.find(".sealog-creating-") == std::string::npos || temporary[0] != '.') return "named " + temporary;
  }
  Failure failure = CreateStore(path, options);
  if (!failure.ok()) return "could not be created anew: " + failure.detail;
  std::string wrong = CheckEmptyStore(path);
  if (wrong.empty() && !temporary.empty()) {
    // Nobody should, but whatever it is, opening it is refused or finds an empty store.
    OpenResult opened = OpenStore(folder + "/" + temporary);
    if (opened.failure.ok()) {
      uint64_t count = 0;
      if (opened.store->Count({}, &count) != Status::kOk || count != 0) wrong = "the temporary file has entries";
    } else {
      ++counts->temporary_refused;
      if (opened.failure.status == Status::kIo) wrong = "the temporary file was refused without a reason";
    }
    opened.store.reset();
    if (unlink((folder + "/" + temporary).c_str()) != 0) return "the temporary file was not left alone";
  }
  return wrong;
}

std::string CheckOne(const std::string& folder, const CreateOptions& options, uint64_t seed, Counts* counts) {
  ++counts->creations;
  std::vector<Step> steps;
  {
    // On a file system with blocks and extents: on tmpfs a creation writes no zeros and looks for no extents.
    Scratch disk(true);
    CreationTap recording;
    Failure failure = CreateStore(disk.path() + "/" + kName, options);
    if (!failure.ok()) return "create failed: " + failure.detail;
    steps = std::move(recording.steps);
  }
  const uint64_t bytes = options.capacity_bytes;
  Device device(std::vector<uint8_t>(bytes), Domain::kDisk);
  // What may be on the device: the length and the names that were ever there since they were last synced.
  std::vector<uint64_t> lengths = {0};
  uint64_t length_when_begun = 0;
  std::vector<Names> names = {{}};
  for (size_t s = 0; s <= steps.size(); ++s) {
    const bool returned = s == steps.size();
    if (!returned) {
      const Step& step = steps[s];
      device.Apply(step.event);
      if (step.kind == Step::kLength && step.length != lengths.back()) lengths.push_back(step.length);
      if (step.kind == Step::kSyncBegin) length_when_begun = lengths.back();
      if (step.kind == Step::kSyncDone) lengths = {length_when_begun};
      // A length is metadata that is needed to read the data back.
      if (step.kind == Step::kWriteDurable) lengths = {lengths.back()};
      if (step.kind == Step::kNames) names.push_back(step.names);
      if (step.kind == Step::kDirectorySync) names = {names.back()};
    }
    ++counts->points;
    for (bool torn : {false, true}) {
      const auto choices = device.Choices(torn);
      bool all = false;
      const size_t count = Device::ImageCount(choices, kPerPoint, &all);
      for (size_t k = 0; k < count; ++k) {
        Random random(Mix(Mix(seed, s * 2 + torn), k));
        const Image image = device.MakeImage(choices, all, k, &random);
        for (uint64_t length : lengths) {
          for (const Names& these : names) {
            if (!counts->distinct
                     .insert(Mix(Mix(image.hash, length), these.size() == 0   ? 0
                                                          : these[0] == kName ? 1
                                                                              : 2) +
                             these.size())
                     .second)
              continue;
            std::vector<uint8_t> content = device.durable();
            for (const auto& [line, now] : image.lines) memcpy(content.data() + line * 64, now.data(), 64);
            const std::string made = folder + "/made";
            std::filesystem::create_directory(made);
            for (const std::string& name : these) {
              const std::string first = made + "/" + these[0];
              if (&name == &these[0]) {
                WriteFile(first, content, length);
              } else {
                static_cast<void>(!link(first.c_str(), (made + "/" + name).c_str()));
              }
            }
            ++counts->images;
            std::string wrong = CheckDirectory(made, these, options, returned, counts);
            std::filesystem::remove_all(made);
            if (!wrong.empty()) {
              return wrong + "; after call " + std::to_string(s) + " of " + std::to_string(steps.size()) + ", image " +
                     std::to_string(k) + (torn ? " of sectors" : " of pages") + ", length " + std::to_string(length) +
                     ", " + std::to_string(these.size()) + " names" + (these.empty() ? "" : ": " + these.back());
            }
          }
        }
      }
    }
  }
  return {};
}

}  // namespace

int CheckCreation(const std::string& folder, uint64_t seed) {
  Counts counts;
  uint64_t violations = 0;
  domain_as = Domain::kDisk;
  struct Case {
    uint32_t segment_bytes, segments;
    bool link;
  };
  for (const Case& c : {Case{kSegmentBytesMin, 16, false}, Case{kSegmentBytesMin, 128, false},
                        Case{64 << 10, 24, false}, Case{kSegmentBytesMin, 24, true}}) {
    CreateOptions options;
    options.segment_bytes = c.segment_bytes;
    options.capacity_bytes = uint64_t{c.segments} * c.segment_bytes;
    no_rename_noreplace = c.link;
    std::string wrong = CheckOne(folder, options, seed, &counts);
    no_rename_noreplace = false;
    if (wrong.empty()) continue;
    ++violations;
    printf("VIOLATION: creation, %u segments of %u%s: %s\n  replay: build/disk/sealog_disk --creation --seed %llu\n",
           c.segments, c.segment_bytes, c.link ? ", by link and unlink" : "", wrong.c_str(),
           static_cast<unsigned long long>(seed));
  }
  using N = unsigned long long;
  printf(
      "creation: %llu creations, %llu points, images %llu; the directory had nothing %llu, a temporary file %llu "
      "(refused as a store %llu), the store %llu (opened empty %llu), two names %llu; violations %llu\n",
      N{counts.creations}, N{counts.points}, N{counts.images}, N{counts.nothing}, N{counts.temporary},
      N{counts.temporary_refused}, N{counts.named}, N{counts.opened}, N{counts.both}, N{violations});
  printf("part: {\"name\":\"creation\",\"images\":%llu,\"distinct\":%zu,\"violations\":%llu}\n", N{counts.images},
         counts.distinct.size(), N{violations});
  return violations == 0 ? 0 : 1;
}

}  // namespace sealog::test
