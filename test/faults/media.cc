// SIGBUS: a page of the mapping that cannot be touched, by userfaultfd poison or by truncation, wherever it is and
// whatever the store is doing.
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "cases.h"
#include "fault.h"
#include "scenarios.h"
#include "support/meta_twin.h"

namespace sealog::faults {
namespace {

constexpr uint64_t kPage = 4096;
constexpr uint32_t kFreePages = 40;  // those that a case may come to use

// Linux 6.6; not in every <linux/userfaultfd.h>.
struct PoisonRequest {
  uffdio_range range;
  uint64_t mode;
  int64_t updated;
};
constexpr uint64_t kFeaturePoison = 1 << 14;
#define SEALOG_UFFDIO_POISON _IOWR(UFFDIO, 0x08, PoisonRequest)

// What a truncation cut off, and where: it comes back when the fault is over.
struct Cut {
  bool active;
  uint64_t from;
  uint64_t bytes;
  uint8_t data[4 << 20];
};
Cut* cut = nullptr;

class Poison {
 public:
  bool Install(const Region& region, uint64_t page) {
    descriptor_ = static_cast<int>(syscall(SYS_userfaultfd, O_CLOEXEC));
    if (descriptor_ < 0) return false;
    uffdio_api api = {UFFD_API, kFeaturePoison, 0};
    if (ioctl(descriptor_, UFFDIO_API, &api) != 0) return false;
    uffdio_register area = {};
    area.range = {reinterpret_cast<uint64_t>(region.base()), region.bytes()};
    area.mode = UFFDIO_REGISTER_MODE_MISSING;
    if (ioctl(descriptor_, UFFDIO_REGISTER, &area) != 0) return false;
    at_ = region.base() + page * kPage;
    // A thread of the store may map the page again in between (EEXIST; a fault maps the pages around it too), and one
    // may be changing the mapping (EAGAIN).
    for (int attempt = 0; attempt < 1000; ++attempt) {
      madvise(at_, kPage, MADV_DONTNEED);
      PoisonRequest request = {{reinterpret_cast<uint64_t>(at_), kPage}, 0, 0};
      if (ioctl(descriptor_, SEALOG_UFFDIO_POISON, &request) == 0) return true;
      if (errno != EEXIST && errno != EAGAIN) return false;
    }
    return false;
  }
  void Heal() const { madvise(at_, kPage, MADV_DONTNEED); }
  ~Poison() {
    if (descriptor_ >= 0) close(descriptor_);
  }

