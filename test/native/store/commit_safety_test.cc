// What an adversarial review of the commit path found in the first week, each once a loss of acknowledged data or a
// false acknowledgement.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <iterator>
#include <thread>

#include "platform/syscall.h"
#include "region/create.h"
#include "support/recovery_twin.h"
#include "support/scratch.h"

namespace sealog::test {
namespace {

#define REQUIRE(condition) ASSERT_TRUE(condition) << #condition

void Create(const std::string& path, uint32_t segments, uint32_t segment_bytes = 16384,
            Durability d = Durability::kSync) {
  CreateOptions o;
  o.segment_bytes = segment_bytes;
  o.capacity_bytes = uint64_t{segments} * segment_bytes;
  o.durability = d;
  Failure f = CreateStore(path, o);
  EXPECT_TRUE(f.ok()) << f.detail;
}

OpenResult Open(const std::string& path, Durability d = Durability::kSync) {
  RegionOptions o;
  o.durability = d;
  return OpenStore(path, o, BestFlush(false), 1ull << 30);
}

Status Put(Store& s, const std::string& k, const std::string& v, bool deferred = false) {
  uint64_t version;
  return s.Put(kTreeUser, BytesOf(k), BytesOf(v), deferred, &version);
}

Status Get(Store& s, const std::string& k) {
  std::vector<uint8_t> out(1 << 20);
  return s.Get(kTreeUser, BytesOf(k), out.data(), out.size()).status;
}

std::string ReadAll(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}
void WriteAt(const std::string& path, uint64_t at, const std::string& bytes) {
  std::fstream f(path, std::ios::binary | std::ios::in | std::ios::out);
  f.seekp(static_cast<std::streamoff>(at));
  f.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

// A batch of two frames leaves the segment of its first frame behind, and takes out the last record that was counted
// there.
TEST(CommitSafety, BatchDoesNotRetireItsOwnSegment) {
  Scratch scratch;
  std::string path = scratch.File("a");
  Create(path, 64);
  {
    auto r = Open(path);
    REQUIRE(r.failure.ok() && Put(*r.store, "k1", "x") == Status::kOk);
    const std::string value(6000, 'v');
    const std::string k1 = "k1", p1 = "p1", p2 = "p2", p3 = "p3";
    const Change changes[] = {{kRecordDel, 0, kTreeUser, BytesOf(k1), {}},
                              {kRecordPut, 0, kTreeUser, BytesOf(p1), BytesOf(value)},
                              {kRecordPut, 0, kTreeUser, BytesOf(p2), BytesOf(value)},
                              {kRecordPut, 0, kTreeUser, BytesOf(p3), BytesOf(value)}};
    uint64_t version = 0;
    REQUIRE(r.store->Batch(changes, 4, false, &version) == Status::kOk);
    REQUIRE(r.store->Close() == Status::kOk);
  }
  auto r = Open(path);
  REQUIRE(r.failure.ok());
  for (const char* key : {"p1", "p2", "p3"}) EXPECT_EQ(Get(*r.store, key), Status::kOk) << key;
}

// A crash leaves later frames of the window whole; then the store is opened and closed without a write, and written to
// after that.
TEST(CommitSafety, TornTailStaysLostAfterCleanCloseWithoutWrite) {
  Scratch scratch;
  std::string path = scratch.File("b");
  Create(path, 64);
  {
    auto r = Open(path);
    REQUIRE(r.failure.ok() && Put(*r.store, "before", "x") == Status::kOk);
    for (const char* key : {"lost-aaaa", "lost-bbbb", "lost-dddd"})
      REQUIRE(Put(*r.store, key, "x", true) == Status::kOk);
  }
  uint64_t at = ReadAll(path).find("lost-aaaa") & ~uint64_t{63};
  WriteAt(path, at, std::string(64, '\0'));
  {
    auto r = Open(path);
    REQUIRE(r.failure.ok() && Get(*r.store, "lost-dddd") == Status::kNotFound);
    REQUIRE(r.store->Close() == Status::kOk);
  }
  {
    auto r = Open(path);
    REQUIRE(r.failure.ok() && r.clean && Put(*r.store, "cccc", "x") == Status::kOk);
  }
  auto r = Open(path);
  REQUIRE(r.failure.ok());
  EXPECT_EQ(Get(*r.store, "cccc"), Status::kOk);
  EXPECT_EQ(Get(*r.store, "lost-dddd"), Status::kNotFound);
}

std::atomic<int> syncs_seen{0};
std::atomic<int> syncs_to_fail{0};
int SyncHook(const char* name) {
  if (strcmp(name, "pwritev2") != 0 && strcmp(name, "fdatasync") != 0) return 0;
  ++syncs_seen;
  return syncs_to_fail.load() > 0 && syncs_to_fail.fetch_sub(1) > 0 ? EIO : 0;
}

// Whoever waits for a commit on another thread that fails must not go on as if it had not.
void FailBehindFailedCommit(bool put) {
  Scratch scratch(true);
  std::string path = scratch.File("c");
  Create(path, 64);
  auto r = Open(path);
  REQUIRE(r.failure.ok());
  if (!r.store->needs_device_sync()) GTEST_SKIP() << "the temporary folder is not on a disk";
  REQUIRE(Put(*r.store, "first", "x") == Status::kOk && Put(*r.store, "deferred", "x", true) == Status::kOk);
  REQUIRE(r.store->BeginCommit());
  Status waited = Status::kInvalid;
  std::thread waiter([&] { waited = put ? Put(*r.store, "second", "x") : r.store->Commit(); });
  usleep(50000);
  SetSyscallHook(SyncHook);
  syncs_to_fail = 1;
  Status failed = r.store->SyncCommit();
  waiter.join();
  syncs_to_fail = 0;
  SetSyscallHook(nullptr);
  EXPECT_EQ(failed, Status::kPoisoned);
  EXPECT_EQ(waited, Status::kPoisoned);
  EXPECT_EQ(r.store->Close(), Status::kPoisoned);
}
TEST(CommitSafety, CommitBehindFailedCommitIsPoisoned) { FailBehindFailedCommit(false); }
TEST(CommitSafety, PutBehindFailedCommitIsPoisoned) { FailBehindFailedCommit(true); }

// Relaxed: what a later frame counts as durable must be on the device, not in the page cache: the replayed tail, and a
// session's LINK.
TEST(CommitSafety, RelaxedRecoverySyncsBeforeItCountsOn) {
  Scratch scratch(true);
  std::string path = scratch.File("d");
  Create(path, 64, 16384, Durability::kRelaxed);
  {
    auto r = Open(path, Durability::kRelaxed);
    REQUIRE(r.failure.ok());
    if (r.store->region().domain() != Domain::kOs) GTEST_SKIP() << "the temporary folder is not on a disk";
    REQUIRE(Put(*r.store, "k", "x") == Status::kOk);
  }
  SetSyscallHook(SyncHook);
  syncs_seen = 0;
  auto r = Open(path, Durability::kRelaxed);
  EXPECT_EQ(syncs_seen, 1) << "the replayed tail";
  REQUIRE(r.failure.ok() && Put(*r.store, "later", "x") == Status::kOk);
  EXPECT_EQ(syncs_seen, 2) << "the session's LINK";
  REQUIRE(Put(*r.store, "again", "x") == Status::kOk);
  EXPECT_EQ(syncs_seen, 2);
  SetSyscallHook(nullptr);
}

// Others wait for the same checkpoint as Close does, and take the next: it does not say clean.
TEST(CommitSafety, CloseBesideCheckpointsIsClean) {
  Scratch scratch;
  std::string path = scratch.File("f");
  Create(path, 64);
  for (int i = 0; i < 200; ++i) {
    auto r = Open(path);
    REQUIRE(r.failure.ok());
    ASSERT_TRUE(i == 0 || r.clean) << "session " << i;
    std::vector<std::thread> others;
    for (int t = 0; t < 3; ++t) {
      others.emplace_back([&, t] {
        while (Put(*r.store, "k" + std::to_string(t), "x") == Status::kOk && r.store->Checkpoint() == Status::kOk) {
        }
      });
    }
    usleep(static_cast<useconds_t>(i % 20) * 100);
    EXPECT_EQ(r.store->Close(), Status::kOk);
    for (std::thread& each : others) each.join();
  }
}

TEST(CommitSafety, DurableRemoveOfWhatOnlyADeferredRemoveTookOut) {
  Scratch scratch;
  std::string path = scratch.File("e");
  Create(path, 64);
  auto r = Open(path);
  uint64_t version = 0;
  REQUIRE(r.failure.ok() && Put(*r.store, "k", "x") == Status::kOk);
  REQUIRE(r.store->Remove(kTreeUser, BytesOf("k"), true, &version) == Status::kOk);
  StoreStats before, after;
  r.store->Stats(&before);
  REQUIRE(r.store->Remove(kTreeUser, BytesOf("k"), false, &version) == Status::kOk);
  r.store->Stats(&after);
  EXPECT_EQ(version, 0u);
  EXPECT_EQ(after.fences, before.fences + 1);
}

// A large value into a store that has just about room, or just about not: all of it, or kFull with everything else
// intact.
TEST(CommitSafety, LargeValueIntoTheLastSegments) {
  Scratch scratch;
  int refused = 0, fine = 0;
  for (uint32_t segments = 300; segments <= 340; segments += 20) {
    for (uint32_t pieces = segments - 60; pieces < segments - 5; pieces += 3) {
      std::string path = scratch.File("f");
      unlink(path.c_str());
      Create(path, segments);
      const std::string value(size_t{14176} * pieces, 'v');
      Status status;
      {
        auto r = Open(path);
        REQUIRE(r.failure.ok() && Put(*r.store, "small", "x") == Status::kOk);
        status = Put(*r.store, "large", value);
        REQUIRE(status == Status::kOk || status == Status::kFull);
        EXPECT_TRUE(r.store->poison().ok());
      }
      ++(status == Status::kOk ? fine : refused);
      auto r = Open(path);
      REQUIRE(r.failure.ok());
      EXPECT_EQ(Get(*r.store, "small"), Status::kOk);
      std::vector<uint8_t> out(value.size());
      GetResult large = r.store->Get(kTreeUser, BytesOf("large"), out.data(), out.size());
      EXPECT_EQ(large.status, status == Status::kOk ? Status::kOk : Status::kNotFound);
      EXPECT_TRUE(status != Status::kOk || memcmp(out.data(), value.data(), value.size()) == 0);
    }
  }
  EXPECT_GT(fine, 0);
  EXPECT_GT(refused, 0);
}

// A LINK that reached the media where the next segment's header and its announcement, in flight beside it, did not:
// recovery goes over it, so recovery must write both again. Without them the next damage is taken for a torn tail.
TEST(CommitSafety, RecoveryAnnouncesAgainWhatItWentOver) {
  Scratch scratch;
  std::string path = scratch.File("g");
  Create(path, 64);
  {
    auto r = Open(path);
    REQUIRE(r.failure.ok());
    for (int i = 0; i < 40; ++i) REQUIRE(Put(*r.store, "k" + std::to_string(i), std::string(1000, 'v')) == Status::kOk);
  }
  const std::string before = ReadAll(path);
  CheckpointSlot slots[2];
  for (int i = 0; i < 2; ++i) memcpy(&slots[i], before.data() + kCheckpointSlotOffset[i], sizeof slots[i]);
  const CheckpointSlot& slot = slots[0].sequence > slots[1].sequence ? slots[0] : slots[1];
  const uint64_t announcement = uint64_t{slot.hot.segment} * 16384 + kLineBytes;
  LogSuccessor successor;
  memcpy(&successor, before.data() + announcement, sizeof successor);
  const uint64_t header = uint64_t{successor.segment} * 16384;
  WriteAt(path, announcement, std::string(kLineBytes, '\0'));
  WriteAt(path, header, std::string(kLineBytes, '\0'));
  {
    auto r = Open(path);
    REQUIRE(r.failure.ok() && Get(*r.store, "k39") == Status::kOk);
  }
  const std::string after = ReadAll(path);
  EXPECT_EQ(after.compare(announcement, kLineBytes, before, announcement, kLineBytes), 0);
  EXPECT_EQ(after.compare(header, kLineBytes, before, header, kLineBytes), 0);
}

// A slot that lies torn where the next checkpoint goes could be completed by it, torn as well: open takes its first
// line away.
TEST(CommitSafety, OpenWipesATornSlot) {
  Scratch scratch;
  std::string path = scratch.File("h");
  Create(path, 64);
  {
    auto r = Open(path);
    REQUIRE(r.failure.ok() && Put(*r.store, "k", "v") == Status::kOk && r.store->Checkpoint() == Status::kOk);
  }
  std::string before = ReadAll(path);
  CheckpointSlot slots[2];
  for (int i = 0; i < 2; ++i) memcpy(&slots[i], before.data() + kCheckpointSlotOffset[i], sizeof slots[i]);
  const int newest = slots[1].sequence > slots[0].sequence ? 1 : 0;
  const uint64_t torn = kCheckpointSlotOffset[newest], other = kCheckpointSlotOffset[1 - newest];
  WriteAt(path, torn + 3 * kLineBytes, std::string(kLineBytes, '\x55'));
  { REQUIRE(Open(path).failure.ok()); }
  const std::string after = ReadAll(path);
  EXPECT_EQ(after.substr(torn, kLineBytes), std::string(kLineBytes, '\0'));
  EXPECT_EQ(after.substr(other, sizeof(CheckpointSlot)), before.substr(other, sizeof(CheckpointSlot)));
}

}  // namespace
}  // namespace sealog::test
