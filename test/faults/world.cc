#include "world.h"

#include <dirent.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "fault.h"
#include "platform/directory.h"
#include "support/recovery_twin.h"

namespace sealog::faults {
namespace {

constexpr uint32_t kValueBytesMaxHere = 64 << 10;
constexpr uint64_t kCheckpointBytes = 24 << 10;

uint8_t value_buffer[kValueBytesMaxHere];
uint8_t read_buffer[kValueBytesMaxHere];
uint8_t expected_buffer[kValueBytesMaxHere];
uint8_t range_buffer[16 << 10];

void Fill(uint8_t* to, Held value) {
  uint64_t z = value.tag * 0x9e3779b97f4a7c15ull + 1;
  for (uint32_t i = 0; i < value.bytes; ++i) {
    if (i % 8 == 0) z = (z ^ (z >> 27)) * 0x94d049bb133111ebull + i;
    to[i] = static_cast<uint8_t>(z >> (8 * (i % 8)));
  }
}

struct KeyText {
  char text[64];
  uint32_t bytes = 0;
  KeyText() = default;
  explicit KeyText(uint16_t key) {
    bytes = static_cast<uint32_t>(snprintf(text, sizeof text, "key-%05u", key));
    for (uint32_t pad = key % 30; pad != 0; --pad) text[bytes++] = 'x';
  }
  Bytes view() const { return {reinterpret_cast<const uint8_t*>(text), bytes}; }
};

// A value read back: the tag is the one of the journal's items whose bytes it has.
bool Recognise(const Journal& journal, uint16_t key, const uint8_t* data, uint64_t bytes, Held* out) {
  for (uint32_t i = journal.item_count; i-- != 0;) {
    const Journal::Item& item = journal.items[i];
    if (item.key != key || item.remove || item.value.bytes != bytes) continue;
    Fill(expected_buffer, item.value);
    if (memcmp(expected_buffer, data, bytes) == 0) {
      *out = item.value;
      return true;
    }
  }
  return false;
}

}  // namespace

CreateOptions SmallStore(Durability durability) {
  CreateOptions options;
  options.segment_bytes = 16 << 10;
  options.capacity_bytes = 96 * options.segment_bytes;
  options.durability = durability;
  return options;
}

Footprint Footprint::Of(const std::string& path) {
  Footprint footprint;
  auto count = [](const char* directory) {
    int entries = 0;
    DIR* d = opendir(directory);
    while (d != nullptr && readdir(d) != nullptr) ++entries;
    if (d != nullptr) closedir(d);
    return entries;
  };
  footprint.descriptors = count("/proc/self/fd");
  footprint.threads = count("/proc/self/task");
  FILE* maps = fopen("/proc/self/maps", "r");
  char line[600];
  while (maps != nullptr && fgets(line, sizeof line, maps) != nullptr) {
    unsigned long begin = 0, end = 0;
    char protection[8] = "";
    sscanf(line, "%lx-%lx %7s", &begin, &end, protection);
    const bool reserved = strcmp(protection, "---p") == 0 && end - begin >= 1 << 20;
    if (reserved || strstr(line, path.c_str()) != nullptr) ++footprint.mappings;
  }
  if (maps != nullptr) fclose(maps);
  return footprint;
}

// A typed error, or none. What a fault below can never explain is a problem.
bool World::Answered(const char* call, Status status, int error_number, const char* detail) {
  if (status == Status::kOk) return true;
  journal_.refused = true;
  const bool never = status == Status::kInvalid || status == Status::kCorrupt || status == Status::kVersion ||
                     status == Status::kNotAStore || status == Status::kClosed || status == Status::kLinked;
  if (never) {
    journal_.Problem("untyped: %s answered %d, errno %d: %s", call, static_cast<int>(status), error_number, detail);
  }
  return false;
}

bool World::Create() {
  Failure failure = CreateStore(place_.path, SmallStore(place_.durability));
  journal_.exists = failure.ok();
  return Answered("create", failure.status, failure.error_number, failure.detail.c_str());
}

bool World::Open(bool read_only, bool mend) {
  RegionOptions options;
  options.read_only = read_only;
  options.durability = place_.durability;
  std::unique_ptr<Region> region;
  Failure failure = Region::Open(place_.path, options, &region);
  auto refused = [&](const char* step) {
    return Answered(step, failure.status, failure.error_number, failure.detail.c_str());
  };
  if (!failure.ok()) return refused("Region::Open");
  if (after_map) std::exchange(after_map, {})(*region);
  Plan plan;
  {
    HarnessScope harness;
    const CreateOptions geometry = SmallStore(place_.durability);
    std::vector<uint8_t> meta(kSegmentTableOffset +
                              geometry.capacity_bytes / geometry.segment_bytes * kSegmentEntryBytes);
    size_t done = 0;
    failure = region->Read(0, meta.data(), meta.size(), &done);
    if (!failure.ok()) return refused("Region::Read");
    const test::MetaPlan made = test::MetaTwin(meta.data(), done, region->bytes()).Plan(read_only, kCheckpointBytes);
    if (made.status != Status::kOk) return Answered("META", made.status, 0, "META does not hold");
    if (made.older_checkpoint) return Answered("META", Status::kCorrupt, 0, "only the older checkpoint holds");
    failure = ParsePlan(made.bytes.data(), made.bytes.size(), region->bytes(), &plan);
  }
  if (!failure.ok()) return refused("ParsePlan");
  const PlanHeader header = plan.header;
  const Domain domain = region->domain();
  auto store = std::make_unique<Store>(std::move(region), BestFlush(false));
  failure = store->Start(std::move(plan));
  if (!failure.ok()) return refused("Start");
  const Store::ReplayResult replay = store->Replay();
  failure = replay.failure;
  if (!failure.ok()) return refused("Replay");
  if (replay.later.found) return Answered("Replay", Status::kCorrupt, 0, "damage inside the log");
  if (mend && !read_only) {  // what fails here is reported, and costs latency only
    SealProbe probe;
    failure = RepairSeal(store->region().file(), &probe);
    if (failure.ok()) failure = WriteSealRecord(store->region().file(), header.uuid, 2, probe);
    refused("seal");
  }
  const bool clean = (header.slot_flags & kSlotClean) != 0 && replay.end.frames == 0;
  failure = store->Serve({!clean, domain == Domain::kMemory && !read_only});
  if (!failure.ok()) return refused("Serve");
  store_ = std::move(store);
  if (!read_only) BeginServing();
  if (journal_.Unsettled()) {
    const uint32_t found = Compare(false);
    if (found != kNoMoment) journal_.Settle(found);
  }
  return true;
}

uint32_t World::Begin() {
  Journal::Transaction& t = journal_.transactions[journal_.transaction_count];
  t = {journal_.item_count, 0, Fate::kIssued};
  return journal_.transaction_count++;
}

void World::Note(uint16_t key, bool remove, uint32_t bytes) {
  const uint32_t tag = journal_.item_count + 1;
  journal_.items[journal_.item_count++] = {key, remove, {tag, bytes}};
  ++journal_.transactions[journal_.transaction_count - 1].count;
}

bool World::End(const char* call, uint32_t transaction, Status status, bool deferred, bool poisoned_before) {
  Fate& fate = journal_.transactions[transaction].fate;
  if (status == Status::kOk) {
    fate = deferred ? Fate::kVisible : Fate::kAcknowledged;
    if (poisoned_before) journal_.Problem("poison: %s succeeded in a poisoned store", call);
    return true;
  }
  fate = poisoned_before || !Poisoned() ? Fate::kRefused : Fate::kUncertain;
  if (poisoned_before && status != Status::kPoisoned) {
    journal_.Problem("poison: %s in a poisoned store answered %d", call, static_cast<int>(status));
  }
  return Answered(call, status);
}

bool World::Put(uint16_t key, uint32_t bytes, bool deferred) {
  const bool poisoned = Poisoned();
  const uint32_t t = Begin();
  Note(key, false, bytes);
  Fill(value_buffer, journal_.items[journal_.item_count - 1].value);
  uint64_t version = 0;
  return End("put", t, store_->Put(0, KeyText(key).view(), {value_buffer, bytes}, deferred, &version), deferred,
             poisoned);
}

bool World::Remove(uint16_t key, bool deferred) {
  const bool poisoned = Poisoned();
  const uint32_t t = Begin();
  Note(key, true, 0);
  uint64_t version = 0;
  return End("remove", t, store_->Remove(0, KeyText(key).view(), deferred, &version), deferred, poisoned);
}

// Puts of consecutive keys, every fifth of them a remove.
bool World::Batch(uint16_t first, uint32_t count, uint32_t bytes, bool deferred) {
  const bool poisoned = Poisoned();
  static KeyText keys[kKeyCount];
  static Change changes[kKeyCount];
  const uint32_t t = Begin();
  for (uint32_t i = 0; i < count; ++i) {
    const auto key = static_cast<uint16_t>((first + i) % kKeyCount);
    const bool remove = i % 5 == 4;
    Note(key, remove, remove ? 0 : bytes);
    keys[i] = KeyText(key);
    Fill(value_buffer + i * bytes, journal_.items[journal_.item_count - 1].value);
    changes[i] = {
        remove ? kRecordDel : kRecordPut, 0, 0, keys[i].view(), {value_buffer + i * bytes, remove ? 0 : bytes}};
  }
  uint64_t version = 0;
  return End("batch", t, store_->Batch(changes, count, deferred, &version), deferred, poisoned);
}

void World::Acknowledge() {
  for (uint32_t i = 0; i < journal_.transaction_count; ++i) {
    Fate& fate = journal_.transactions[i].fate;
    if (fate == Fate::kVisible) fate = Fate::kAcknowledged;
  }
}

bool World::Commit(bool other_thread) {
  Status status;
  if (other_thread && store_->BeginCommit()) {
    status = Status::kIo;
    Thread thread;
    if (!thread.Start("commit", [&] { status = store_->SyncCommit(); }).ok()) status = store_->SyncCommit();
    thread.Join();
  } else {
    status = store_->Commit();
  }
  if (status == Status::kOk) Acknowledge();
  return Answered("commit", status);
}

bool World::Checkpoint() { return Answered("checkpoint", store_->Checkpoint()); }

bool World::Close() {
  const bool read_only = store_->region().read_only();
  const Status status = store_->Close();
  if (status == Status::kOk && !read_only) Acknowledge();
  EndServing();
  Answered("close", status);
  if (DurableWriteFailed() && store_->poison().ok()) {
    journal_.Problem("poison: a durable write failed, and the store goes on");
  }
  Drop();
  return status == Status::kOk;
}

void World::Drop() {
  EndServing();
  if (store_) store_->Release();
  store_.reset();
}

bool World::Read(bool strict, State* state, std::vector<uint16_t>* unread) {
  for (uint16_t key = 0; key < kKeyCount; ++key) {
    GetResult got = store_->Get(0, KeyText(key).view(), read_buffer, sizeof read_buffer);
    if (got.status == Status::kMedia && !strict) {
      journal_.refused = true;
      unread->push_back(key);
    } else if (got.status == Status::kOk) {
      Held held;
      if (!Recognise(journal_, key, read_buffer, got.bytes, &held)) {
        journal_.Problem("lost: key %u reads %lu bytes that nobody wrote", key, static_cast<unsigned long>(got.bytes));
        return false;
      }
      (*state)[key] = held;
    } else if (got.status != Status::kNotFound) {
      journal_.Problem("lost: key %u reads as status %d at offset %lu", key, static_cast<int>(got.status),
                       static_cast<unsigned long>(store_->damaged_offset()));
      return false;
    }
  }
  return true;
}

bool World::Scan(bool reverse, bool strict, State* state) {
  RangeRequest request;
  request.reverse = reverse;
  request.limit = 64;
  request.out = range_buffer;
  request.out_bytes = sizeof range_buffer;
  std::string bound;
  for (bool done = false; !done;) {
    RangeResult got = store_->FillRange(request);
    if (got.status == Status::kMedia && !strict) {
      journal_.refused = true;
      if (request.snapshot != 0) store_->ReleaseSnapshot(request.snapshot);
      return false;
    }
    if (got.status != Status::kOk) {
      journal_.Problem("lost: a range ends with status %d", static_cast<int>(got.status));
      return false;
    }
    const uint8_t* at = range_buffer;
    for (uint32_t i = 0; i < got.entries; ++i) {
      RangeEntry entry;
      memcpy(&entry, at, sizeof entry);
      std::string text(reinterpret_cast<const char*>(at + sizeof entry), entry.key_bytes);
      const auto key = static_cast<uint16_t>(atoi(text.c_str() + 4));
      if (!bound.empty() && (reverse ? text >= bound : text <= bound)) journal_.Problem("lost: a range out of order");
      const bool outside = (entry.flags & kRangeValueOutside) != 0;
      Held held;
      const uint8_t* value = at + sizeof entry + entry.key_bytes;
      if (outside) {
        GetResult read = store_->Get(got.snapshot, 0, KeyText(key).view(), read_buffer, sizeof read_buffer);
        if (read.status != Status::kOk && !(read.status == Status::kMedia && !strict)) {
          journal_.Problem("lost: a value of a range reads as status %d", static_cast<int>(read.status));
        }
        value = read_buffer;
      }
      if (!Recognise(journal_, key, value, entry.value_bytes, &held)) {
        journal_.Problem("lost: a range has a value for key %u that nobody wrote", key);
      }
      (*state)[key] = held;
      bound = std::move(text);
      at += RoundUp(sizeof entry + entry.key_bytes + (outside ? 0 : entry.value_bytes), 8);
    }
    done = got.done;
    request.snapshot = got.snapshot;
    request.range = {};
    if (reverse) {
      request.range.high = test::BytesOf(bound);
      request.range.has_high = true;
    } else {
      request.range.low = test::BytesOf(bound);
      request.range.low_exclusive = true;
    }
  }
  if (request.snapshot != 0) store_->ReleaseSnapshot(request.snapshot);
  return true;
}

uint32_t World::Compare(bool strict) {
  HarnessScope harness;
  State state;
  std::vector<uint16_t> unread;
  if (!Read(strict, &state, &unread)) return kNoMoment;
  uint32_t found = kNoMoment;
  std::string difference;
  for (auto& [transactions, allowed] : journal_.Allowed()) {
    for (uint16_t key : unread) allowed.erase(key);
    if (allowed == state) found = transactions;
    if (!difference.empty()) continue;
    for (uint16_t key = 0; key < kKeyCount; ++key) {
      const auto is = state.find(key), was = allowed.find(key);
      const Held has = is == state.end() ? Held{} : is->second, had = was == allowed.end() ? Held{} : was->second;
      if (has == had) continue;
      difference = "key " + std::to_string(key) + " has " + std::to_string(has.tag) + ", acknowledged was " +
                   std::to_string(had.tag);
      break;
    }
  }
  if (found == kNoMoment) {
    journal_.Problem("lost: the state is that of no moment: %s; %zu keys", difference.c_str(), state.size());
    return found;
  }
  for (bool reverse : {false, true}) {
    State scanned;
    if (!Scan(reverse, strict, &scanned)) continue;
    if (unread.empty() && scanned != state) journal_.Problem("lost: a range does not have what gets have");
  }
  uint64_t count = 0;
  const Status counted = store_->Count({}, &count);
  if (counted == Status::kOk ? unread.empty() && count != state.size() : strict || counted != Status::kMedia) {
    journal_.Problem("lost: count is %lu, status %d, for %zu keys", static_cast<unsigned long>(count),
                     static_cast<int>(counted), state.size());
  }
  return found;
}

void CheckAfterwards(const Place& place, Journal* journal, bool died) {
  World world(place, journal);
  const std::string directory = place.path.substr(0, place.path.rfind('/'));
  const size_t files = ListDirectory(directory, 10).size();
  if (!journal->exists && !died) {
    if (files != 0) journal->Problem("leak: a file is left of a creation that failed");
    if (!world.Create()) journal->Problem("lost: a store cannot be created after a creation that failed");
  } else if (!died && files != 1) {
    journal->Problem("leak: %zu files where there was one", files);
  }
  if (access(place.path.c_str(), F_OK) != 0) {
    if (journal->exists) journal->Problem("lost: the file is gone");
    return;
  }
  for (bool clean : {false, true, false}) {
    if (!world.Open()) return journal->Problem("lost: the store does not open any more");
    const uint32_t found = world.Compare(true);
    if (journal->problem[0] != 0) return world.Drop();
    journal->Settle(found);
    for (uint16_t i = 0; i < 40; ++i) world.Put(static_cast<uint16_t>(i * 7 % kKeyCount), 40 + i, true);
    world.Batch(100, 20, 50, true);
    world.Commit();
    if (clean && !world.Close()) return journal->Problem("lost: the reopened store does not close");
    world.Drop();
  }
  if (journal->refused) journal->Problem("lost: the reopened store refuses changes");
}

}  // namespace sealog::faults
