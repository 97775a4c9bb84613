#include "fuse_server.h"

#include <fcntl.h>
#include <linux/fuse.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <map>

namespace sealog::test {
namespace {

constexpr uint64_t kLogBytes = 1ull << 30;  // not touched before it is used
constexpr uint32_t kWriteBytesMax = 64 << 10;
constexpr uint64_t kValidSeconds = 99;

// In the log: a header and the content, one behind the other, behind a count of bytes.
struct LogHeader {
  uint32_t sync, thread;
  uint64_t offset, bytes;
};

class Server {
 public:
  Server(int fd, uint8_t* log) : fd_(fd), log_(log) {}

  [[noreturn]] void Run() {
    static char buffer[kWriteBytesMax + 4096];
    for (;;) {
      const ssize_t n = read(fd_, buffer, sizeof buffer);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) _exit(0);
      Serve(*reinterpret_cast<fuse_in_header*>(buffer), buffer + sizeof(fuse_in_header));
    }
  }

 private:
  void Reply(const fuse_in_header& in, int error, const void* data = nullptr, size_t bytes = 0) {
    fuse_out_header out{static_cast<uint32_t>(sizeof out + bytes), -error, in.unique};
    iovec pieces[2] = {{&out, sizeof out}, {const_cast<void*>(data), bytes}};
    static_cast<void>(!writev(fd_, pieces, bytes != 0 ? 2 : 1));
  }
  fuse_attr Attributes(uint64_t node) {
    fuse_attr a{};
    a.ino = node;
    a.nlink = 1;
    a.blksize = 4096;
    a.mode = node == FUSE_ROOT_ID ? S_IFDIR | 0755 : S_IFREG | 0600;
    if (node != FUSE_ROOT_ID) a.size = files_[node].size();
    a.blocks = (a.size + 511) / 512;
    return a;
  }
  fuse_entry_out Entry(uint64_t node) {
    fuse_entry_out e{};
    e.nodeid = node;
    e.attr_valid = e.entry_valid = kValidSeconds;
    e.attr = Attributes(node);
    return e;
  }
  void Log(const fuse_in_header& in, bool sync, uint64_t offset, const void* content, uint64_t bytes) {
    auto* used = reinterpret_cast<uint64_t*>(log_);
    const uint64_t need = sizeof(LogHeader) + (bytes + 7) / 8 * 8;
    if (sizeof *used + *used + need > kLogBytes) _exit(3);
    const LogHeader header{sync, in.pid, offset, bytes};
    memcpy(log_ + sizeof *used + *used, &header, sizeof header);
    if (bytes != 0) memcpy(log_ + sizeof *used + *used + sizeof header, content, bytes);
    *used += need;
  }
  void Serve(const fuse_in_header& in, const char* body) {
    switch (in.opcode) {
      case FUSE_INIT: {
        fuse_init_out out{};
        out.major = FUSE_KERNEL_VERSION;
        out.minor = 31;
        out.max_readahead = 65536;
        out.flags = FUSE_BIG_WRITES;
        out.max_write = kWriteBytesMax;
        return Reply(in, 0, &out, sizeof out);
      }
      case FUSE_LOOKUP: {
        auto it = names_.find(body);
        if (it == names_.end()) return Reply(in, ENOENT);
        const fuse_entry_out e = Entry(it->second);
        return Reply(in, 0, &e, sizeof e);
      }
      case FUSE_CREATE: {
        struct {
          fuse_entry_out entry;
          fuse_open_out open;
        } out{};
        const uint64_t node = ++last_node_;
        names_[body + sizeof(fuse_create_in)] = node;
        files_[node];
        out.entry = Entry(node);
        out.open.fh = node;
        out.open.open_flags = FOPEN_KEEP_CACHE;
        return Reply(in, 0, &out, sizeof out);
      }
      case FUSE_SETATTR: {
        const auto* set = reinterpret_cast<const fuse_setattr_in*>(body);
        if ((set->valid & FATTR_SIZE) != 0) files_[in.nodeid].resize(set->size);
        [[fallthrough]];
      }
      case FUSE_GETATTR: {
        fuse_attr_out out{};
        out.attr_valid = kValidSeconds;
        out.attr = Attributes(in.nodeid);
        return Reply(in, 0, &out, sizeof out);
      }
      case FUSE_OPEN:
      case FUSE_OPENDIR: {
        fuse_open_out out{};
        out.fh = in.nodeid;
        out.open_flags = FOPEN_KEEP_CACHE;
        return Reply(in, 0, &out, sizeof out);
      }
      case FUSE_READ: {
        const auto* what = reinterpret_cast<const fuse_read_in*>(body);
        const std::vector<uint8_t>& file = files_[in.nodeid];
        if (what->offset >= file.size()) return Reply(in, 0);
        return Reply(in, 0, file.data() + what->offset, std::min<uint64_t>(what->size, file.size() - what->offset));
      }
      case FUSE_WRITE: {
        const auto* what = reinterpret_cast<const fuse_write_in*>(body);
        std::vector<uint8_t>& file = files_[in.nodeid];
        if (what->offset + what->size > file.size()) file.resize(what->offset + what->size);
        memcpy(file.data() + what->offset, what + 1, what->size);
        Log(in, false, what->offset, what + 1, what->size);
        const fuse_write_out out{what->size, 0};
        return Reply(in, 0, &out, sizeof out);
      }
      case FUSE_FSYNC:
        Log(in, true, 0, nullptr, 0);
        return Reply(in, 0);
      case FUSE_RENAME2: {
        const char* from = body + sizeof(fuse_rename2_in);
        const char* to = from + strlen(from) + 1;
        names_[to] = names_[from];
        names_.erase(from);
        return Reply(in, 0);
      }
      case FUSE_UNLINK:
        names_.erase(body);
        return Reply(in, 0);
      case FUSE_STATFS: {
        fuse_statfs_out out{};
        out.st = {1 << 20, 1 << 20, 1 << 20, 1 << 20, 1 << 20, 4096, 255, 4096, 0, {}};
        return Reply(in, 0, &out, sizeof out);
      }
      case FUSE_FORGET:
      case FUSE_BATCH_FORGET:
      case FUSE_INTERRUPT:
        return;
      case FUSE_FLUSH:
      case FUSE_RELEASE:
      case FUSE_RELEASEDIR:
      case FUSE_FSYNCDIR:
        return Reply(in, 0);
      default:
        return Reply(in, ENOSYS);
    }
  }

