// File systems that are full, read-only, dead or somebody else's.
#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "cases.h"
#include "fault.h"
#include "region/doctor.h"
#include "scenarios.h"

namespace sealog::faults {
namespace {

constexpr int kSmallMegabytes = 16;
constexpr uid_t kNobody = 65534;
#define SEALOG_EXT4_IOC_SHUTDOWN _IOR('X', 125, uint32_t)

// Takes all the space there is but `left` bytes.
void FillUp(const std::string& path, uint64_t left) {
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  const int spare = open((path + "-spare").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (left != 0 && fallocate(spare, 0, 0, static_cast<off_t>(left)) != 0) abort();
  off_t at = 0;
  for (off_t step = 1 << 20; step >= 4096; step /= 2) {
    while (fallocate(fd, 0, at, step) == 0) at += step;
  }
  close(fd);
  close(spare);
  unlink((path + "-spare").c_str());
}

void Punch(const std::string& path, uint64_t from, uint64_t bytes) {
  const int fd = open(path.c_str(), O_RDWR | O_CLOEXEC);
  if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(from), static_cast<off_t>(bytes)) !=
      0) {
    abort();
  }
  fsync(fd);
  close(fd);
}

void Expect(World& world, const char* what, Status status, Status expected) {
  if (status != expected) {
    world.journal().Problem("untyped: %s answered %d where %d belongs", what, static_cast<int>(status),
                            static_cast<int>(expected));
  }
  world.journal().refused = true;
  world.journal().delivered = 1;
}

Status OpenStatus(const std::string& path, bool read_only) {
  std::unique_ptr<Region> region;
  RegionOptions options;
  options.read_only = read_only;
  return Region::Open(path, options, &region).status;
}

// A file system of its own: the store's directory in it, and a file that takes the rest.
struct Small {
  std::string at;
  Place place;
  std::string filler() const { return at + "/filler"; }
};

Small MakeSmall(const std::string& at, Durability durability) {
  if (!at.empty()) mkdir((at + "/s").c_str(), 0755);
  return {at, {at + "/s/store", durability}};
}

void AddCreations(const Small& small, const char* name, std::vector<Case>* cases) {
  for (int megabytes : {kSmallMegabytes + 1, 24, 64, 4096}) {
    Case c;
    c.name = std::string("space/create/") + name + "/" + std::to_string(megabytes) + "MiB";
    c.place = small.place;
    c.body = [megabytes](World& world) {
      CreateOptions options = SmallStore(world.place().durability);
      options.capacity_bytes = uint64_t(megabytes) << 20;
      Expect(world, "create", CreateStore(world.place().path, options).status, Status::kNoSpace);
    };
    cases->push_back(c);
  }
  for (uint64_t left : {0, 16, 256, 1024, 1400, 1520, 1536, 1600, 2048}) {
    Case c;
    c.name = std::string("space/create-in/") + name + "/" + std::to_string(left) + "KiB";
    c.place = small.place;
    c.body = [small, left](World& world) {
      FillUp(small.filler(), left << 10);
      Failure failure = CreateStore(world.place().path, SmallStore(world.place().durability));
      world.journal().exists = failure.ok();
      if (!failure.ok()) Expect(world, "create", failure.status, Status::kNoSpace);
    };
    c.before_check = [small] { unlink(small.filler().c_str()); };
    cases->push_back(c);
  }
}

// The free segments are holes, but for the first `kept`, and there is no space to fill them with.
void AddHoles(Campaign& campaign, const Small& small, const char* name, std::vector<Case>* cases) {
  for (const Scenario& scenario : Scenarios()) {
    if (scenario.from == nullptr || strcmp(scenario.name, "repair") == 0) continue;
    for (uint64_t kept : {0, 1, 2, 3, 5, 9}) {
      Case c;
      c.name = std::string("space/holes/") + name + "/" + scenario.name + "/" + std::to_string(kept);
      c.place = small.place;
      c.from = &campaign.TemplateNamed(scenario.from);
      c.body = [small, &scenario, kept](World& world) {
        // Behind the last segment in use: segments are taken one after the other.
        const uint64_t segment = SmallStore(Durability::kSync).segment_bytes;
        uint64_t used = 0;
        if (world.Open(true)) {
          const Region& region = world.store()->region();
          for (uint64_t at = 0; at < region.bytes(); at += segment) {
            bool empty = true;
            for (uint64_t i = 0; empty && i < segment; ++i) empty = region.base()[at + i] == 0;
            if (!empty) used = at / segment + 1;
          }
          world.Drop();
        }
        const uint64_t from = (used + kept) * segment;
        Punch(world.place().path, from, SmallStore(Durability::kSync).capacity_bytes - from);
        FillUp(small.filler(), 0);
        if (scenario.before != nullptr) scenario.before(world);
        if (world.store() != nullptr || scenario.before == nullptr) scenario.faulted(world);
        world.journal().delivered = world.journal().refused ? 1 : 0;
        Finish(world, kept % 2 == 0);
      };
      c.before_check = [small] { unlink(small.filler().c_str()); };
      cases->push_back(c);
    }
  }
}

void AddReadOnly(Campaign& campaign, const Small& small, const char* name, std::vector<Case>* cases) {
  for (const char* from : {"empty", "clean", "tail"}) {
    Case c;
    c.name = std::string("space/read-only/") + name + "/" + from;
    c.place = small.place;
    c.from = &campaign.TemplateNamed(from);
    c.body = [small](World& world) {
      if (mount("none", small.at.c_str(), nullptr, MS_REMOUNT | MS_RDONLY, nullptr) != 0) {
        return world.journal().Problem("untyped: it cannot be remounted read-only: errno %d", errno);
      }
      Expect(world, "open", OpenStatus(world.place().path, false), Status::kPermission);
      Expect(world, "create", CreateStore(small.at + "/s/other", SmallStore(Durability::kSync)).status,
             Status::kPermission);
      DirectoryFacts facts;
      Expect(world, "doctor", Diagnose(small.at + "/s", &facts).status, Status::kPermission);
      if (!world.Open(true)) return world.journal().Problem("lost: it does not open read-only");
      world.Compare(true);
      uint64_t version;
      const uint8_t key = 'k';
      Expect(world, "put", world.store()->Put(0, {&key, 1}, {}, false, &version), Status::kReadOnly);
      world.Close();
    };
    c.before_check = [small] { mount("none", small.at.c_str(), nullptr, MS_REMOUNT, nullptr); };
    cases->push_back(c);
  }
}

struct Access {
  const char* name;
  uid_t owner;
  mode_t file;
  mode_t directory;
  Status writing;
  Status reading;
  Status creating;
};
constexpr Access kAccesses[] = {
    {"owner-none", kNobody, 0000, 0755, Status::kPermission, Status::kPermission, Status::kPermission},
    {"owner-read", kNobody, 0400, 0755, Status::kPermission, Status::kOk, Status::kPermission},
    {"owner-write", kNobody, 0200, 0755, Status::kPermission, Status::kPermission, Status::kPermission},
    {"other-none", 0, 0600, 0755, Status::kPermission, Status::kPermission, Status::kPermission},
    {"other-read", 0, 0644, 0755, Status::kPermission, Status::kOk, Status::kPermission},
    {"other-all", 0, 0666, 0777, Status::kOk, Status::kOk, Status::kOk},
    {"closed-directory", kNobody, 0600, 0700, Status::kPermission, Status::kPermission, Status::kPermission},
};

void AddPermissions(Campaign& campaign, Domain domain, std::vector<Case>* cases) {
  for (const Access& access : kAccesses) {
    Case c;
    c.name = std::string("space/permission/") + DomainName(domain) + "/" + access.name;
    c.place = campaign.place(domain);
    c.from = &campaign.TemplateNamed("tail");
    const std::string directory = c.place.path.substr(0, c.place.path.rfind('/'));
    c.body = [access, directory](World& world) {
      const std::string& path = world.place().path;
      if (chown(path.c_str(), access.owner, access.owner) != 0 || chmod(path.c_str(), access.file) != 0 ||
          chmod(directory.c_str(), access.directory) != 0 || seteuid(kNobody) != 0) {
        abort();
      }
      Expect(world, "open to write", OpenStatus(path, false), access.writing);
      Expect(world, "open to read", OpenStatus(path, true), access.reading);
      const std::string other = directory + "/other";
      Expect(world, "create", CreateStore(other, SmallStore(Durability::kSync)).status, access.creating);
      if (seteuid(0) != 0) abort();
      unlink(other.c_str());
    };
    c.before_check = [directory, path = c.place.path] {
      chmod(directory.c_str(), 0700);
      if (chown(path.c_str(), 0, 0) != 0) abort();
    };
    cases->push_back(c);
  }
}

std::string shut_down;

void ShutDown() {
  const int fd = open(shut_down.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  uint32_t no_log_flush = 2;
  ioctl(fd, SEALOG_EXT4_IOC_SHUTDOWN, &no_log_flush);
  close(fd);
}

// The file system dies at the k-th system call: its caches are lost, and what is acknowledged must be on the device.
void AddShutdowns(Campaign& campaign, const Small& small, std::vector<Case>* cases) {
  shut_down = small.at;
  for (const Scenario& scenario : Scenarios()) {
    if (scenario.from == nullptr || strcmp(scenario.name, "session") == 0) continue;
    Case c;
    c.place = small.place;
    c.from = &campaign.TemplateNamed(scenario.from);
    auto body = [&scenario](const Fault& fault) {
      return [&scenario, fault](World& world) {
        sync();
        if (scenario.before != nullptr) scenario.before(world);
        Arm(fault, &world.journal());
        scenario.faulted(world);
        Finish(world, fault.at % 2 == 0);
      };
    };
    Fault none;
    none.seam = Seam::kSyscall;
    c.body = body(none);
    const std::string prefix = std::string("space/shutdown/") + scenario.name + "/";
    c.name = prefix + "none";
    if (!campaign.only.empty() && campaign.only.rfind(prefix, 0) != 0) continue;
    const size_t calls = campaign.Count(c).size();
    for (uint32_t k = 0; k < calls; ++k) {
      Fault fault = none;
      fault.at = k;
      fault.instead = ShutDown;
      c.body = body(fault);
      c.name = prefix + std::to_string(k);
      c.before_check = [&campaign, small] {
        campaign.Unmount(small.at);
        if (!campaign.Mount("ext4", "loop", campaign.root() + "/dying.image", small.at)) abort();
      };
      cases->push_back(c);
    }
  }
}

}  // namespace

void RunSpace(Campaign& campaign, double seconds) {
  if (!campaign.can_mount()) {
    return campaign.Skip("full, read-only and dying file systems, other users: needs root");
  }
  const std::string ext4 = campaign.LoopExt4("small-ext4", kSmallMegabytes);
  const std::string tmpfs = campaign.Tmpfs("small-tmpfs", kSmallMegabytes);
  const std::string dying = campaign.LoopExt4("dying", kSmallMegabytes);
  std::vector<Case> cases;
  if (ext4.empty() || dying.empty()) {
    campaign.Skip("a small ext4: mkfs.ext4 or mount failed");
  } else {
    const Small disk = MakeSmall(ext4, Durability::kSync), os = MakeSmall(ext4, Durability::kRelaxed);
    AddCreations(disk, "ext4", &cases);
    AddHoles(campaign, disk, "disk", &cases);
    AddHoles(campaign, os, "os", &cases);
    AddReadOnly(campaign, disk, "ext4", &cases);
    AddPermissions(campaign, Domain::kDisk, &cases);
    AddShutdowns(campaign, MakeSmall(dying, Durability::kSync), &cases);
  }
  if (tmpfs.empty()) {
    campaign.Skip("a small tmpfs: mount failed");
  } else {
    const Small memory = MakeSmall(tmpfs, Durability::kSync);
    AddCreations(memory, "tmpfs", &cases);
    AddHoles(campaign, memory, "memory", &cases);
    AddReadOnly(campaign, memory, "tmpfs", &cases);
    AddPermissions(campaign, Domain::kMemory, &cases);
  }
  campaign.RunAll("space", std::move(cases), seconds);
}

}  // namespace sealog::faults
