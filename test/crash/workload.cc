#include "workload.h"

#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <thread>

#include "media.h"
#include "region/meta_writer.h"
#include "store/image.h"
#include "support/scan.h"
#include "support/scratch.h"
#include "support/verify_store.h"

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

namespace {

constexpr uint64_t kPast = 1000, kFuture = 4'000'000'000'000;  // Unix milliseconds, far from now
constexpr uint64_t kTimes = 24;                                // different ones to come
// Those that have passed are all different: of an entry that nobody sees any more, only its line in the list tells a
// put from the next.
constexpr uint64_t kPastTimes = 1ull << 40;
const std::string kTimeMark = "expires ";

uint32_t TreeOf(const std::string& name) { return name[0] == kInSpaces ? kTreeSpaces : kTreeUser; }
Bytes KeyOf(const std::string& name) {
  const size_t head = name[0] == kInSpaces ? 1 : 0;
  return {reinterpret_cast<const uint8_t*>(name.data()) + head, name.size() - head};
}
std::string NameOf(uint32_t tree, Bytes key) {
  std::string name = tree == kTreeSpaces   ? std::string(1, kInSpaces)
                     : tree == kTreeExpiry ? std::string(1, kInExpiry)
                                           : "";
  return name.append(reinterpret_cast<const char*>(key.data), key.size);
}
std::string Hidden(const std::string& name) { return kExpired + name; }

std::string LineOf(uint64_t time, const std::string& name) {
  std::string line(1, kInExpiry);
  for (int shift = 56; shift >= 0; shift -= 8) line += static_cast<char>(time >> shift);
  line += static_cast<char>(TreeOf(name));
  const Bytes key = KeyOf(name);
  return line.append(reinterpret_cast<const char*>(key.data), key.size);
}

bool Overwrite(const std::string& path, const std::vector<uint8_t>& content) {
  std::ofstream out(path, std::ios::binary | std::ios::in | std::ios::out);
  if (!out) out.open(path, std::ios::binary);
  out.write(reinterpret_cast<const char*>(content.data()), static_cast<std::streamsize>(content.size()));
  out.close();
  return !out.fail();
}

bool IsSeen(const std::string& name) { return name[0] != kExpired; }
bool InDefaultTree(const std::string& name) { return name[IsSeen(name) ? 0 : 1] > kExpired; }

// What puts and removes, in this order, do to the model.
History::Delta Effect(const History::Delta& given) {
  History::Delta effect;
  for (const auto& [name, value] : given) {
    const uint64_t time = value ? TimeOf(*value) : 0;
    const bool expired = time != 0 && time < kFuture;
    effect.emplace_back(name, expired ? std::nullopt : value);
    effect.emplace_back(Hidden(name), expired ? value : std::nullopt);
    if (time != 0) effect.emplace_back(LineOf(time, name), "");
  }
  return effect;
}

}  // namespace

uint64_t TimeOf(const std::string& value) {
  uint64_t time;
  if (value.size() < kTimeMark.size() + sizeof time || value.compare(0, kTimeMark.size(), kTimeMark) != 0) return 0;
  memcpy(&time, value.data() + kTimeMark.size(), sizeof time);
  return time;
}

uint64_t HashModel(const Model& model) {
  uint64_t sum = 0;
  for (const auto& [name, value] : model) sum += IsSeen(name) ? HashPair(BytesOf(name), BytesOf(value)) + 1 : 0;
  return sum;
}

uint64_t RootCount(const Model& model) {
  uint64_t count = 0;
  for (const auto& [name, value] : model) count += InDefaultTree(name);
  return count;
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
  counts.assign(1, RootCount(model));
  for (const Delta& delta : deltas) {
    uint64_t h = hashes.back(), count = counts.back();
    for (const auto& [name, value] : delta) {
      if (auto it = model.find(name); it != model.end()) {
        if (IsSeen(name)) h -= HashPair(BytesOf(name), BytesOf(it->second)) + 1;
        count -= InDefaultTree(name);
        model.erase(it);
      }
      if (!value) continue;
      if (IsSeen(name)) h += HashPair(BytesOf(name), BytesOf(*value)) + 1;
      count += InDefaultTree(name);
      model[name] = *value;
    }
    hashes.push_back(h);
    counts.push_back(count);
  }
}