 private:
  int descriptor_ = -1;
  uint8_t* at_ = nullptr;
};

void CutOff(const std::string& path, uint64_t page) {
  const int fd = open(path.c_str(), O_RDWR | O_CLOEXEC);
  const auto bytes = static_cast<uint64_t>(lseek(fd, 0, SEEK_END));
  cut->from = page * kPage;
  cut->bytes = bytes - cut->from;
  if (syscall(SYS_pread64, fd, cut->data, cut->bytes, cut->from) != static_cast<long>(cut->bytes)) abort();
  cut->active = true;
  if (ftruncate(fd, static_cast<off_t>(cut->from)) != 0) abort();
  close(fd);
}

void PutBack(const std::string& path) {
  if (!cut->active) return;
  cut->active = false;
  const int fd = open(path.c_str(), O_RDWR | O_CLOEXEC);
  if (syscall(SYS_pwrite64, fd, cut->data, cut->bytes, cut->from) != static_cast<long>(cut->bytes)) abort();
  close(fd);
}

// By what the page holds in this template.
std::vector<std::string> RegionsOf(const Template& from) {
  const test::MetaPlan made = test::MetaTwin(from.file.data(), from.file.size(), from.file.size()).Plan(true, 1 << 20);
  Plan plan;
  if (!ParsePlan(made.bytes.data(), made.bytes.size(), from.file.size(), &plan).ok()) abort();
  const uint64_t segment_bytes = 1ull << plan.header.segment_bytes_log2;
  std::vector<std::string> regions;
  for (uint64_t at = 0; at < from.file.size(); at += kPage) {
    const PlanSegment& segment = plan.segments[at / segment_bytes];
    const bool first = at % segment_bytes == 0;
    switch (static_cast<SegmentType>(segment.type)) {
      case SegmentType::kMeta:
        regions.emplace_back(at < kCheckpointSlotOffset[0] ? "superblock"
                             : at < kSealRecordOffset[0]   ? "slot"
                             : at < kSegmentTableOffset    ? "seal"
                                                           : "table");
        break;
      case SegmentType::kLog:
        regions.emplace_back(first ? "log-header" : "log");
        break;
      case SegmentType::kLeaf:
        regions.emplace_back(first ? "leaf-bitmap" : "leaf");
        break;
      case SegmentType::kInner:
        regions.emplace_back(first ? "inner-bitmap" : "inner");
        break;
      default:
        regions.emplace_back(first ? "free-first" : "free");
    }
  }
  return regions;
}

enum class Way { kPoison, kPoisonHealed, kTruncate, kTruncateHealed };
constexpr const char* kWayNames[] = {"poison", "poison-healed", "truncate", "truncate-healed"};

bool Heals(Way way) { return way == Way::kPoisonHealed || way == Way::kTruncateHealed; }

void Body(World& world, const Scenario& scenario, Way way, uint64_t page) {
  Poison poison;
  auto install = [&](const Region& region) {
    if (way == Way::kTruncate || way == Way::kTruncateHealed) {
      CutOff(world.place().path, page);
    } else if (!poison.Install(region, page)) {
      world.journal().Problem("untyped: the page cannot be poisoned");
    }
  };
  if (scenario.before != nullptr) {
    scenario.before(world);
    install(world.store()->region());
  } else {
    world.after_map = install;
  }
  // A third of the cases on a thread of their own: the guard is per thread.
  Thread thread;
  if (page % 3 != 1 || !thread.Start("faulted", [&] { scenario.faulted(world); }).ok()) scenario.faulted(world);
  thread.Join();
  world.journal().delivered = world.journal().refused ? 1 : 0;
  if (Heals(way) && world.store() != nullptr) {
    if (way == Way::kPoisonHealed) poison.Heal();
    PutBack(world.place().path);
    // What is not poisoned goes on, over several log segments and a checkpoint, and must not have been harmed.
    if (world.store()->poison().ok() && !world.store()->region().read_only()) {
      for (uint16_t i = 0; i < 120; ++i) world.Put(static_cast<uint16_t>(i * 3), 500);
      if (page % 2 == 0) world.Checkpoint();
    }
  }
  Finish(world, page % 4 < 2);
}

}  // namespace

void RunMedia(Campaign& campaign, double seconds) {
  if (cut == nullptr) {
    cut = static_cast<Cut*>(mmap(nullptr, sizeof(Cut), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  }
  std::vector<Case> cases;
  for (const Scenario& scenario : Scenarios()) {
    if (scenario.from == nullptr || strcmp(scenario.name, "repair") == 0) continue;
    const Template& from = campaign.TemplateNamed(scenario.from);
    const std::vector<std::string> regions = RegionsOf(from);
    for (Way way : {Way::kPoison, Way::kPoisonHealed, Way::kTruncate, Way::kTruncateHealed}) {
      for (Domain domain : {Domain::kMemory, Domain::kDisk, Domain::kOs}) {
        // Poison needs tmpfs; what a private mapping held is gone with the truncation, and would not come back.
        if (domain != Domain::kMemory && way != Way::kTruncate) continue;
        // It opens the store twice, and while it is truncated there is none.
        if (way >= Way::kTruncate && strcmp(scenario.name, "session") == 0) continue;
        uint32_t free_pages = 0;
        for (uint64_t page = 0; page < regions.size(); ++page) {
          if (regions[page].rfind("free", 0) == 0 && ++free_pages > kFreePages) continue;
          Case c;
          c.name = std::string("media/") + kWayNames[static_cast<int>(way)] + "/" + scenario.name + "/" +
                   DomainName(domain) + "/" + regions[page] + "/" + std::to_string(page);
          c.place = campaign.place(domain);
          c.from = &from;
          c.body = [&scenario, way, page](World& world) { Body(world, scenario, way, page); };
          c.before_check = [path = c.place.path] { PutBack(path); };
          cases.push_back(std::move(c));
        }
      }
    }
  }
  campaign.RunAll("media", std::move(cases), seconds);
}

}  // namespace sealog::faults
