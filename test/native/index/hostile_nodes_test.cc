// Nodes and bitmaps whose checksums hold and whose content was made to mislead.
#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "index/cursor.h"
#include "index/find_many.h"
#include "index/node_pool.h"
#include "index/tree.h"

namespace sealog {
namespace {

constexpr uint32_t kSegmentBytes = kSegmentBytesMin;
constexpr uint64_t kEpoch = 5;
constexpr uint32_t kLeafSegment = 1, kInnerSegment = 2, kLogSegment = 3;

class HostileNodes : public ::testing::Test {
 protected:
  // The bytes come first: Space and pool look at them.
  std::vector<uint64_t> memory_ = std::vector<uint64_t>(8 * kSegmentBytes / sizeof(uint64_t));
  uint8_t uuid_[16] = {};
  Space space_{reinterpret_cast<uint8_t*>(memory_.data()), 14, 8, uuid_};
  NodePool pool_{&space_, 1};
  uint64_t log_end_ = kLogSegment * kSegmentBytes + kLogFirstFrame;

  HostileNodes() {
    pool_.set_epoch(kEpoch);
    Segment log;
    log.type = SegmentType::kLog;
    space_.Restore(kLogSegment, log);
    for (uint32_t i = 4; i < 8; ++i) space_.Restore(i, {});
  }

  // A segment of nodes with these units in use and a bitmap that holds.
  void RestoreNodes(uint32_t segment, SegmentType type, uint64_t bits, uint32_t live) {
    uint64_t bitmap[kBitmapBytes / 8];
    memset(bitmap, 0xff, sizeof bitmap);
    bitmap[0] = bits;
    memcpy(space_.base() + space_.SegmentOffset(segment) + kBitmapOffset[0], bitmap, sizeof bitmap);
    Segment s;
    s.type = type;
    s.live = live;
    s.check = Crc32c(space_.store_seed() ^ segment, bitmap, sizeof bitmap);
    space_.Restore(segment, s);
    pool_.Restore(segment);
  }
  void RestoreFullSegments() {
    RestoreNodes(kLeafSegment, SegmentType::kLeaf, ~uint64_t{0}, kSegmentBytes / kLeafBytes - 8);
    RestoreNodes(kInnerSegment, SegmentType::kInner, ~uint64_t{0}, 3);
  }

  uint64_t PutRecord(const std::string& key) {
    RecordHeader header{};
    header.kind = kRecordPut;
    header.key_bytes = static_cast<uint16_t>(key.size());
    header.lsn = header.window = 1;
    uint8_t* at = space_.base() + log_end_;
    memcpy(at, &header, sizeof header);
    memcpy(at + sizeof header, key.data(), key.size());
    const auto bytes = static_cast<uint32_t>(sizeof header + key.size());
    const uint32_t crc = RecordCrc(at, bytes, PlaceSeed(0, log_end_ & (space_.segment_bytes() - 1)));
    memcpy(at, &crc, sizeof crc);
    const uint64_t offset = log_end_;
    log_end_ += RoundUp(bytes, kRecordAlign);
    return offset;
  }

  uint64_t PutLeaf(uint32_t unit, const std::vector<std::string>& keys, uint8_t sorted, uint64_t birth_epoch = 1) {
    const uint64_t offset = space_.SegmentOffset(kLeafSegment) + uint64_t{unit} * kLeafBytes;
    auto* leaf = space_.At<LeafNode>(offset);
    leaf->header.count = static_cast<uint8_t>(keys.size());
    leaf->header.sorted = sorted;
    leaf->header.birth = MakeBirth(birth_epoch, 9);
    for (size_t i = 0; i < keys.size(); ++i) {
      const KeyHash hash = HashKey({reinterpret_cast<const uint8_t*>(keys[i].data()), keys[i].size()});
      leaf->fingerprints[i] = hash.fingerprint;
      leaf->refs[i] = MakeRecordRef(PutRecord(keys[i]), hash.tag);
    }
    SealNode(&leaf->header, offset / kLeafBytes, space_.store_seed());
    return MakeNodeRef(offset / kLeafBytes, 9);
  }

  // Two children and the one-byte separator between them.
  uint64_t PutInner(uint32_t unit, uint8_t level, uint64_t left, char separator, uint64_t right) {
    const uint64_t offset = space_.SegmentOffset(kInnerSegment) + uint64_t{unit} * kInnerBytes;
    auto* inner = space_.At<InnerNode>(offset);
    inner->header.level = level;
    inner->header.count = 2;
    inner->header.birth = MakeBirth(1, 9);
    inner->heap_begin = kInnerBytes;
    inner->entries[0] = {0, left, 1, 0, 0};
    inner->entries[1] = {uint64_t{static_cast<uint8_t>(separator)} << 56, right, 1, 0, 1};
    SealNode(&inner->header, offset / kLeafBytes, space_.store_seed());
    return MakeNodeRef(offset / kLeafBytes, 9);
  }

