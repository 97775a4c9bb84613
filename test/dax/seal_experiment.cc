// The seal experiment: what durable puts into a store cost whose file is at a given seal level, with and without
// MAP_SYNC.
//   sealog_seal_experiment PATH ext4|xfs JOURNAL sparse|allocated|sealed|populated sync|nosync|relaxed quiet|load PUTS
//   WARM_UP
// Prints one line of JSON. JOURNAL is the file of /proc that counts the file system's journal commits. "load": another
// process makes, renames and removes files beside the store, and calls syncfs. WARM_UP puts
// come first and are not measured: the store's lists in DRAM have grown then. "relaxed": without DAX, the domain `os`
// instead of `disk`.
#include <dirent.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "region/seal.h"
#include "support/recovery_twin.h"

namespace {

bool strip_map_sync = false;

}  // namespace

// Before the C library's: the core has no way to map persistent memory without MAP_SYNC, and shall have none.
extern "C" void* mmap(void* at, size_t bytes, int protection, int flags, int fd, off_t offset) noexcept {
  if (strip_map_sync && (protection & PROT_WRITE) != 0 && (flags & MAP_SYNC) != 0) {
    flags = (flags & ~(MAP_SYNC | MAP_SHARED_VALIDATE)) | MAP_SHARED;
  }
  return reinterpret_cast<void*>(syscall(SYS_mmap, at, bytes, protection, flags, fd, offset));
}

namespace {

using namespace sealog;
using Clock = std::chrono::steady_clock;

constexpr uint64_t kCapacityBytes = 64 << 20;
constexpr uint64_t kKeys = 20000;

[[noreturn]] void Die(const char* what) {
  perror(what);
  exit(1);
}

// ext4: the transactions of jbd2. xfs: writes to the log.
int64_t JournalCommits(const std::string& journal, bool xfs) {
  std::ifstream in(journal);
  std::string word;
  while (xfs && in >> word && word != "log") {
  }
  int64_t commits = -1;
  in >> commits;
  if (!in) Die(journal.c_str());
  return commits;
}

// Takes the blocks from every piece of the file that is all zeros, which leaves its content as it is; gives it
// unwritten ones if `allocate`.
void Unseal(const std::string& path, bool allocate) {
  const int fd = open(path.c_str(), O_RDWR);
  if (fd < 0) Die("open");
  std::vector<char> piece(kHugePageBytes);
  for (off_t at = 0; pread(fd, piece.data(), piece.size(), at) == static_cast<ssize_t>(piece.size());
       at += static_cast<off_t>(piece.size())) {
    if (std::any_of(piece.begin(), piece.end(), [](char c) { return c != 0; })) continue;
    if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, at, static_cast<off_t>(piece.size())) != 0)
      Die("punch");
    if (allocate && fallocate(fd, 0, at, static_cast<off_t>(piece.size())) != 0) Die("fallocate");
  }
  if (fsync(fd) != 0) Die("fsync");
  close(fd);
}

void SyncFileSystem(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY);
  if (fd < 0 || syncfs(fd) != 0) Die("syncfs");
  close(fd);
}

// Of the file, in whole physical pieces of 2 MiB.
uint64_t AlignedBytes(const std::string& path) {
  File file;
  SealProbe probe;
  if (!File::Open(path, OpenMode::kReadOnly, &file).ok() || !ProbeSeal(file, &probe).ok()) Die("probe");
  return probe.aligned_bytes;
}

// Until it is killed.
[[noreturn]] void Load(const std::string& folder) {
  const int directory = open(folder.c_str(), O_RDONLY | O_DIRECTORY);
  const std::string from = folder + "/load", to = folder + "/load.renamed", block(4096, 'x');
  for (int i = 0;; ++i) {
    const int fd = open(from.c_str(), O_RDWR | O_CREAT | O_TRUNC, 0600);
    if (directory < 0 || fd < 0 || write(fd, block.data(), block.size()) < 0 || fsync(fd) != 0) Die("load");
    close(fd);
    rename(from.c_str(), to.c_str());
    unlink(to.c_str());
    if (i % 8 == 7) syncfs(directory);
    usleep(5000);
  }
}

long ThreadFaults() {
  rusage usage{};
  getrusage(RUSAGE_THREAD, &usage);
  return usage.ru_minflt + usage.ru_majflt;
}

long ProcessFaults() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_minflt + usage.ru_majflt;
}

struct Measured {
  long faults = 0;
  uint32_t worst_fault_ns = 0;
  std::vector<uint32_t> put_ns;
};

