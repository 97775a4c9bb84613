// What an open finds may be in the page cache only: a process that was killed between writing a slot and syncing it
// leaves such a one. The next checkpoint overwrites what the slot before it needs, so the one found must be on the
// device first.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "platform/syscall.h"
#include "region/create.h"
#include "support/recovery_twin.h"
#include "support/scratch.h"

namespace sealog {
namespace {

using test::BytesOf;
using test::OpenResult;
using test::OpenStore;
using test::Scratch;

std::vector<std::string> calls;
int Note(const char* syscall) {
  calls.push_back(syscall);
  return 0;
}

bool Called(const char* name) { return std::find(calls.begin(), calls.end(), name) != calls.end(); }

TEST(FoundSlot, IsSyncedByAnOpenThatReplaysNothing) {
  Scratch scratch(true);
  const std::string path = scratch.File("s.sealog");
  CreateOptions create;
  create.segment_bytes = kSegmentBytesMin;
  create.capacity_bytes = 64 * kSegmentBytesMin;
  ASSERT_TRUE(CreateStore(path, create).ok());
  for (Durability durability : {Durability::kSync, Durability::kRelaxed}) {
    RegionOptions options;
    options.durability = durability;
    OpenResult opened = OpenStore(path, options);
    ASSERT_TRUE(opened.failure.ok()) << opened.failure.detail;
    const Domain domain = opened.store->region().domain();
    if (domain != Domain::kDisk && domain != Domain::kOs) GTEST_SKIP() << "no file system on a disk";
    uint64_t version = 0;
    ASSERT_EQ(opened.store->Put(kTreeUser, BytesOf("k"), BytesOf("v"), false, &version), Status::kOk);
    ASSERT_EQ(opened.store->Close(), Status::kOk);
    opened.store.reset();
    calls.clear();
    SetSyscallHook(Note);
    opened = OpenStore(path, options);
    SetSyscallHook(nullptr);
    ASSERT_TRUE(opened.failure.ok());
    EXPECT_EQ(opened.replay.end.frames, 0u);
    EXPECT_TRUE(Called(domain == Domain::kDisk ? "pwritev2" : "fdatasync")) << DomainName(domain);
  }
}

}  // namespace
}  // namespace sealog