  std::vector<std::string> FullLeaf() {
    std::vector<std::string> keys;
    for (uint32_t i = 0; i < kLeafEntriesMax; ++i) keys.push_back("b" + std::to_string(100 + i));
    return keys;
  }

  // Entries met before the walk ends; SIZE_MAX if it does not within `most`.
  size_t Walk(uint64_t root, bool reverse, Status* status, size_t most = 1000) {
    Cursor cursor(&pool_, &space_, {root, 1});
    size_t seen = 0;
    for (cursor.Seek({}, reverse); cursor.valid(); cursor.Advance()) {
      if (++seen > most) return SIZE_MAX;
    }
    *status = cursor.status();
    return seen;
  }
};

TEST_F(HostileNodes, ABitmapThatFreesTheFirstPageIsNotAllocatedFrom) {
  RestoreNodes(kLeafSegment, SegmentType::kLeaf, ~uint64_t{1 | 1 << 8}, kSegmentBytes / kLeafBytes - 9);
  ASSERT_TRUE(pool_.Ensure(1, 0, Reserve::kIndex));
  const uint64_t offset = NodeRefIndex(pool_.Make(0)) * kLeafBytes;
  EXPECT_GE(offset & (kSegmentBytes - 1), kNodeFirstByte);
}

TEST_F(HostileNodes, ABitmapThatFreesWhatTheSegmentHasNotIsNotAllocatedFrom) {
  // A segment of 16 KiB has four inner nodes, the first page included; unit 3 is free, and so are 4 to 63.
  RestoreNodes(kInnerSegment, SegmentType::kInner, 7, 2);
  ASSERT_TRUE(pool_.Ensure(0, 1, Reserve::kIndex));
  for (int i = 0; i < 3; ++i) {
    if (!pool_.Ensure(0, 1, Reserve::kIndex)) break;
    const uint32_t segment = space_.SegmentOf(NodeRefIndex(pool_.Make(1)) * kLeafBytes);
    EXPECT_EQ(space_.segment(segment).type, SegmentType::kInner) << segment;
  }
}

TEST_F(HostileNodes, ANodeInUseIsNotAllocatedThoughItsBitmapFreesIt) {
  const uint64_t ref = PutLeaf(8, {"a"}, 1);
  RestoreNodes(kLeafSegment, SegmentType::kLeaf, ~(uint64_t{1} << 8), kSegmentBytes / kLeafBytes - 9);
  ASSERT_NE(pool_.Load(ref, 0), nullptr);
  ASSERT_TRUE(pool_.Ensure(1, 0, Reserve::kIndex));
  EXPECT_NE(NodeRefIndex(pool_.Make(0)), NodeRefIndex(ref));
}

TEST_F(HostileNodes, ANodeThatItsBitmapFreesIsNotUsed) {
  const uint64_t ref = PutLeaf(8, {"a"}, 1);
  RestoreNodes(kLeafSegment, SegmentType::kLeaf, ~(uint64_t{1} << 8), kSegmentBytes / kLeafBytes - 9);
  ASSERT_TRUE(pool_.Ensure(1, 0, Reserve::kIndex));  // reads the bitmap
  EXPECT_EQ(pool_.Load(ref, 0), nullptr);
}

TEST_F(HostileNodes, ANodeOfThisEpochFromTheFileIsNotUsed) {
  RestoreFullSegments();
  EXPECT_EQ(pool_.Load(PutLeaf(8, {"a"}, 1, kEpoch), 0), nullptr);
  EXPECT_NE(pool_.Load(PutLeaf(9, {"a"}, 1, kEpoch - 1), 0), nullptr);
}

TEST_F(HostileNodes, AnEmptyLeafIsNotUsed) {
  RestoreFullSegments();
  EXPECT_EQ(pool_.Load(PutLeaf(8, {}, 0), 0), nullptr);
}

TEST_F(HostileNodes, ARecordIsWhereRecordsBegin) {
  const uint64_t offset = PutRecord("a");
  memmove(space_.base() + offset + 4, space_.base() + offset, 32);
  Record record;
  EXPECT_FALSE(RecordAt(space_, offset + 4, &record));
}

TEST_F(HostileNodes, ALeafThatIsNotSortedAsItSaysEndsAWalk) {
  RestoreFullSegments();
  Status status = Status::kOk;
  EXPECT_EQ(Walk(PutLeaf(8, {"b", "a"}, 2), false, &status), 0u);
  EXPECT_EQ(status, Status::kCorrupt);
  EXPECT_EQ(Walk(PutLeaf(9, {"b", "a"}, 0), false, &status), 2u);
  EXPECT_EQ(status, Status::kOk);
}

TEST_F(HostileNodes, LeavesOutOfOrderEndAWalk) {
  RestoreFullSegments();
  const uint64_t root = PutInner(1, 1, PutLeaf(8, {"x"}, 1), 'm', PutLeaf(9, {"a"}, 1));
  for (bool reverse : {false, true}) {
    Status status = Status::kOk;
    EXPECT_EQ(Walk(root, reverse, &status), 1u);
    EXPECT_EQ(status, Status::kCorrupt);
  }
}

TEST_F(HostileNodes, ALeafMetTwiceEndsAWalk) {
  RestoreFullSegments();
  const uint64_t leaf = PutLeaf(8, {"a"}, 1);
  Status status = Status::kOk;
  EXPECT_EQ(Walk(PutInner(1, 1, leaf, 'm', leaf), false, &status), 1u);
  EXPECT_EQ(status, Status::kCorrupt);
}

TEST_F(HostileNodes, ASeparatorBeyondTheOneAboveStopsASplit) {
  RestoreFullSegments();
  const uint64_t leaf = PutLeaf(8, FullLeaf(), kLeafEntriesMax);
  const uint64_t other = PutLeaf(9, {"z"}, 1);
  const uint64_t low = PutInner(1, 1, leaf, 'z', other);  // of what is below 'm'
  const uint64_t root = PutInner(3, 2, low, 'm', PutInner(2, 1, other, 'y', other));
  Tree tree(&pool_, &space_);
  tree.set_root({root, kLeafEntriesMax});
  Place place;
  const std::string key = "b999";
  EXPECT_EQ(tree.Locate({reinterpret_cast<const uint8_t*>(key.data()), key.size()}, &place), Status::kCorrupt);
}

// The leaf's own separator is 'z', but no key from 'm' on comes here by the way down.
TEST_F(HostileNodes, AKeyThatFollowsIsNotPutBehindASeparatorAbove) {
  RestoreFullSegments();
  const uint64_t leaf = PutLeaf(8, {"a"}, 1), other = PutLeaf(9, {"z"}, 1), right = PutLeaf(10, {"n"}, 1);
  const uint64_t low = PutInner(1, 1, leaf, 'z', other);
  const uint64_t root = PutInner(3, 2, low, 'm', PutInner(2, 1, right, 'y', other));
  Tree tree(&pool_, &space_);
  tree.set_root({root, 3});
  Place place;
  const auto locate = [&](const char* key) {
    EXPECT_EQ(tree.LocateNext({reinterpret_cast<const uint8_t*>(key), 1}, &place), Status::kOk);
    return place.path.leaf_ref;
  };
  EXPECT_EQ(locate("b"), leaf);
  EXPECT_EQ(locate("c"), leaf);
  EXPECT_EQ(locate("n"), right);
  EXPECT_TRUE(place.found);
  EXPECT_EQ(locate("c"), leaf);
}

// One lane that meets damage says so; the others go on.
TEST_F(HostileNodes, SideBySideAKeyIsNotMissedForItsNeighboursDamage) {
  RestoreFullSegments();
  const uint64_t left = PutLeaf(8, {"a", "b", "c"}, 3);
  const uint64_t right = PutLeaf(9, {"x", "y"}, 2);
  space_.At<LeafNode>(NodeRefIndex(right) * kLeafBytes)->refs[0] ^= 16;  // its checksum does not hold
  const Root root{PutInner(1, 1, left, 'm', right), 5};
  const std::vector<std::string> names{"a", "x", "b", "y", "nowhere", "c", "d"};
  std::vector<Bytes> keys;
  for (const std::string& name : names) keys.push_back({reinterpret_cast<const uint8_t*>(name.data()), name.size()});
  FetchMany(pool_, space_, root, keys.data(), static_cast<uint32_t>(keys.size()));
  Found found[kSideBySide];
  FindMany(pool_, space_, root, keys.data(), static_cast<uint32_t>(keys.size()), found);
  for (size_t i = 0; i < keys.size(); ++i) {
    const Found one = Find(pool_, space_, root, keys[i]);
    EXPECT_EQ(found[i].lookup, one.lookup) << names[i];
    EXPECT_EQ(found[i].ref, one.ref) << names[i];
    EXPECT_EQ(found[i].damaged_offset, one.damaged_offset) << names[i];
  }
  EXPECT_EQ(found[1].lookup, Lookup::kDamaged);
  EXPECT_EQ(found[2].lookup, Lookup::kFound);

  // A root that is none.
  const Root nothing{MakeNodeRef(NodeRefIndex(left), 77), 3};
  FindMany(pool_, space_, {MakeNodeRef(uint64_t{1} << 39, 1), 1}, keys.data(), 2, found);
  EXPECT_EQ(found[1].lookup, Lookup::kDamaged);
  FetchMany(pool_, space_, nothing, keys.data(), 2);
}

}  // namespace
}  // namespace sealog
