#include "cases.h"

#include <fcntl.h>
#include <malloc.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstring>
#include <random>

#include "fault.h"
#include "platform/directory.h"

namespace sealog::faults {
namespace {

constexpr unsigned kHangSeconds = 30;

volatile sig_atomic_t interruption = 0;

bool Shell(const std::string& command) { return system((command + " >/dev/null 2>&1").c_str()) == 0; }

void WriteFile(const std::string& path, const std::vector<uint8_t>& content) {
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  size_t done = 0;
  while (done < content.size()) {
    const ssize_t n = write(fd, content.data() + done, content.size() - done);
    if (n <= 0) abort();
    done += static_cast<size_t>(n);
  }
  close(fd);
}

std::vector<uint8_t> ReadFile(const std::string& path) {
  std::vector<uint8_t> content;
  FILE* file = fopen(path.c_str(), "re");
  uint8_t buffer[1 << 16];
  for (size_t n; file != nullptr && (n = fread(buffer, 1, sizeof buffer, file)) != 0;) {
    content.insert(content.end(), buffer, buffer + n);
  }
  if (file != nullptr) fclose(file);
  return content;
}

// Values small and large, over several leaves and log segments, with removes.
void Populate(World& world) {
  for (uint16_t i = 0; i < 300; ++i) {
    if (i == 150) world.Checkpoint();
    world.Put(static_cast<uint16_t>(i * 37 % 300), i % 97 == 5 ? 9000 : 20 + i % 150);
  }
  for (uint16_t i = 0; i < 300; i += 9) world.Remove(i);
}

void MakeTail(World& world) {
  for (uint16_t i = 0; i < 40; ++i) world.Put(static_cast<uint16_t>(i * 11 % kKeyCount), 30 + i);
  world.Batch(200, 30, 60);
  for (uint16_t i = 0; i < 10; ++i) world.Remove(static_cast<uint16_t>(i * 13));
  for (uint16_t i = 0; i < 10; ++i) world.Put(static_cast<uint16_t>(310 + i), 70, true);
  world.Commit();
}

}  // namespace

bool Campaign::interrupted() { return interruption != 0; }

Campaign::Campaign() {
  struct sigaction stop = {};
  stop.sa_handler = [](int) { interruption = 1; };
  sigaction(SIGINT, &stop, nullptr);
  sigaction(SIGTERM, &stop, nullptr);
  signal(SIGPIPE, SIG_IGN);  // output that nobody reads is no reason to leave mounts and files behind
  void* shared = mmap(nullptr, sizeof(Journal), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  journal_ = new (shared) Journal();
}

Campaign::~Campaign() {
  while (!mounts_.empty()) Unmount(mounts_.back());
  if (!root_.empty()) Shell("rm -rf --one-file-system '" + root_ + "'");
  munmap(journal_, sizeof(Journal));
}

// In a mount namespace of its own, where root has one: whatever ends this process, its mounts end with it, and with
// them their loop devices.
bool Campaign::Prepare() {
  can_mount_ =
      geteuid() == 0 && unshare(CLONE_NEWNS) == 0 && mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
  std::string pattern = "/dev/shm/sealog-faults-XXXXXX";
  if (mkdtemp(pattern.data()) == nullptr) return false;
  root_ = pattern;
  chmod(root_.c_str(), 0755);  // for cases of other users
  std::string disk = LoopExt4("disk", 48);
  if (disk.empty()) {
    printf("SKIPPED: a loop-mounted ext4 (%s); the domains disk and os are tried in the working directory\n",
           can_mount_ ? "mkfs.ext4 or mount failed" : "needs root");
    disk = root_ + "/disk-link";
    std::string here = std::string(get_current_dir_name()) + "/sealog-faults-XXXXXX";
    if (mkdtemp(here.data()) == nullptr || symlink(here.c_str(), disk.c_str()) != 0) return false;
  }
  for (auto [domain, base, name] : {std::tuple(Domain::kMemory, root_, "memory"), std::tuple(Domain::kDisk, disk, "d"),
                                    std::tuple(Domain::kOs, disk, "o")}) {
    const std::string directory = base + "/" + name;
    mkdir(directory.c_str(), 0700);
    places_[domain] = {directory + "/store", domain == Domain::kOs ? Durability::kRelaxed : Durability::kSync};
  }
  for (const char* name : {"empty", "clean", "tail"}) {
    *journal_ = Journal();
    const Place& place = places_[Domain::kMemory];
    const int died = InChild([&] {
      World world(place, journal_);
      if (!world.Create() || !world.Open()) return;
      if (strcmp(name, "empty") != 0) Populate(world);
      world.Close();
      if (strcmp(name, "tail") != 0 || !world.Open()) return;
      MakeTail(world);
      world.Drop();
    });
    if (died != 0 || journal_->refused || journal_->problem[0] != 0) {
      printf("the store to begin with (%s) cannot be made: %s\n", name, journal_->problem);
      return false;
    }
    templates_[name] = std::make_unique<Template>(Template{ReadFile(place.path), *journal_});
    unlink(place.path.c_str());
  }
  return true;
}

bool Campaign::Mount(const std::string& type, const std::string& options, const std::string& source,
                     const std::string& at) {
  if (!can_mount_) return false;
  mkdir(at.c_str(), 0755);
  const std::string with = options.empty() ? "" : " -o " + options;
  if (!Shell("mount -t " + type + with + " '" + source + "' '" + at + "'")) return false;
  mounts_.push_back(at);
  return true;
}

void Campaign::Unmount(const std::string& at) {
  if (umount2(at.c_str(), 0) != 0) umount2(at.c_str(), MNT_DETACH);
  std::erase(mounts_, at);
}

std::string Campaign::LoopExt4(const std::string& name, int megabytes) {
  const std::string image = root_ + "/" + name + ".image", at = root_ + "/" + name;
  unlink(image.c_str());
  if (!can_mount_ || !Shell("truncate -s " + std::to_string(megabytes) + "M '" + image + "' && mkfs.ext4 -F -q -m 0 '" +
                            image + "'")) {
    return "";
  }
  return Mount("ext4", "loop", image, at) ? at : "";
}

std::string Campaign::Tmpfs(const std::string& name, int megabytes) {
  const std::string at = root_ + "/" + name;
  return Mount("tmpfs", "size=" + std::to_string(megabytes) + "m", "tmpfs", at) ? at : "";
}

int Campaign::InChild(const std::function<void()>& body) const {
  fflush(nullptr);
  const pid_t child = fork();
  if (child < 0) abort();
  if (child == 0) {
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    alarm(kHangSeconds);
    mallopt(M_ARENA_MAX, 1);  // so that threads leave no reservations of their own
    if (!verbose) {
      const int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
      dup2(null, STDERR_FILENO);
      close(null);
    }
    body();
    fflush(nullptr);
    _exit(0);
  }
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
  return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

void Campaign::Install(const Case& c) {
  if (c.install) {
    *journal_ = c.from->journal;
    journal_->Forget();
    return c.install();
  }
  for (const std::string& left : ListDirectory(c.place.path.substr(0, c.place.path.rfind('/')), 100)) {
    unlink((c.place.path.substr(0, c.place.path.rfind('/')) + "/" + left).c_str());
  }
  if (c.from == nullptr) {
    *journal_ = Journal();
    return;
  }
  *journal_ = c.from->journal;
  journal_->Forget();
  WriteFile(c.place.path, c.from->file);
}

bool Campaign::Run(const Case& c) {
  Install(c);
  const int died = InChild([&] {
    World world(c.place, journal_);
    const Footprint before = Footprint::Of(c.place.path);
    c.body(world);
    Disarm();
    world.Drop();
    const Footprint after = Footprint::Of(c.place.path);
    if (before != after) {
      journal_->Problem("leak: descriptors %d, mappings %d, threads %d before; %d, %d, %d after", before.descriptors,
                        before.mappings, before.threads, after.descriptors, after.mappings, after.threads);
    }
    File file;
    if (File::Open(c.place.path, OpenMode::kReadWrite, &file).ok() && !file.LockExclusive().ok()) {
      journal_->Problem("leak: the lock is still held");
    }
  });
  const std::string kind = c.name.substr(0, c.name.find('/'));
  Counts& counts = kinds[kind];
  ++counts.cases;
  if (journal_->delivered != 0) ++counts.hit;
  if (journal_->refused) ++counts.refused;
  if (died == SIGABRT && c.may_abort) {
    ++counts.aborts;
    ++aborted_in[c.name.substr(0, c.name.find('/', kind.size() + 1))];
  } else if (died != 0) {
    journal_->Problem(died == SIGALRM ? "hang: no answer in %d seconds" : "crash: signal %d",
                      died == SIGALRM ? static_cast<int>(kHangSeconds) : died);
  }
  if (c.before_check) c.before_check();
  const bool ended_badly = died != 0;
  if (journal_->problem[0] == 0) {
    journal_->refused = false;
    const int checker = InChild([&] { CheckAfterwards(c.place, journal_, ended_badly); });
    if (checker != 0) journal_->Problem("crash: signal %d when it is opened again", checker);
  }
  if (c.cleanup) c.cleanup();
  if (journal_->problem[0] == 0 || interrupted()) return true;
  const std::string problem = journal_->problem;
  const size_t colon = problem.find(':');
  ++problems[problem.substr(0, colon)];
  printf("FAILED %s\n  %s\n  replay: npm run test:faults -- --case %s --seed %lu\n", c.name.c_str(), problem.c_str(),
         c.name.c_str(), static_cast<unsigned long>(seed));
  return false;
}

std::vector<std::string> Campaign::Count(const Case& c) {
  if (interrupted()) return {};
  Install(c);
  InChild([&] {
    World world(c.place, journal_);
    c.body(world);
    Disarm();
    world.Drop();
  });
  if (c.before_check) c.before_check();
  if (c.cleanup) c.cleanup();
  if (journal_->problem[0] != 0) printf("%s without a fault: %s\n", c.name.c_str(), journal_->problem);
  std::vector<std::string> names;
  for (uint32_t i = 0; i < std::min(journal_->calls, Journal::kNamesMax); ++i) names.emplace_back(journal_->names[i]);
  return names;
}

void Campaign::RunAll(const char* kind, std::vector<Case> cases, double seconds) {
  if (!only.empty()) {
    for (const Case& c : cases) {
      if (c.name == only) printf("%s: %s\n", c.name.c_str(), Run(c) ? "ok" : "FAILED");
    }
    return;
  }
  std::erase_if(cases, [&](const Case& c) { return c.name.find(match) == std::string::npos; });
  kinds[kind].all += cases.size();
  std::mt19937_64 random(seed);
  std::shuffle(cases.begin(), cases.end(), random);
  const auto begin = std::chrono::steady_clock::now();
  for (const Case& c : cases) {
    if (interrupted()) break;
    Run(c);
    if (!run_all && std::chrono::steady_clock::now() - begin > std::chrono::duration<double>(seconds)) break;
  }
}

void Finish(World& world, bool close) {
  Disarm();
  if (world.store() == nullptr) return;
  world.Compare(false);
  if (DurableWriteFailed() && world.store()->poison().ok()) {
    world.journal().Problem("poison: a durable write failed, and the store goes on");
  }
  if (!world.store()->poison().ok() && !world.store()->region().read_only())
    world.Put(3, 10);  // refused: End sees to it
  if (close) {
    world.Close();
  } else {
    world.Drop();
  }
}

}  // namespace sealog::faults
