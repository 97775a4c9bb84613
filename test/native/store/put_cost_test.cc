// What a durable write costs, counted: fences, lines, waits for the device, system calls, sectors; for each way of
// writing back and each persistence domain. The numbers are the promise of docs/durability.md, so a change that adds a
// fence fails here.
#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>

#include "platform/syscall.h"
#include "support/recovery_twin.h"
#include "support/scratch.h"

namespace sealog::test {
namespace {

struct Cost {
  double fences, lines, syncs, syscalls;
};

class Counted {
 public:
  Counted(const Scratch& scratch, Durability durability, FlushKind flush) {
    CreateOptions create;
    create.capacity_bytes = 64 << 20;
    create.durability = durability;
    Failure failure = CreateStore(scratch.File("cost"), create);
    EXPECT_TRUE(failure.ok()) << failure.detail << failure.syscall;
    RegionOptions options;
    options.durability = durability;
    // Checkpoints only when asked for: they are not a put's cost.
    OpenResult result = OpenStore(scratch.File("cost"), options, flush, 1ull << 40);
    EXPECT_TRUE(result.failure.ok()) << result.failure.detail;
    store_ = std::move(result.store);
    Put(0);  // the session's LINK, the first leaf
  }

  Store& store() { return *store_; }

  void Put(int i) {
    char key[17];
    snprintf(key, sizeof key, "key-%012d", i);
    const std::string value(100, 'v');
    uint64_t version = 0;
    ASSERT_EQ(store_->Put(kTreeUser, {reinterpret_cast<uint8_t*>(key), 16}, BytesOf(value), false, &version),
              Status::kOk);
  }

  void Batch(int first, int count) {
    std::vector<std::string> keys(static_cast<size_t>(count));
    const std::string value(100, 'v');
    std::vector<Change> changes;
    for (int i = 0; i < count; ++i) {
      char key[17];
      snprintf(key, sizeof key, "key-%012d", first + i);
      keys[static_cast<size_t>(i)] = key;
      changes.push_back({kRecordPut, 0, kTreeUser, BytesOf(keys[static_cast<size_t>(i)]), BytesOf(value)});
    }
    uint64_t version = 0;
    ASSERT_EQ(store_->Batch(changes.data(), static_cast<uint32_t>(count), false, &version), Status::kOk);
  }

  template <class F>
  Cost Of(F&& change) {
    StoreStats before, after;
    store_->Stats(&before);
    uint64_t syscalls = SyscallCount();
    change();
    syscalls = SyscallCount() - syscalls;
    store_->Stats(&after);
    return {after.fences - before.fences, after.lines - before.lines, after.syncs - before.syncs,
            static_cast<double>(syscalls)};
  }

 private:
  std::unique_ptr<Store> store_;
};

void Print(const char* domain, const char* flush, const char* what, const Cost& c) {
  printf("  %-7s %-11s %-22s fences %.0f, lines %.0f, device syncs %.0f, system calls %.0f\n", domain, flush, what,
         c.fences, c.lines, c.syncs, c.syscalls);
}

// A put of 16 + 100 bytes: at most 3 lines, one fence, no system call. A batch of 100: one fence.
void CheckMemoryDomain(Durability durability, bool on_disk, const char* domain) {
  for (FlushKind flush : {FlushKind::kClwb, FlushKind::kClflushOpt, FlushKind::kClflush, FlushKind::kNonTemporal}) {
    if (!FlushAvailable(flush)) {
      printf("  %-7s %-11s not on this CPU\n", domain, FlushName(flush));
      continue;
    }
    SCOPED_TRACE(FlushName(flush));
    Scratch scratch(on_disk);
    Counted counted(scratch, durability, flush);
    if (std::string(DomainName(counted.store().region().domain())) != domain)
      GTEST_SKIP() << "not the domain " << domain;
    for (int i = 1; i <= 50; ++i) {
      Cost put = counted.Of([&] { counted.Put(i); });
      if (i == 50) Print(domain, FlushName(flush), "put of 16 + 100 bytes", put);
      EXPECT_EQ(put.fences, 1);
      EXPECT_LE(put.lines, 3);
      EXPECT_EQ(put.syncs, 0);
      EXPECT_EQ(put.syscalls, 0);
    }
    Cost batch = counted.Of([&] { counted.Batch(1000, 100); });
    Print(domain, FlushName(flush), "batch of 100", batch);
    EXPECT_EQ(batch.fences, 1);
    EXPECT_LE(batch.lines, 100 * 3);
    EXPECT_EQ(batch.syscalls, 0);
  }
}

// On a DAX mount in place of /dev/shm, as in the guest of test/dax.
TEST(PutCost, PmemOneFenceNoSystemCall) { CheckMemoryDomain(Durability::kSync, false, "pmem"); }
TEST(PutCost, MemoryOneFenceNoSystemCall) { CheckMemoryDomain(Durability::kSync, false, "memory"); }
TEST(PutCost, RelaxedOneFenceNoSystemCall) { CheckMemoryDomain(Durability::kRelaxed, true, "os"); }

// Sectors written to the device that holds `path`, from /sys; -1 if it cannot be told.
int64_t SectorsWritten(const Store& store) {
  uint64_t device = store.region().info().device;
  char name[64];
  snprintf(name, sizeof name, "/sys/dev/block/%u:%u/stat", static_cast<unsigned>((device >> 8) & 0xfff),
           static_cast<unsigned>((device & 0xff) | ((device >> 12) & 0xfff00)));
  std::ifstream in(name);
  int64_t field = -1;
  for (int i = 0; i < 7 && in >> field; ++i) {
  }
  return in ? field : -1;
}

TEST(PutCost, DiskOneRangeSyncedWritePerCommit) {
  Scratch scratch(true);
  Counted counted(scratch, Durability::kSync, FlushKind::kNone);
  if (counted.store().region().domain() != Domain::kDisk) GTEST_SKIP() << "the temporary folder is not on a disk";
  for (int i = 1; i <= 20; ++i) {
    Cost put = counted.Of([&] { counted.Put(i); });
    if (i == 20) Print("disk", "-", "put of 16 + 100 bytes", put);
    EXPECT_EQ(put.fences, 1);
    EXPECT_LE(put.lines, 3);
    EXPECT_EQ(put.syncs, 1);
    EXPECT_EQ(put.syscalls, 1);
  }
  Cost batch = counted.Of([&] { counted.Batch(1000, 100); });
  Print("disk", "-", "batch of 100", batch);
  EXPECT_EQ(batch.fences, 1);
  EXPECT_EQ(batch.syncs, 1);
  EXPECT_EQ(batch.syscalls, 1);

  // Others write to this device too, so the least of several looks is what our own commit wrote.
  int64_t least = INT64_MAX;
  for (int i = 100; i < 160; ++i) {
    int64_t before = SectorsWritten(counted.store());
    counted.Put(i);
    int64_t after = SectorsWritten(counted.store());
    if (before >= 0 && after > before) least = std::min(least, after - before);
  }
  if (least == INT64_MAX) {
    printf("  disk: the device's sector counter cannot be read here\n");
    return;
  }
  printf("  disk    one put writes %lld sectors to the device\n", static_cast<long long>(least));
  EXPECT_LE(least, 16);
}

}  // namespace
}  // namespace sealog::test
