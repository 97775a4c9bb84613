// Doctor: it says what is, and leaves nothing behind.
#include "region/doctor.h"

#include <cstdio>

#include "region/store_file.h"

namespace sealog::test {
namespace {

DirectoryFacts Facts(const std::string& path) {
  DirectoryFacts facts;
  Failure failure = Diagnose(path, &facts);
  EXPECT_TRUE(failure.ok()) << failure.syscall << " errno " << failure.error_number;
  printf("%s: %s, %s, level %u, unwritten %llu then %llu, aligned %llu, MAP_SYNC %s, lease %d\n", path.c_str(),
         facts.fs_name.c_str(), DomainName(facts.domain_sync), static_cast<unsigned>(facts.sealed.level),
         static_cast<unsigned long long>(facts.allocated.unwritten_bytes),
         static_cast<unsigned long long>(facts.sealed.unwritten_bytes),
         static_cast<unsigned long long>(facts.sealed.aligned_bytes),
         facts.map_sync ? "granted" : facts.map_sync_error.c_str(), facts.lease);
  return facts;
}

TEST(Doctor, KnowsTmpfs) {
  TempDirectory dir(MemoryDirectory());
  DirectoryFacts facts = Facts(dir.path());
  EXPECT_EQ(facts.fs_name, "tmpfs");
  EXPECT_TRUE(facts.local && facts.fallocate);
  EXPECT_FALSE(facts.map_sync);
  EXPECT_EQ(facts.map_sync_error, "EOPNOTSUPP");
  EXPECT_EQ(facts.domain_sync, Domain::kMemory);
  EXPECT_EQ(facts.domain_relaxed, Domain::kMemory);
  EXPECT_EQ(facts.sealed.level, SealLevel::kAllocated);
  EXPECT_TRUE(facts.lease);
  EXPECT_GT(facts.free_bytes, 0u);
  EXPECT_NE(facts.mount_options.find("rw"), std::string::npos);
  EXPECT_EQ(dir.entries(), 0u);
}

TEST(Doctor, KnowsWhatCanBeSealed) {
  for (auto [kind, megabytes] : {std::pair("ext4", 64), std::pair("xfs", 320), std::pair("btrfs", 128)}) {
    Mounted mounted(kind, megabytes);
    if (!mounted.ok()) {
      printf("left out %s: %s\n", kind, mounted.reason().c_str());
      continue;
    }
    DirectoryFacts facts = Facts(mounted.path());
    const bool btrfs = std::string(kind) == "btrfs";
    EXPECT_EQ(facts.fs_name, kind);
    EXPECT_EQ(facts.overwrites_in_place, !btrfs);
    EXPECT_EQ(facts.allocated.unwritten_bytes, facts.probe_bytes);
    EXPECT_EQ(facts.allocated.level, SealLevel::kAllocated);
    EXPECT_EQ(facts.sealed.unwritten_bytes, 0u);
    EXPECT_EQ(facts.sealed.level, btrfs ? SealLevel::kAllocated : SealLevel::kSealed);
    EXPECT_EQ(facts.domain_sync, Domain::kDisk);
    EXPECT_EQ(facts.domain_relaxed, Domain::kOs);
    EXPECT_TRUE(facts.lease);
    for (const std::string& name : ListDirectory(mounted.path(), 100)) EXPECT_EQ(name, "lost+found");
  }
}

TEST(Doctor, TellsADirectoryThatIsNotThere) {
  DirectoryFacts facts;
  EXPECT_EQ(Diagnose("/nonexistent", &facts).status, Status::kAbsent);
}

}  // namespace
}  // namespace sealog::test