  int fd_;
  uint8_t* log_;
  uint64_t last_node_ = FUSE_ROOT_ID;
  std::map<std::string, uint64_t> names_;
  std::map<uint64_t, std::vector<uint8_t>> files_;
};

}  // namespace

std::string FuseServer::Start(const std::string& folder) {
  if (geteuid() != 0) return "mounting needs root";
  const int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
  if (fd < 0) return std::string("/dev/fuse: ") + strerror(errno);
  // In a mount namespace of its own, so that nothing stays mounted whatever becomes of this process.
  if (unshare(CLONE_NEWNS) != 0 || mount("", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
    const int error = errno;
    close(fd);
    return std::string("a mount namespace: ") + strerror(error);
  }
  char options[128];
  snprintf(options, sizeof options, "fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other", fd);
  if (mount("sealog", folder.c_str(), "fuse", MS_NOSUID | MS_NODEV, options) != 0) {
    const int error = errno;
    close(fd);
    return std::string("mount: ") + strerror(error);
  }
  folder_ = folder;
  void* p = mmap(nullptr, kLogBytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (p == MAP_FAILED) abort();
  log_ = static_cast<uint8_t*>(p);
  process_ = fork();
  if (process_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    Server(fd, log_).Run();
  }
  close(fd);
  return {};
}

void FuseServer::Stop() {
  if (process_ < 0) return;
  umount2(folder_.c_str(), MNT_DETACH);
  kill(process_, SIGKILL);
  waitpid(process_, nullptr, 0);
  process_ = -1;
}

std::vector<Request> FuseServer::Requests() const {
  std::vector<Request> out;
  uint64_t used;
  memcpy(&used, log_, sizeof used);
  for (uint64_t at = sizeof used; at < sizeof used + used;) {
    LogHeader header;
    memcpy(&header, log_ + at, sizeof header);
    const uint8_t* content = log_ + at + sizeof header;
    out.push_back({header.sync != 0, header.thread, header.offset, {content, content + header.bytes}});
    at += sizeof header + (header.bytes + 7) / 8 * 8;
  }
  return out;
}

}  // namespace sealog::test
