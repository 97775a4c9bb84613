// A device that answers EIO: a FUSE server of one file, whose k-th read, write or sync fails.
#include <fcntl.h>
#include <linux/fuse.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>

#include "cases.h"
#include "fault.h"
#include "scenarios.h"

namespace sealog::faults {
namespace {

constexpr uint64_t kFileNode = 2;
constexpr uint32_t kMaxWrite = 128 << 10;
enum Request : uint32_t { kRead, kWrite, kSync, kRequests };
constexpr const char* kRequestNames[] = {"read", "write", "fsync"};

struct Device {
  std::atomic<bool> armed;
  uint32_t request, at;
  bool for_ever;
  std::atomic<uint32_t> seen[kRequests];
  std::atomic<uint32_t> failed;
  uint64_t bytes;
  uint8_t data[4 << 20];
};
Device* device = nullptr;

class Server {
 public:
  explicit Server(int descriptor) : descriptor_(descriptor) {}

  [[noreturn]] void Serve() {
    static char buffer[kMaxWrite + 8192];
    for (;;) {
      const ssize_t n = read(descriptor_, buffer, sizeof buffer);
      if (n < 0 && errno == EINTR) continue;
      if (n < static_cast<ssize_t>(sizeof(fuse_in_header))) _exit(0);
      header_ = reinterpret_cast<const fuse_in_header*>(buffer);
      Answer(header_ + 1);
    }
  }

 private:
  void Reply(int error, const void* data = nullptr, size_t bytes = 0) const {
    fuse_out_header out = {static_cast<uint32_t>(sizeof out + bytes), error, header_->unique};
    const iovec pieces[] = {{&out, sizeof out}, {const_cast<void*>(data), bytes}};
    static_cast<void>(!writev(descriptor_, pieces, bytes != 0 ? 2 : 1));
  }

  static fuse_attr Attributes(uint64_t node) {
    fuse_attr a = {};
    a.ino = node;
    a.mode = node == kFileNode ? S_IFREG | 0600 : S_IFDIR | 0755;
    a.size = node == kFileNode ? device->bytes : 0;
    a.blocks = a.size / 512;
    a.nlink = 1;
    a.blksize = 4096;
    return a;
  }

  static bool Fails(Request request) {
    if (!device->armed) return false;
    const uint32_t n = device->seen[request].fetch_add(1);
    if (request != device->request || (device->for_ever ? n < device->at : n != device->at)) return false;
    device->failed.fetch_add(1);
    return true;
  }

  void Answer(const void* body) {
    switch (header_->opcode) {
      case FUSE_INIT: {
        fuse_init_out out = {};
        out.major = 7;
        out.minor = 31;
        out.max_readahead = 4096;
        out.max_write = kMaxWrite;
        return Reply(0, &out, sizeof out);
      }
      case FUSE_LOOKUP: {
        if (strcmp(static_cast<const char*>(body), "store") != 0) return Reply(-ENOENT);
        fuse_entry_out out = {};
        out.nodeid = kFileNode;
        out.attr = Attributes(kFileNode);
        return Reply(0, &out, sizeof out);
      }
      case FUSE_GETATTR:
      case FUSE_SETATTR: {
        fuse_attr_out out = {};
        out.attr = Attributes(header_->nodeid);
        return Reply(0, &out, sizeof out);
      }
      case FUSE_OPEN:
      case FUSE_OPENDIR: {
        fuse_open_out out = {};
        return Reply(0, &out, sizeof out);
      }
      case FUSE_READDIR: {
        alignas(8) char out[FUSE_DIRENT_ALIGN(FUSE_NAME_OFFSET + 5)] = {};
        auto* entry = reinterpret_cast<fuse_dirent*>(out);
        entry->ino = kFileNode;
        entry->off = 1;
        entry->namelen = 5;
        entry->type = S_IFREG >> 12;
        memcpy(out + FUSE_NAME_OFFSET, "store", 5);
        const bool first = static_cast<const fuse_read_in*>(body)->offset == 0;
        return Reply(0, out, first ? sizeof out : 0);
      }
      case FUSE_READ: {
        if (Fails(kRead)) return Reply(-EIO);
        auto* in = static_cast<const fuse_read_in*>(body);
        if (in->offset >= device->bytes) return Reply(0);
        return Reply(0, device->data + in->offset, std::min<uint64_t>(in->size, device->bytes - in->offset));
      }
      case FUSE_WRITE: {
        if (Fails(kWrite)) return Reply(-EIO);
        auto* in = static_cast<const fuse_write_in*>(body);
        if (in->offset + in->size > device->bytes) return Reply(-EFBIG);
        memcpy(device->data + in->offset, in + 1, in->size);
        fuse_write_out out = {in->size, 0};
        return Reply(0, &out, sizeof out);
      }
      case FUSE_FSYNC:
        return Reply(Fails(kSync) ? -EIO : 0);
      case FUSE_STATFS: {
        fuse_statfs_out out = {};
        out.st.bsize = out.st.frsize = 4096;
        out.st.blocks = 1 << 20;
        return Reply(0, &out, sizeof out);
      }
      case FUSE_FORGET:
      case FUSE_BATCH_FORGET:
      case FUSE_INTERRUPT:
        return;
      case FUSE_FLUSH:
      case FUSE_RELEASE:
      case FUSE_RELEASEDIR:
        return Reply(0);
      default:
        return Reply(-ENOSYS);
    }
  }

