#include "workload.h"

#include <algorithm>
#include <thread>

#include "media.h"
#include "support/scan.h"

namespace sealog::test {

uint64_t HashPair(Bytes key, Bytes value) {
  uint64_t h = Mix(key.size, value.size);
  auto fold = [&h](const uint64_t* words) {
    const auto product = static_cast<unsigned __int128>(words[0] ^ h ^ 0xa0761d6478bd642full) *
                         (words[1] ^ (h >> 7) ^ 0xe7037ed1a0b428dbull);
    h = (h << 5 | h >> 59) ^ static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
  };
  for (Bytes part : {key, value}) {
    uint64_t words[2];
    size_t at = 0;
    for (; at + sizeof words <= part.size; at += sizeof words) {
      memcpy(words, part.data + at, sizeof words);
      fold(words);
    }
    words[0] = words[1] = 0;
    if (at < part.size) memcpy(words, part.data + at, part.size - at);
    fold(words);
  }
  return Mix(h, value.size);
}

uint64_t HashModel(const Model& model) {
  uint64_t sum = model.size();
  for (const auto& [key, value] : model) sum += HashPair(BytesOf(key), BytesOf(value));
  return sum;
}

void History::Apply(const Delta& delta, Model* model) {
  for (const auto& [key, value] : delta) {
    if (value) {
      (*model)[key] = *value;
    } else {
      model->erase(key);
    }
  }
}

void History::Advance(size_t to, size_t* at, Model* model) const {
  for (; *at < to; ++*at) Apply(deltas[*at], model);
}

void History::Finish() {
  Model model = start;
  hashes.assign(1, HashModel(model));
  for (const Delta& delta : deltas) {
    uint64_t h = hashes.back();
    for (const auto& [key, value] : delta) {
      if (auto it = model.find(key); it != model.end()) {
        h -= HashPair(BytesOf(key), BytesOf(it->second)) + 1;
        model.erase(it);
      }
      if (!value) continue;
      h += HashPair(BytesOf(key), BytesOf(*value)) + 1;
      model[key] = *value;
    }
    hashes.push_back(h);
  }
}

Driver::Driver(std::string path, const Shape& shape, History* history, Recorder* recorder, uint64_t seed)
    : path_(std::move(path)),
      shape_(shape),
      history_(history),
      recorder_(recorder),
      random_(seed),
      model_(history->start) {}

std::string Driver::Open() {
  if (recorder_ != nullptr) {
    recorder_->NextSession();
    recorder_->SetOpen(true);
  }
  OpenResult result = OpenStore(path_, {}, shape_.flush, shape_.checkpoint_bytes);
  if (recorder_ != nullptr) recorder_->SetOpen(false);
  if (!result.failure.ok()) {
    return "open failed: " + result.failure.detail + " at " + std::to_string(result.failure.offset);
  }
  if (closed_ && !result.clean) return "it was closed, and is not clean";
  closed_ = false;
  store_ = std::move(result.store);
  StoreStats stats;
  store_->Stats(&stats);
  epoch_at_open_ = stats.epoch;
  checkpoints_at_open_ = stats.checkpoints;
  // What an open has found, it has made durable.
  Acknowledge();
  return {};
}

bool Driver::InFlight() {
  StoreStats stats;
  store_->Stats(&stats);
  return stats.epoch - epoch_at_open_ > stats.checkpoints - checkpoints_at_open_;
}

void Driver::LetFinish(bool killed) {
  if (recorder_ == nullptr || !InFlight()) return;
  recorder_->NoteInFlight();
  if (killed) {
    recorder_->Abandon();
  } else {
    recorder_->Grant();
  }
  while (InFlight()) std::this_thread::yield();
}

// Between two operations.
void Driver::Between() {
  if (recorder_ == nullptr || !InFlight()) return;
  recorder_->NoteInFlight();
  if (random_() % 6 == 0) LetFinish();
}

std::string Driver::Close() {
  if (random_() % 2 == 0) {
    LetFinish();
  } else if (recorder_ != nullptr && InFlight()) {
    recorder_->NoteInFlight();
  }
  if (recorder_ != nullptr) recorder_->SetOpen(true);
  Status status = store_->Close();
  if (recorder_ != nullptr) recorder_->SetOpen(false);
  if (status == Status::kOk) Acknowledge();
  closed_ = status == Status::kOk;
  store_.reset();
  snapshots_.clear();
  return status == Status::kOk ? "" : "close failed: " + std::to_string(static_cast<int>(status));
}

void Driver::Kill() {
  LetFinish(random_() % 2 == 0);
  store_.reset();
  snapshots_.clear();
}

size_t Driver::Issue(History::Delta delta) {
  history_->deltas.push_back(std::move(delta));
  Mark();
  return history_->deltas.size() - 1;
}

// kFull: it never was.
std::string Driver::Finished(Status status, bool deferred, const char* what) {
  if (status == Status::kFull) {
    history_->deltas.back().clear();
  } else if (status != Status::kOk) {
    return std::string(what) + " failed: " + std::to_string(static_cast<int>(status)) + " " + store_->poison().detail +
           " damaged at " + std::to_string(store_->damaged_offset());
  }
  History::Apply(history_->deltas.back(), &model_);
  if (!deferred && status == Status::kOk) acked_ = history_->deltas.size();
  Mark();
  return {};
}

std::string Driver::Key() {
  auto n = static_cast<uint32_t>(random_() % keys_);
  std::string key = "k" + std::to_string(n * 7919u % 100003u);
  if (n % 7 == 0) key = "a/long/common/beginning/that/goes/on/" + key;
  if (n % 29 == 0) key += std::string(300, static_cast<char>('a' + n % 3));
  return key;
}

std::string Driver::Value() {
  size_t size;
  switch (large_ && random_() % 2 == 0 ? 0 : random_() % (shape_.small ? 128 : 32)) {
    case 0:
      size = random_() % (random_() % 4 == 0 ? 34000 : 9000);
      break;  // above 14 KiB: in chunks
    case 1:
    case 2:
      size = random_() % 1500;
      break;
    case 3:
    case 4:
    case 5:
    case 6:
    case 7:
    case 8:
      size = random_() % 250;
      break;
    default:
      size = 8;
      break;  // frames of one size: what is left over fits behind what is new
  }
  std::string value(size, '\0');
  for (size_t i = 0; i < size; i += 8) {
    uint64_t word = random_();
    memcpy(value.data() + i, &word, std::min<size_t>(8, size - i));
  }
  return value;
}

std::string Driver::Put(const std::string& key, std::string value, bool deferred) {
  uint64_t version = 0;
  Issue({{key, value}});
  return Finished(store_->Put(kTreeUser, BytesOf(key), BytesOf(value), deferred, &version), deferred, "put");
}

std::string Driver::Remove(const std::string& key, bool deferred) {
  uint64_t version = 0;
  bool there = model_.count(key) != 0;
  Issue({{key, std::nullopt}});
  Status status = store_->Remove(kTreeUser, BytesOf(key), deferred, &version);
  if (status == Status::kOk && (version != 0) != there)
    return "remove of " + key + " found another state than the model";
  return Finished(status, deferred, "remove");
}

std::string Driver::Batch(bool deferred) {
  size_t count = 1 + random_() % (random_() % 4 == 0 ? 40 : 6);
  History::Delta delta(count);
  const bool large = random_() % 4 == 0;
  for (auto& [key, value] : delta) {
    key = Key();
    bool remove = random_() % 16 < static_cast<uint64_t>(removing_ + 2);
    if (!remove) value = large ? std::string(1200 + random_() % 700, static_cast<char>('A' + random_() % 26)) : Value();
  }
  std::vector<Change> changes;
  for (auto& [key, value] : delta) {
    changes.push_back({static_cast<uint8_t>(value ? kRecordPut : kRecordDel), 0, kTreeUser, BytesOf(key),
                       value ? BytesOf(*value) : Bytes{}});
  }
  uint64_t version = 0;
  Issue(delta);
  return Finished(store_->Batch(changes.data(), static_cast<uint32_t>(count), deferred, &version), deferred, "batch");
}

std::string Driver::LeaveRangeOpen() {
  if (snapshots_.size() >= 2 || (!snapshots_.empty() && random_() % 2 == 0)) {
    store_->ReleaseSnapshot(snapshots_.front());
    snapshots_.erase(snapshots_.begin());
    return {};
  }
  std::vector<uint8_t> block(1 << 16);
  RangeRequest request;
  request.limit = 3;
  request.out = block.data();
  request.out_bytes = block.size();
  StoreStats before, after;
  store_->Stats(&before);
  RangeResult result = store_->FillRange(request);
  store_->Stats(&after);
  epoch_at_open_ += after.epoch - before.epoch;  // a snapshot's, not a freeze's
  if (result.status != Status::kOk) return "range failed: " + std::to_string(static_cast<int>(result.status));
  if (result.snapshot != 0) snapshots_.push_back(result.snapshot);
  return {};
}

std::string Driver::Step() {
  // Many small frames in flight: what is left of them fits behind those of the next session.
  if (tiny_ && random_() % 8 != 0) {
    std::string value(8, static_cast<char>('a' + random_() % 26));
    return Put("t" + std::to_string(random_() % 9), std::move(value), random_() % 5 != 0);
  }
  const bool deferred = random_() % 3 == 0;
  if (random_() % 16 < static_cast<uint64_t>(removing_)) {
    auto it = model_.lower_bound(Key());
    return Remove(it == model_.end() ? Key() : std::string(it->first), deferred);
  }
  switch (random_() % 16) {
    case 0:
    case 1:
      return Batch(deferred);
    case 2:
      return Remove(Key(), deferred);
    case 3: {
      Status status = store_->Commit();
      if (status != Status::kOk) return "commit failed";
      Acknowledge();
      return {};
    }
    default:
      return Put(Key(), Value(), deferred);
  }
}

std::string Driver::RunSome(int operations) {
  std::string wrong;
  tiny_ = random_() % 2 == 0;
  for (int i = 0; i < operations && wrong.empty(); ++i) {
    wrong = Step();
    Between();
  }
  return wrong;
}

std::string Driver::Run(int operations) {
  std::string wrong = Open();
  for (int i = 0; i < operations && wrong.empty(); ++i) {
    if (i % 60 == 0) {
      const uint64_t phase = random_() % 4;
      removing_ = phase == 0 ? 9 : 0;
      large_ = random_() % (shape_.small ? 20 : 5) == 0;
      tiny_ = random_() % 4 == 0;
      if (phase != 0) keys_ = phase == 1 ? (shape_.small ? 120 : 400) : phase == 2 ? 40 : 12;
    }
    wrong = Step();
    if (!wrong.empty()) break;
    Between();
    if (random_() % 40 == 0) wrong = LeaveRangeOpen();
    if (wrong.empty() && random_() % 60 == 0) {
      LetFinish();
      recorder_->SetOpen(true);
      if (store_->Checkpoint() == Status::kOk) {
        Acknowledge();
      } else {
        wrong = "checkpoint failed";
      }
      recorder_->SetOpen(false);
    }
    if (wrong.empty() && random_() % 25 == 0) {
      // Sessions, some of which write nothing.
      do {
        if (random_() % 2 == 0) {
          wrong = Close();
        } else {
          Kill();
        }
        if (wrong.empty()) wrong = Open();
      } while (wrong.empty() && random_() % 3 == 0);
    }
  }
  if (wrong.empty()) wrong = Close();
  return wrong;
}

std::string Scan(Store& store, bool reverse, uint32_t gets_in, Content* out) {
  static std::vector<uint8_t> got(1 << 16);  // more than any value
  std::string last;
  *out = {};
  return ScanEntries(store, reverse, [&](Bytes key, Bytes value) -> std::string {
    const std::string_view name(reinterpret_cast<const char*>(key.data), key.size);
    if (out->count != 0 && (reverse ? name >= last : name <= last)) return "a scan is out of order";
    last = name;
    out->hash += HashPair(key, value) + 1;
    if (++out->count % gets_in == 0) {
      GetResult get = store.Get(kTreeUser, key, got.data(), got.size());
      if (get.status != Status::kOk || get.bytes != value.size || memcmp(got.data(), value.data, value.size) != 0)
        return "get of " + last + " differs from the scan";
    }
    return {};
  });
}

}  // namespace sealog::test