Driver::Driver(std::string path, const Shape& shape, History* history, Recorder* recorder, uint64_t seed)
    : path_(std::move(path)),
      shape_(shape),
      history_(history),
      recorder_(recorder),
      random_(seed),
      model_(history->start) {}

Driver::~Driver() { EndGrowth(true); }

std::string Driver::Open() {
  if (recorder_ != nullptr) {
    recorder_->NextSession();
    recorder_->SetOpen(true);
  }
  OpenResult result = OpenStore(path_, {}, shape_.flush, shape_.checkpoint_bytes, false, false);
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
  if (std::string wrong = EndGrowth(false); !wrong.empty()) return wrong;
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
  Forget();
  return status == Status::kOk ? "" : "close failed: " + std::to_string(static_cast<int>(status));
}

// A growth is killed where it is held: what it does behind that is taken back from the file.
std::string Driver::Kill() {
  LetFinish(random_() % 2 == 0);
  const bool cut_off = growing_ != nullptr && random_() % 4 != 0;
  std::string wrong = cut_off ? AwaitHeld() : "";
  std::vector<uint8_t> file;
  if (cut_off && wrong.empty()) file = ReadFile(path_);
  if (wrong.empty()) wrong = EndGrowth(cut_off);
  Forget();
  if (cut_off && wrong.empty() &&
      (truncate(path_.c_str(), static_cast<off_t>(file.size())) != 0 || !Overwrite(path_, file)))
    wrong = "the file could not be set back";
  return wrong;
}

