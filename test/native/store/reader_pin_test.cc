// What a reader in another process pins: nothing that belongs to its checkpoint is used again while it lives, nor kept
// when it is gone. The reader is another region of this process: its locks are its own all the same.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "platform/system.h"
#include "support/store_test.h"

namespace sealog::test {
namespace {

class ReaderPin : public StoreTest {
 protected:
  void SetUp() override { Create(8 << 20); }
  void Write(int round, const char* name = "key") {
    for (int i = 0; i < 500; ++i) {
      uint64_t version;
      const std::string key = name + std::to_string(i), value = std::to_string(round) + std::string(100, 'v');
      ASSERT_EQ(store_->Put(kTreeUser, BytesOf(key), BytesOf(value), false, &version), Status::kOk);
    }
  }
  void Checkpoint(int round) {
    Write(round);
    ASSERT_EQ(store_->Checkpoint(), Status::kOk);
  }
  StoreStats Stats() {
    StoreStats stats;
    store_->Stats(&stats);
    return stats;
  }
  // A reader of the newest checkpoint, as recover.ts opens one.
  std::unique_ptr<Store> Reader() {
    RegionOptions options;
    options.read_only = options.beside_writer = true;
    std::unique_ptr<Region> region;
    EXPECT_TRUE(Region::Open(path_, options, &region).ok());
    EXPECT_TRUE(region->info().beside_writer);
    const MetaPlan meta = MetaTwin(region->base(), region->bytes(), region->bytes()).Plan(true, 1 << 20);
    Plan plan;
    EXPECT_TRUE(ParsePlan(meta.bytes.data(), meta.bytes.size(), region->bytes(), &plan).ok());
    EXPECT_TRUE(region->PinCheckpoint(plan.header.slot_sequence).ok());
    auto reader = std::make_unique<Store>(std::move(region), BestFlush(false));
    EXPECT_TRUE(reader->Start(std::move(plan)).ok());
    ServeOptions serve;
    serve.as_checkpointed = true;
    EXPECT_TRUE(reader->Serve(serve).ok());
    return reader;
  }
  uint64_t SlotSequence() const {
    uint64_t newest = 0;
    const std::vector<uint8_t> file = ReadFile(path_);
    for (uint64_t offset : kCheckpointSlotOffset) {
      CheckpointSlot slot;
      memcpy(&slot, file.data() + offset, sizeof slot);
      newest = std::max(newest, slot.sequence);
    }
    return newest;
  }
  static void ExpectRound(Store& reader, int round) {
    for (int i = 0; i < 500; ++i) {
      uint8_t value[200];
      const std::string key = "key" + std::to_string(i);
      const GetResult result = reader.Get(kTreeUser, BytesOf(key), value, sizeof value);
      ASSERT_EQ(result.status, Status::kOk) << key;
      const std::string want = std::to_string(round) + std::string(100, 'v');
      ASSERT_EQ(std::string(reinterpret_cast<char*>(value), result.bytes), want) << key;
    }
  }
};

TEST_F(ReaderPin, KeepsItsStateWhileTheWriterGoesOn) {
  Checkpoint(1);
  std::unique_ptr<Store> reader = Reader();
  Write(2);  // in the log only: not seen
  ExpectRound(*reader, 1);
  // Eight times what the store holds of free space, if nothing came back.
  for (int round = 3; round < 150; ++round) Checkpoint(round);
  ExpectRound(*reader, 1);
  reader.reset();
  reader = Reader();
  ExpectRound(*reader, 149);
}

TEST_F(ReaderPin, GivesItsSpaceBackWhenItIsGone) {
  for (int round = 1; round < 4; ++round) Checkpoint(round);
  const StoreStats before = Stats();
  std::unique_ptr<Store> reader = Reader();
  for (int round = 4; round < 8; ++round) Checkpoint(round);
  EXPECT_GT(Stats().waiting, before.waiting * 2);
  reader.reset();
  for (int round = 8; round < 10; ++round) Checkpoint(round);
  EXPECT_LE(Stats().waiting, before.waiting * 3 / 2);
}

// Whoever still holds the object, a task or another handle: its pin goes with the release.
TEST_F(ReaderPin, GoesWhenItIsReleasedAndNotBefore) {
  Checkpoint(1);
  std::unique_ptr<Store> readers[2] = {Reader(), Reader()};
  File file;
  ASSERT_TRUE(File::Open(path_, OpenMode::kReadOnly, &file).ok());
  const uint64_t sequence = SlotSequence();
  const auto pinned = [&](uint64_t n) { return file.HasMarks(n, n + 1); };
  EXPECT_TRUE(pinned(sequence));
  EXPECT_FALSE(pinned(sequence - 1));
  EXPECT_FALSE(pinned(sequence + 1));
  EXPECT_EQ(readers[0]->Close(), Status::kOk);
  readers[0]->Release();
  EXPECT_TRUE(pinned(sequence));
  EXPECT_EQ(readers[1]->Close(), Status::kOk);
  EXPECT_TRUE(pinned(sequence));
  readers[1]->Release();
  EXPECT_FALSE(pinned(sequence));
  Checkpoint(2);
  std::unique_ptr<Store> reader = Reader();
  EXPECT_FALSE(pinned(sequence));
  EXPECT_TRUE(pinned(SlotSequence()));
  // The end of a process, or of a handle, without Close.
  reader.reset();
  EXPECT_FALSE(file.HasMarks(0, Region::kCheckpointsMax));
}

TEST_F(ReaderPin, OfSeveralReadersEachKeepsItsOwn) {
  std::unique_ptr<Store> readers[3];
  for (int i = 0; i < 3; ++i) {
    Checkpoint(i + 1);
    readers[i] = Reader();
  }
  for (int round = 4; round < 60; ++round) Checkpoint(round);
  for (int i : {1, 0, 2}) {
    for (int k = 0; k < 3; ++k) {
      if (readers[k]) ExpectRound(*readers[k], k + 1);
    }
    readers[i].reset();
    for (int round = 60; round < 90; ++round) Checkpoint(round);
  }
}

// A writer takes a checkpoint for them, without being asked.
TEST_F(ReaderPin, WhatIsWrittenIsSeenSoon) {
  Checkpoint(1);
  std::unique_ptr<Store> reader = Reader();
  Write(2);
  const uint64_t started = MonotonicMillis();
  for (uint64_t seen = 0; MonotonicMillis() - started < 5000; SleepMillis(20)) {
    reader = Reader();
    uint8_t value[200];
    seen = reader->Get(kTreeUser, BytesOf("key499"), value, sizeof value).bytes != 0 && value[0] == '2';
    if (seen != 0) break;
  }
  ExpectRound(*reader, 2);
  EXPECT_LT(MonotonicMillis() - started, 2500u);
}

TEST_F(ReaderPin, TheNextWriterComesBesideAReaderOfTheLastCheckpointOnly) {
  Checkpoint(1);
  std::unique_ptr<Store> reader = Reader();
  Reopen();  // as after a kill
  ExpectRound(*reader, 1);
  for (int round = 2; round < 100; ++round) Checkpoint(round);
  ExpectRound(*reader, 1);
  store_.reset();
  // What belongs to that old state only, a new writer cannot know.
  EXPECT_EQ(OpenStore(path_).failure.status, Status::kLocked);
  ExpectRound(*reader, 1);
  reader.reset();
  Open();
}

// A reader that has replayed the log reads records in segments that the log took behind the checkpoint.
TEST_F(ReaderPin, ARecoveredTailStaysForThoseWhoReplayedIt) {
  Checkpoint(1);
  for (int round = 2; round < 8; ++round) Write(round);
  store_.reset();
  RegionOptions options;
  options.read_only = options.beside_writer = true;
  OpenResult opened = OpenStore(path_, options);
  ASSERT_TRUE(opened.failure.ok());
  ASSERT_TRUE(opened.store->region().file().Mark(SlotSequence()).ok());
  opened.store->region().Unlock();
  ExpectRound(*opened.store, 7);
  Open();
  // So that the tail's checkpoint is held for the reader alone by the time that the tail's records are superseded.
  for (int round = 0; round < 3; ++round) {
    Write(round, "other");
    ASSERT_EQ(store_->Checkpoint(), Status::kOk);
  }
  for (int round = 8; round < 100; ++round) Checkpoint(round);
  ExpectRound(*opened.store, 7);
}

}  // namespace
}  // namespace sealog::test