  int descriptor_;
  const fuse_in_header* header_ = nullptr;
};

pid_t server = 0;

bool StartServer(const std::string& at) {
  const int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
  if (fd < 0) return false;
  const std::string options = "fd=" + std::to_string(fd) + ",rootmode=40000,user_id=0,group_id=0";
  if (mount("sealog-faults", at.c_str(), "fuse", MS_NOSUID | MS_NODEV, options.c_str()) != 0) {
    close(fd);
    return false;
  }
  fflush(nullptr);
  server = fork();
  if (server == 0) Server(fd).Serve();
  close(fd);
  return server > 0;
}

void StopServer(const std::string& at) {
  umount2(at.c_str(), MNT_DETACH);
  kill(server, SIGKILL);
  waitpid(server, nullptr, 0);
}

Case Make(Campaign& campaign, const std::string& at, const Scenario& scenario, Request request, uint32_t k,
          bool for_ever) {
  Case c;
  c.name = std::string("fuse/") + scenario.name + "/" + kRequestNames[request] + "/" +
           (k == UINT32_MAX ? "none" : std::to_string(k)) + (for_ever ? "/forever" : "/once");
  c.place = {at + "/store", Durability::kSync};
  c.from = &campaign.TemplateNamed(scenario.from);
  c.install = [at, from = c.from] {
    device->armed = false;
    device->bytes = from->file.size();
    memcpy(device->data, from->file.data(), from->file.size());
    if (!StartServer(at)) abort();
  };
  c.body = [&scenario, request, k, for_ever](World& world) {
    if (scenario.before != nullptr) scenario.before(world);
    for (auto& n : device->seen) n = 0;
    device->request = request;
    device->at = k;
    device->for_ever = for_ever;
    device->failed = 0;
    device->armed = true;
    scenario.faulted(world);
    world.journal().calls = device->seen[request];
    world.journal().delivered = device->failed;
    // A write of the store that serves: nothing more may be promised. (One failed page of many is a short write, which
    // is made whole.)
    const bool told = request == kSync || (request == kWrite && for_ever);
    if (scenario.before != nullptr && told && device->failed != 0) NoteDurableWriteFailed();
    Finish(world, k % 2 == 0);
  };
  c.before_check = [] { device->armed = false; };
  c.cleanup = [at] { StopServer(at); };
  return c;
}

}  // namespace

void RunFuse(Campaign& campaign, double seconds) {
  const std::string at = campaign.root() + "/fuse";
  mkdir(at.c_str(), 0755);
  if (!campaign.can_mount() || !StartServer(at)) return campaign.Skip("FUSE: needs root and /dev/fuse");
  StopServer(at);
  device =
      static_cast<Device*>(mmap(nullptr, sizeof(Device), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  std::vector<Case> cases;
  for (const Scenario& scenario : Scenarios()) {
    if (scenario.from == nullptr || strcmp(scenario.name, "repair") == 0) continue;
    for (Request request : {kRead, kWrite, kSync}) {
      const auto calls =
          static_cast<uint32_t>(campaign.Count(Make(campaign, at, scenario, request, UINT32_MAX, false)).size());
      for (uint32_t k = 0; k < calls; ++k) {
        for (bool for_ever : {false, true}) cases.push_back(Make(campaign, at, scenario, request, k, for_ever));
      }
    }
  }
  campaign.RunAll("fuse", std::move(cases), seconds);
}

}  // namespace sealog::faults