Measured MeasurePuts(Store* store, uint64_t puts) {
  Measured measured;
  measured.put_ns.assign(puts, 1);  // its own pages are not the store's faults
  const std::string value(100, 'v');
  const long before = ThreadFaults();
  long last = before;
  for (uint64_t i = 0; i < puts; ++i) {
    char key[24];
    snprintf(key, sizeof key, "key-%012u", static_cast<unsigned>(i % kKeys));
    uint64_t version = 0;
    const auto start = Clock::now();
    const Status status =
        store->Put(kTreeUser, {reinterpret_cast<uint8_t*>(key), 16}, test::BytesOf(value), false, &version);
    const auto ns = static_cast<uint32_t>((Clock::now() - start).count());
    if (status != Status::kOk) {
      fprintf(stderr, "put %llu: status %d\n", static_cast<unsigned long long>(i), static_cast<int>(status));
      exit(1);
    }
    measured.put_ns[i] = ns;
    const long now = ThreadFaults();
    if (now != last) measured.worst_fault_ns = std::max(measured.worst_fault_ns, ns);
    last = now;
  }
  measured.faults = last - before;
  std::sort(measured.put_ns.begin(), measured.put_ns.end());
  return measured;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 9) return 2;
  const std::string path = argv[1], file_system = argv[2], journal = argv[3], level = argv[4], sync = argv[5],
                    load = argv[6];
  const uint64_t puts = strtoull(argv[7], nullptr, 10), warm_up = strtoull(argv[8], nullptr, 10);
  const bool xfs = file_system == "xfs";

  pid_t child = 0;
  if (load == "load") {
    child = fork();
    if (child == 0) Load(path.substr(0, path.rfind('/')));
  }
  CreateOptions create;
  create.capacity_bytes = kCapacityBytes;
  if (!CreateStore(path, create).ok()) Die("create");
  if (level == "sparse" || level == "allocated") Unseal(path, level == "allocated");
  SyncFileSystem(path);  // later that would write-protect what is populated
  strip_map_sync = sync == "nosync";
  const uint64_t aligned_bytes = AlignedBytes(path);
  const long before_open = ProcessFaults();
  RegionOptions options;
  if (sync == "relaxed") options.durability = Durability::kRelaxed;
  test::OpenResult opened = test::OpenStore(path, options, BestFlush(false), 512 << 10, level == "populated");
  if (!opened.failure.ok()) {
    fprintf(stderr, "open: status %d %s\n", static_cast<int>(opened.failure.status), opened.failure.detail.c_str());
    return 1;
  }
  if (level == "populated") {
    StoreStats stats{};
    for (int i = 0; i < 6000 && stats.populate_complete == 0; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
      opened.store->Stats(&stats);
    }
    if (stats.populate_complete == 0) Die("populate");
  }
  const long faults_of_open = ProcessFaults() - before_open;

  if (load != "load") {
    // The journals write what opening and populating left, the time of the last change, within 5 s: it shall not count.
    std::this_thread::sleep_for(std::chrono::seconds(6));
  }
  MeasurePuts(opened.store.get(), warm_up);
  StoreStats before{}, after{};
  opened.store->Stats(&before);
  const int64_t commits = JournalCommits(journal, xfs);
  const auto start = Clock::now();
  const Measured measured = MeasurePuts(opened.store.get(), puts);
  const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
  const int64_t commits_after = JournalCommits(journal, xfs);
  opened.store->Stats(&after);
  if (child > 0) {
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
  }

  auto us = [&](double p) {
    const auto at = static_cast<size_t>(p * static_cast<double>(puts));
    return measured.put_ns[std::min<size_t>(puts - 1, at)] / 1000.0;
  };
  printf(
      "experiment "
      "{\"fs\":\"%s\",\"domain\":\"%s\",\"level\":\"%s\",\"mapSync\":%s,\"load\":%s,\"puts\":%llu,\"seconds\":%.2f,"
      "\"alignedBytes\":%llu,\"openFaults\":%ld,\"faults\":%ld,\"commits\":%lld,\"checkpoints\":%.0f,\"worstFaultUs\":%"
      ".1f,"
      "\"p50Us\":%.2f,\"p99Us\":%.2f,\"p999Us\":%.2f,\"p9999Us\":%.2f,\"maxUs\":%.1f}\n",
      file_system.c_str(), DomainName(opened.store->region().domain()), level.c_str(),
      strip_map_sync ? "false" : "true", load == "load" ? "true" : "false", static_cast<unsigned long long>(puts),
      seconds, static_cast<unsigned long long>(aligned_bytes), faults_of_open, measured.faults,
      static_cast<long long>(commits_after - commits), static_cast<double>(after.checkpoints - before.checkpoints),
      measured.worst_fault_ns / 1000.0, us(0.5), us(0.99), us(0.999), us(0.9999), us(1));
  const bool closed = opened.store->Close() == Status::kOk;
  opened.store.reset();
  remove(path.c_str());
  return closed ? 0 : 1;
}