// Of a session that has ended.
void Driver::Forget() {
  store_.reset();
  snapshots_.clear();
  incoming_.clear();
  pinned_.reset();
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

// One in five in a namespace.
std::string Driver::Name() {
  if (random_() % 5 != 0) return Key();
  const std::string id("\0\0\0", 3);
  return kInSpaces + id + static_cast<char>(1 + random_() % 3) + Key();
}

std::string Driver::Expiring(std::string value) {
  const uint64_t time = random_() % 3 == 0 ? kFuture + random_() % kTimes : kPast + random_() % kPastTimes;
  std::string mark = kTimeMark;
  mark.append(reinterpret_cast<const char*>(&time), sizeof time);
  return mark + value;
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
  return Filler(size);
}

std::string Driver::Filler(size_t size) {
  std::string value(size, '\0');
  for (size_t i = 0; i < size; i += 8) {
    uint64_t word = random_();
    memcpy(value.data() + i, &word, std::min<size_t>(8, size - i));
  }
  return value;
}

std::string Driver::Put(const std::string& key, std::string value, bool deferred) {
  uint64_t version = 0;
  Issue(Effect({{key, value}}));
  history_->done.spaces += TreeOf(key) == kTreeSpaces;
  return Finished(store_->Put(TreeOf(key), KeyOf(key), BytesOf(value), deferred, &version), deferred, "put");
}

std::string Driver::Remove(const std::string& key, bool deferred) {
  uint64_t version = 0;
  bool there = model_.count(key) != 0;
  Issue({{key, std::nullopt}});
  history_->done.spaces += TreeOf(key) == kTreeSpaces;
  Status status = store_->Remove(TreeOf(key), KeyOf(key), deferred, &version);
  if (status == Status::kOk && (version != 0) != there)
    return "remove of " + key + " found another state than the model";
  return Finished(status, deferred, "remove");
}

std::string Driver::Batch(bool deferred) {
  size_t count = 1 + random_() % (random_() % 4 == 0 ? 40 : 6);
  History::Delta delta(count);
  const bool large = random_() % 4 == 0;
  for (auto& [key, value] : delta) {
    key = Name();
    bool remove = random_() % 16 < static_cast<uint64_t>(removing_ + 2);
    if (!remove) value = large ? std::string(1200 + random_() % 700, static_cast<char>('A' + random_() % 26)) : Value();
    if (value && random_() % 8 == 0) value = Expiring(*std::move(value));
  }
  return RunBatch(delta, {}, true, deferred);
}

std::string Driver::RunBatch(const History::Delta& given, const BatchRequest& checks, bool holds, bool deferred) {
  std::vector<Change> changes;
  Done& done = history_->done;
  for (const auto& [name, value] : given) {
    const uint64_t time = value ? TimeOf(*value) : 0;
    changes.push_back({static_cast<uint8_t>(value ? kRecordPut : kRecordDel),
                       static_cast<uint8_t>(time != 0 ? kRecordExpires : 0), TreeOf(name), KeyOf(name),
                       value ? BytesOf(*value) : Bytes{}, time});
  }
  BatchRequest request = checks;
  request.changes = changes.data();
  request.count = static_cast<uint32_t>(changes.size());
  uint64_t version = 0;
  // What is refused is not in the history: should it be in an image, nothing explains it.
  if (!holds) {
    ++done.conflicts;
    const Status status = store_->Batch(request, deferred, &version);
    return status == Status::kConflict
               ? ""
               : "a batch with a check that does not hold: status " + std::to_string(static_cast<int>(status));
  }
  for (const auto& [name, value] : given) {
    const uint64_t time = value ? TimeOf(*value) : 0;
    done.expiring += time >= kFuture;
    done.expired += time != 0 && time < kFuture;
    done.spaces += TreeOf(name) == kTreeSpaces;
  }
  done.checked += request.check_count + request.range_check_count != 0;
  Issue(Effect(given));
  return Finished(store_->Batch(request, deferred, &version), deferred, "batch");
}

std::string Driver::PutExpiring(bool deferred) { return RunBatch({{Name(), Expiring(Value())}}, {}, true, deferred); }

// One or two checks of entries, or one of a range, of which one may be wrong.
std::string Driver::CheckedBatch(bool deferred) {
  static std::vector<uint8_t> got(1 << 16);
  History::Delta given;
  for (uint64_t i = 1 + random_() % 3; i != 0; --i) given.emplace_back(Name(), Value());
  const bool holds = random_() % 2 == 0;
  if (random_() % 3 != 0) {
    const std::string names[] = {random_() % 2 == 0 ? given.front().first : Name(), Name()};
    Check checks[2];
    const auto count = static_cast<uint32_t>(1 + random_() % 2);
    for (uint32_t i = 0; i < count; ++i) {
      const GetResult get = store_->Get(TreeOf(names[i]), KeyOf(names[i]), got.data(), got.size());
      if ((get.status == Status::kOk) != (model_.count(names[i]) != 0)) return "a get differs from the model";
      checks[i] = {TreeOf(names[i]), KeyOf(names[i]), get.status == Status::kOk ? get.version : 0};
    }
    // A version that it has not, or not any more: none.
    Check& last = checks[count - 1];
    if (!holds) last.version = last.version == 0 || random_() % 2 == 0 ? last.version + 1 : 0;
    return RunBatch(given, {nullptr, 0, checks, count}, holds, deferred);
  }
  const std::string bound = Name();
  RangeCheck check{TreeOf(bound), {}, UINT64_MAX, 0};
  check.range.low = KeyOf(bound);
  for (const auto& [name, value] : model_) {
    if (IsSeen(name) && name[0] != kInExpiry && TreeOf(name) == check.tree) check.count += name >= bound;
  }
  if (!holds) {
    // One that came, one that went, or one that is another.
    if (check.count != 0 && random_() % 3 == 0) {
      check.version = 0;
    } else if (check.count != 0 && random_() % 2 == 0) {
      --check.count;
    } else {
      ++check.count;
    }
  }
  return RunBatch(given, {nullptr, 0, nullptr, 0, &check, 1}, holds, deferred);
}

// Names of a tree's entries by key, expired ones too.
Model Driver::Raw(uint32_t tree) const {
  std::map<std::string, std::string> raw;
  for (const auto& [key, value] : model_) {
    const std::string name = IsSeen(key) ? key : key.substr(1);
    if (name[0] != kInExpiry && TreeOf(name) == tree) raw[name] = key;
  }
  return raw;
}

std::string Driver::EraseSlice(bool deferred) {
  std::string low = Name(), high = Name();
  if (TreeOf(low) != TreeOf(high) || high < low) high = low;
  KeyRange range{KeyOf(low), KeyOf(high), random_() % 4 != 0, random_() % 4 == 0, random_() % 2 == 0};
  const uint32_t tree = TreeOf(low);
  const auto limit = static_cast<uint32_t>(1 + random_() % (random_() % 8 == 0 ? 40 : 4));
  History::Delta given;
  Removed expected;
  for (const auto& [name, key] : Raw(tree)) {
    if (range.Below(KeyOf(name)) || range.Above(KeyOf(name))) continue;
    if (expected.looked_at == limit) {
      expected.more = true;
      break;
    }
    ++expected.looked_at;
    expected.entries += IsSeen(key);
    given.emplace_back(name, std::nullopt);
  }
  Done& done = history_->done;
  ++done.erasing;
  done.spaces += tree == kTreeSpaces ? given.size() : 0;
  Issue(Effect(given));
  Removed removed;
  const Status status = store_->EraseRange(tree, range, limit, deferred, &removed);
  if (status == Status::kOk) {
    done.erased += removed.entries;
    if (removed.entries != expected.entries || removed.looked_at != expected.looked_at || removed.more != expected.more)
      return "erasing a range has found other entries than the model";
  }
  return Finished(status, deferred, "erase");
}

std::string Driver::SweepSlice(bool deferred) {
  const uint64_t until = random_() % 2 == 0 ? kFuture - 1 : kPast + random_() % kPastTimes;
  const auto limit = static_cast<uint32_t>(1 + random_() % (random_() % 4 == 0 ? 60 : 6));
  History::Delta delta;
  Removed expected;
  uint64_t outdated = 0;
  for (auto it = model_.lower_bound(std::string(1, kInExpiry)); it != model_.end() && it->first[0] == kInExpiry; ++it) {
    ExpiryLine line{};
    if (!ParseExpiryLine({reinterpret_cast<const uint8_t*>(it->first.data()) + 1, it->first.size() - 1}, &line))
      return "the model has a line that is none";
    if (line.unix_ms > until || expected.looked_at == limit) {
      expected.next_expiry = line.unix_ms;
      expected.more = line.unix_ms <= until;
      break;
    }
    ++expected.looked_at;
    delta.emplace_back(it->first, std::nullopt);
    auto entry = model_.find(Hidden(NameOf(line.tree, line.key)));
    if (entry == model_.end() || TimeOf(entry->second) != line.unix_ms) {
      ++outdated;
      continue;
    }
    ++expected.entries;
    delta.emplace_back(entry->first, std::nullopt);
  }
  Issue(std::move(delta));
  Removed removed;
  const Status status = store_->Sweep(until, limit, deferred, &removed);
  Done& done = history_->done;
  ++done.sweeps;
  if (status == Status::kOk) {
    done.swept += removed.entries;
    done.outdated += outdated;
    if (removed.entries != expected.entries || removed.looked_at != expected.looked_at ||
        removed.more != expected.more || removed.next_expiry != expected.next_expiry)
      return "a sweep has found other entries than the model";
  }
  return Finished(status, deferred, "sweep");
}

// Of up to 48 entries from a key on.
std::vector<uint64_t> Driver::VersionsFrom(const std::string& first) {
  static std::vector<uint8_t> got(1 << 16);
  std::vector<uint64_t> versions;
  for (auto it = model_.lower_bound(first); it != model_.end() && versions.size() < 48; ++it) {
    if (!IsSeen(it->first) || it->first[0] == kInExpiry) continue;
    versions.push_back(store_->Get(TreeOf(it->first), KeyOf(it->first), got.data(), got.size()).version);
  }
  return versions;
}

// What is moved keeps its version.
std::string Driver::Clean() {
  const std::string first = random_() % 2 == 0 ? std::string() : Name();
  const std::vector<uint64_t> versions = VersionsFrom(first);
  StoreStats before, after;
  store_->Stats(&before);
  if (store_->CleanSome(1 + random_() % 12) != Status::kOk) return "cleaning failed";
  store_->Stats(&after);
  history_->done.moved += static_cast<uint64_t>(after.cleaned_records - before.cleaned_records);
  history_->done.cleaned += static_cast<uint64_t>(after.cleaned_segments - before.cleaned_segments);
  return VersionsFrom(first) == versions ? "" : "cleaning has changed the version of an entry";
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

// A value that comes in pieces, over several operations: the next step of one.
std::string Driver::Stream(bool deferred) {
  if (incoming_.empty() || (incoming_.size() < 3 && random_() % 4 == 0)) {
    Incoming value{0, Name(), {}, 0};
    // Half of them with pieces that fill a segment.
    value.value = Filler(1 + random_() % (random_() % 2 == 0 ? 500 : 24000));
    if (random_() % 6 == 0) value.value = Expiring(std::move(value.value));
    const Status status = store_->BeginValue(TreeOf(value.name), KeyOf(value.name), &value.id);
    if (status != Status::kOk) return "a stream cannot begin: status " + std::to_string(static_cast<int>(status));
    incoming_.push_back(std::move(value));
  }
  const size_t which = random_() % incoming_.size();
  Incoming& value = incoming_[which];
  const size_t left = value.value.size() - value.at;
  // They are pending for long: others write, and die, around them.
  if (left == 0 && random_() % 3 != 0) return Put(Name(), Value(), deferred);
  if (left == 0 && random_() % 6 != 0) return FinishStream(which, deferred);
  Status status = Status::kFull;
  if (left != 0 && random_() % 16 != 0) {
    const size_t most = random_() % 4 == 0 ? 200 : store_->piece_bytes_max();
    const size_t bytes = std::min(left, 1 + random_() % most);
    status = store_->AppendValue(value.id, {reinterpret_cast<const uint8_t*>(value.value.data()) + value.at, bytes});
    value.at += bytes;
    if (status != Status::kOk && status != Status::kFull)
      return "a piece failed: status " + std::to_string(static_cast<int>(status));
  }
  if (status != Status::kOk) {
    store_->AbortValue(value.id);
    ++history_->done.aborted;
    incoming_.erase(incoming_.begin() + static_cast<std::ptrdiff_t>(which));
  }
  return {};
}

// One in three on a condition, which may not hold.
std::string Driver::FinishStream(size_t which, bool deferred) {
  static std::vector<uint8_t> got(1 << 16);
  const Incoming value = std::move(incoming_[which]);
  incoming_.erase(incoming_.begin() + static_cast<std::ptrdiff_t>(which));
  ValueEnd end;
  end.expires = TimeOf(value.value);
  bool holds = true;
  if (random_() % 3 == 0) {
    end.conditional = true;
    const GetResult get = store_->Get(TreeOf(value.name), KeyOf(value.name), got.data(), got.size());
    end.version = get.status == Status::kOk ? get.version : 0;
    holds = random_() % 2 == 0;
    if (!holds) ++end.version;
  }
  uint64_t version = 0;
  if (!holds) {
    ++history_->done.conflicts;
    const Status status = store_->FinishValue(value.id, end, deferred, &version);
    return status == Status::kConflict
               ? ""
               : "a stream whose condition does not hold: status " + std::to_string(static_cast<int>(status));
  }
  Done& done = history_->done;
  ++done.streams;
  done.spaces += TreeOf(value.name) == kTreeSpaces;
  Issue(Effect({{value.name, value.value}}));
  return Finished(store_->FinishValue(value.id, end, deferred, &version), deferred, "the end of a stream");
}

// Begins a growth, which goes on beside the operations that follow; or ends the one under way.
std::string Driver::Grow() {
  if (growing_ != nullptr) return EndGrowth(false);
  StoreStats stats;
  store_->Stats(&stats);
  const auto segments = static_cast<uint32_t>(stats.segments), more = static_cast<uint32_t>(1 + random_() % 6);
  if (segments + more > shape_.segments_max) return {};
  const uint64_t bytes = uint64_t{segments + more} * kSegmentBytesMin;
  if (recorder_ == nullptr) {
    const Failure failure = store_->Grow(bytes, nullptr);
    return failure.ok() ? "" : "growth failed: " + failure.detail;
  }
  // Its events: length, sync, a flush, entries, a drain, and twice a superblock and its drain. The last ones matter
  // most.
  recorder_->BeginGrowth(random_() % 2 == 0 ? more + 5 + random_() % 3 : 1 + random_() % (more + 7));
  growing_ = std::make_unique<Growing>();
  growing_->thread = std::thread([this, bytes] {
    recorder_->NameGrower();
    growing_->failure = store_->Grow(bytes, nullptr);
    growing_->ended = true;
  });
  return {};
}

// Without sleep: a checkpoint takes a writer that sleeps for one that waits for it.
std::string Driver::AwaitHeld() {
  while (!recorder_->GrowthIsHeld()) {
    if (growing_->ended) return "a growth has ended before it was let: " + growing_->failure.detail;
    std::this_thread::yield();
  }
  return {};
}

std::string Driver::EndGrowth(bool killed) {
  if (growing_ == nullptr) return {};
  std::string wrong = AwaitHeld();
  recorder_->ReleaseGrowth(killed);
  while (!growing_->ended) std::this_thread::yield();
  growing_->thread.join();
  recorder_->EndGrowth();
  if (wrong.empty() && !growing_->failure.ok()) wrong = "growth failed: " + growing_->failure.detail;
  growing_.reset();
  ++(killed ? history_->done.cut_off : history_->done.grown);
  return wrong;
}

std::string Driver::BeginBackup() {
  if (pinned_ || !shape_.backups) return {};
  LetFinish();
  if (recorder_ != nullptr) recorder_->SetOpen(true);
  uint64_t id = 0;
  Status status = store_->PinState(&id);
  if (status == Status::kOk) status = store_->AwaitPinned(id);
  if (recorder_ != nullptr) recorder_->SetOpen(false);
  if (status != Status::kOk) return "a state cannot be pinned: status " + std::to_string(static_cast<int>(status));
  Acknowledge();
  pinned_ = Pinned{id, HashModel(model_), RootCount(model_), {}, 0};
  return {};
}

// The next part of a backup's image; behind the last one, the backup is looked at.
std::string Driver::Backup() {
  if (!pinned_) return BeginBackup();
  const bool all = random_() % 3 == 0;
  const Status status = store_->WithPinned(pinned_->id, [&](const PinnedState& state) {
    const sealog::Image image(&state);
    std::vector<uint8_t>& bytes = pinned_->image;
    bytes.resize(image.bytes());
    const size_t left = bytes.size() - pinned_->at;
    const size_t part = all ? left : std::min<size_t>(left, RoundUp(bytes.size() / 3, sealog::Image::kGrain));
    image.Read(pinned_->at, bytes.data() + pinned_->at, part);
    pinned_->at += part;
  });
  if (status != Status::kOk) return "a backup cannot be read: status " + std::to_string(static_cast<int>(status));
  if (pinned_->at < pinned_->image.size()) return {};
  store_->Unpin(pinned_->id);
  std::string wrong = CheckBackup();
  pinned_.reset();
  ++history_->done.backups;
  return wrong.empty() ? "" : "a backup: " + wrong;
}

// As src/backup.ts ends it: as long as its superblock says.
std::string Driver::CheckBackup() {
  const std::string path = path_ + ".backup";
  uint64_t bytes = pinned_->image.size();
  for (uint64_t offset : kSuperblockOffset) {
    Superblock superblock;
    memcpy(&superblock, pinned_->image.data() + offset, sizeof superblock);
    Superblock whole = superblock;
    Complete(&whole);
    if (whole.crc == superblock.crc) bytes = std::max(bytes, superblock.region_bytes);
  }
  pinned_->image.resize(bytes);
  Content found;
  StoreStats stats;
  std::string wrong;
  {
    if (!Overwrite(path, pinned_->image)) return "cannot be written";
    RegionOptions options;
    // Its writes are none of the trace's.
    options.read_only = recorder_ != nullptr || random_() % 2 == 0;
    OpenResult opened = OpenStore(path, options, shape_.flush, shape_.checkpoint_bytes, false, false);
    if (opened.failure.ok()) {
      if (!opened.clean) wrong = "it is not clean";
      if (wrong.empty()) wrong = Scan(*opened.store, random_() % 2 == 0, 8, &found);
      opened.store->Stats(&stats);
      if (wrong.empty()) wrong = VerifyStore(opened.store.get());
    } else {
      wrong = "open refused: " + opened.failure.detail;
    }
  }
  unlink(path.c_str());
  if (wrong.empty() && (found.hash != pinned_->hash || static_cast<uint64_t>(stats.entries) != pinned_->count))
    wrong = "it has other content than the state had that it was taken of";
  return wrong;
}

std::string Driver::Step() {
  // Many small frames in flight: what is left of them fits behind those of the next session.
  if (tiny_ && random_() % 8 != 0) {
    std::string value(8, static_cast<char>('a' + random_() % 26));
    return Put("t" + std::to_string(random_() % 9), std::move(value), random_() % 5 != 0);
  }
  const bool deferred = random_() % 3 == 0;
  if (random_() % 16 < static_cast<uint64_t>(removing_)) {
    auto it = model_.lower_bound(Name());
    const bool removable = it != model_.end() && IsSeen(it->first) && it->first[0] != kInExpiry;
    return Remove(removable ? std::string(it->first) : Name(), deferred);
  }
  switch (random_() % 16) {
    case 0:
    case 1:
      return Batch(deferred);
    case 2:
      return Remove(Name(), deferred);
    case 3: {
      Status status = store_->Commit();
      if (status != Status::kOk) return "commit failed";
      Acknowledge();
      return {};
    }
    case 4:
      return PutExpiring(deferred);
    case 5:
      return CheckedBatch(deferred);
    case 6:
      return random_() % 2 == 0 ? EraseSlice(deferred) : SweepSlice(deferred);
    case 7:
      return Clean();
    case 8:
    case 9:
      return Stream(deferred);
    case 10:
      return random_() % 3 != 0 ? Grow() : Backup();
    case 11:
      return pinned_ ? Backup() : Put(Name(), Value(), deferred);
    default:
      return Put(Name(), Value(), deferred);
  }
}

std::string Driver::RunSome(int operations) {
  std::string wrong;
  tiny_ = random_() % 2 == 0;
  const bool backup = random_() % 8 == 0;
  if (backup) wrong = BeginBackup();
  if (wrong.empty() && random_() % 8 == 0) wrong = Grow();
  for (int i = 0; i < operations && wrong.empty(); ++i) {
    wrong = Step();
    Between();
  }
  while (backup && wrong.empty() && pinned_) wrong = Backup();
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
    if (wrong.empty() && random_() % (growing_ == nullptr ? 25 : 10) == 0) {
      // Sessions, some of which write nothing.
      do {
        if (random_() % 2 == 0) {
          wrong = Close();
        } else {
          wrong = Kill();
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
  *out = {};
  for (uint32_t tree : {kTreeUser, kTreeSpaces, kTreeExpiry}) {
    std::string last;
    uint64_t& count = out->counts[tree];
    const std::string wrong = ScanEntries(
        store, reverse,
        [&](Bytes key, Bytes value) -> std::string {
          const std::string name = NameOf(tree, key);
          if (count != 0 && (reverse ? name >= last : name <= last)) return "a scan is out of order";
          last = name;
          out->hash += HashPair(BytesOf(name), value) + 1;
          if (++count % gets_in == 0) {
            GetResult get = store.Get(tree, key, got.data(), got.size());
            if (get.status != Status::kOk || get.bytes != value.size || memcmp(got.data(), value.data, value.size) != 0)
              return "get of " + last + " differs from the scan";
            if (get.expires != TimeOf(std::string(reinterpret_cast<const char*>(value.data), value.size)))
              return last + " expires at another time";
          }
          return {};
        },
        tree);
    if (!wrong.empty()) return wrong;
  }
  return {};
}

}  // namespace sealog::test
