#include "check.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "support/recovery_twin.h"
#include "support/scan.h"

namespace sealog::test {
namespace {

constexpr size_t kBlockBytes = 1 << 20;  // more than is in a store
constexpr uint64_t kExtensionMaxBytes = 1 << 17;
constexpr uint64_t kChurnEvery = 8;
constexpr uint32_t kSmallBlockEntries = 7;

bool IsDamage(Status status) { return status == Status::kCorrupt || status == Status::kMedia; }

std::string Number(Status status) { return std::to_string(static_cast<int>(status)); }

Bytes BytesOf(std::string_view text) { return {reinterpret_cast<const uint8_t*>(text.data()), text.size()}; }

std::string Shown(std::string_view key) {
  return key.size() > 24 ? std::string(key.substr(0, 8)) + ".." + std::string(key.substr(key.size() - 4))
                         : std::string(key);
}

template <class Entries>
auto Place(Entries& entries, std::string_view key) {
  return std::lower_bound(entries.begin(), entries.end(), key,
                          [](const auto& entry, std::string_view k) { return entry.first < k; });
}

}  // namespace

Checker::Checker(const Image& image, const Map& map, std::string path)
    : image_(image), map_(map), path_(std::move(path)), block_(kBlockBytes), size_(image.bytes.size()) {
  file_ = open(path_.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (file_ < 0 || ftruncate(file_, static_cast<off_t>(size_)) != 0) abort();
  void* p = mmap(nullptr, size_ + kExtensionMaxBytes, PROT_READ | PROT_WRITE, MAP_SHARED, file_, 0);
  if (p == MAP_FAILED) abort();
  bytes_ = static_cast<uint8_t*>(p);
  PutBack();
  for (const auto& [key, value] : map_.state()) full_.emplace_back(key, value);
}

Checker::~Checker() {
  munmap(bytes_, image_.bytes.size() + kExtensionMaxBytes);
  close(file_);
  unlink(path_.c_str());
}

void Checker::PutBack() {
  if (size_ != image_.bytes.size()) {
    size_ = image_.bytes.size();
    if (ftruncate(file_, static_cast<off_t>(size_)) != 0) abort();
  }
  memcpy(bytes_, image_.bytes.data(), size_);
}

void Checker::Place(const Damage& damage) {
  hit_.clear();
  keys_hit_.clear();
  if (damage.size != size_) {
    size_ = damage.size;
    if (ftruncate(file_, static_cast<off_t>(size_)) != 0) abort();
  }
  for (const auto& [offset, bytes] : damage.writes) memcpy(bytes_ + offset, bytes.data(), bytes.size());
  // Hit is what differs: a block may be what was there.
  for (const auto& [offset, bytes] : damage.writes) {
    for (uint64_t at = offset; at < offset + bytes.size() && at < image_.bytes.size(); ++at) {
      if (bytes_[at] == image_.bytes[at]) continue;
      const Piece* piece = map_.At(at);
      if (piece == nullptr || (!hit_.empty() && hit_.back() == piece)) continue;
      hit_.push_back(piece);
      keys_hit_.insert(keys_hit_.end(), piece->keys.begin(), piece->keys.end());
    }
  }
  std::sort(keys_hit_.begin(), keys_hit_.end());
}

bool Checker::IsHit(const Piece* piece) const {
  return piece != nullptr && std::find(hit_.begin(), hit_.end(), piece) != hit_.end();
}

Verdict Checker::Check(const Damage& damage, uint64_t number) {
  Place(damage);
  SeedSystemRandom(number);
  wrong_.clear();
  failures_ = false;
  failed_.clear();
  kept_.clear();
  Verdict verdict = Judge(number);
  if (!wrong_.empty()) verdict = {Outcome::kWrong, wrong_};
  PutBack();
  return verdict;
}

// The log was found to end early, before the frame `next_lsn`.
Outcome Checker::EndOfLog(uint64_t next_lsn) const {
  const Piece* end = nullptr;
  for (const Piece& piece : map_.pieces()) {
    if (piece.kind == Kind::kTail && piece.lsn == next_lsn) end = &piece;
  }
  if (end == nullptr || !IsHit(end)) return Outcome::kWrong;
  // What recovery can reach: the segments that are announced one after the other.
  std::vector<uint32_t> reached = {end->segment};
  for (;;) {
    const uint32_t segment = reached.back();
    const Piece* announcement = map_.At(uint64_t{segment} * map_.segment_bytes() + kLineBytes);
    if (IsHit(announcement) || map_.Successor(segment) == kSegmentNone) break;
    reached.push_back(map_.Successor(segment));
  }
  Outcome outcome = Outcome::kLastFrame;
  for (const Piece& piece : map_.pieces()) {
    // This one is whole, and proves that a frame is missing.
    if (piece.kind != Kind::kTail || piece.lsn <= next_lsn || piece.lsn - piece.window < next_lsn || IsHit(&piece))
      continue;
    if (std::find(reached.begin(), reached.end(), piece.segment) != reached.end()) return Outcome::kWrong;
    outcome = Outcome::kOutOfReach;
  }
  return outcome;
}

Verdict Checker::Judge(uint64_t number) {
  OpenResult result = OpenStore(path_, {}, BestFlush(false), kNoCheckpoints);
  if (!result.failure.ok()) {
    switch (result.failure.status) {
      case Status::kCorrupt:
      case Status::kMedia:
      case Status::kNotAStore:
      case Status::kVersion:
      case Status::kTruncated:
        break;
      default:
        Wrong("open answers " + Number(result.failure.status) + ": " + result.failure.detail);
    }
    if (hit_.empty() && size_ == image_.bytes.size())
      Wrong("nothing in use is damaged, and open refuses: " + result.failure.detail);
    return {Outcome::kTyped, {}};
  }
  Outcome outcome = Outcome::kCorrect;
  expected_ = full_;
  Model before;
  if (result.replay.end.next_lsn < map_.next_lsn()) {
    outcome = EndOfLog(result.replay.end.next_lsn);
    if (outcome == Outcome::kWrong)
      Wrong("commits are lost without a word from LSN " + std::to_string(result.replay.end.next_lsn));
    before = image_.StateAt(result.replay.end.next_lsn - 1);
    expected_.clear();
    for (const auto& [key, value] : before) expected_.emplace_back(key, value);
  } else if (result.replay.end.next_lsn > map_.next_lsn()) {
    Wrong("the log is longer than it was");
  }
  std::unique_ptr<Store> store = std::move(result.store);
  if (outcome == Outcome::kCorrect && IsHit(map_.At(map_.slot_offset()))) outcome = Outcome::kFallback;
  Reads(*store, number);
  if (outcome <= Outcome::kFallback && failures_) outcome = Outcome::kPartial;
  Writes(*store, number);
  if (number % kChurnEvery == 0 && failures_) Churn(*store);
  if (store->Close() != Status::kOk) Wrong("close failed");
  store.reset();

  const bool had_failures = failures_;
  result = OpenStore(path_, {}, BestFlush(false), kNoCheckpoints);
  if (!result.failure.ok()) {
    Wrong("what was closed does not open again: " + Number(result.failure.status) + " " + result.failure.detail);
    return {outcome, {}};
  }
  failed_.clear();
  Scan(*result.store, false, {}, UINT32_MAX);
  Count(*result.store, {});
  if (had_failures || number % 16 == 0) Gets(*result.store);
  if (!had_failures && failures_) Wrong("reads fail only after the store was reopened");
  return {outcome, {}};
}

// An error that names what was damaged.
bool Checker::Named(const Store& store) {
  failures_ = true;
  return IsHit(map_.At(store.damaged_offset()));
}

bool Checker::MayFail(std::string_view key) const {
  auto at = map_.state().find(std::string(key));
  if (at == map_.state().end()) return true;  // a state before the last frames: which keys depend on what is not known
  const auto index = static_cast<uint32_t>(sealog::test::Place(full_, key) - full_.begin());
  return std::binary_search(keys_hit_.begin(), keys_hit_.end(), index);
}

Checker::Entries Checker::Within(const KeyRange& range) const {
  Entries entries;
  for (const auto& entry : expected_) {
    if (!range.Below(BytesOf(entry.first)) && !range.Above(BytesOf(entry.first))) entries.push_back(entry);
  }
  return entries;
}

void Checker::Reads(Store& store, uint64_t number) {
  Scan(store, false, {}, UINT32_MAX);
  Scan(store, true, {}, UINT32_MAX);
  Gets(store);
  Count(store, {});
  if (expected_.size() < 8) return;
  // Bounds beside what is damaged, and anywhere.
  for (int i = 0; i < 3; ++i) {
    size_t a = (number * 2654435761u + static_cast<size_t>(i) * 97) % expected_.size();
    size_t b = (a + 1 + number % 60) % expected_.size();
    if (i == 0 && !keys_hit_.empty()) {
      a = std::min<size_t>(keys_hit_[number % keys_hit_.size()], expected_.size() - 1);
      b = a + number % 3;
      a -= std::min<size_t>(a, number % 5);
    }
    b = std::min(b, expected_.size() - 1);
    if (a > b) std::swap(a, b);
    KeyRange range;
    range.low = BytesOf(expected_[a].first);
    range.high = BytesOf(expected_[b].first);
    range.has_high = true;
    range.low_exclusive = number % 2 != 0;
    range.high_inclusive = i % 2 == 0;
    Scan(store, i == 2, range, UINT32_MAX);
    Count(store, range);
  }
  if (!failures_) return;
  Scan(store, false, {}, kSmallBlockEntries);
  Scan(store, true, {}, kSmallBlockEntries);
}

// All that a scan gives, to its end or its error, is what it should be; without an error nothing is missing.
void Checker::Scan(Store& store, bool reverse, const KeyRange& range, uint32_t block_entries) {
  const bool whole = range.low.size == 0 && !range.has_high;
  const Entries part = whole ? Entries{} : Within(range);
  const Entries& wanted = whole ? expected_ : part;
  RangeRequest request;
  request.range = range;
  request.reverse = reverse;
  request.limit = block_entries;
  request.out = block_.data();
  request.out_bytes = block_.size();
  std::string last;
  size_t seen = 0;
  for (;;) {
    RangeResult result = store.FillRange(request);
    if (result.status != Status::kOk) {
      if (!IsDamage(result.status)) Wrong("a scan answers " + Number(result.status));
      if (!Named(store)) Wrong("a scan's error names " + std::to_string(store.damaged_offset()) + ", which is whole");
      break;
    }
    size_t at = 0;
    std::string_view key;
    for (uint32_t i = 0; i < result.entries; ++i) {
      RangeEntry entry;
      memcpy(&entry, block_.data() + at, sizeof entry);
      key = {reinterpret_cast<char*>(block_.data() + at + sizeof entry), entry.key_bytes};
      if (seen == wanted.size()) return Wrong("a scan gives more than there is: " + Shown(key));
      const auto& [k, v] = wanted[reverse ? wanted.size() - 1 - seen : seen];
      if (key != k) return Wrong("a scan gives " + Shown(key) + ", expected is " + Shown(k));
      if (v.size() != entry.value_bytes || memcmp(key.data() + key.size(), v.data(), v.size()) != 0)
        return Wrong("a scan gives another value of " + Shown(key));
      ++seen;
      at += RoundUp(sizeof entry + entry.key_bytes + entry.value_bytes, 8);
    }
    if (result.done) {
      if (seen != wanted.size())
        Wrong("a scan ends before " + Shown(wanted[reverse ? wanted.size() - 1 - seen : seen].first));
      break;
    }
    request.snapshot = result.snapshot;
    last = key;
    GoOnBehind(last, &request);
  }
  if (request.snapshot != 0) store.ReleaseSnapshot(request.snapshot);
}

void Checker::Count(Store& store, const KeyRange& range) {
  uint64_t count = 0;
  const Status status = store.Count(range, &count);
  if (status == Status::kOk) {
    const size_t wanted = range.low.size == 0 && !range.has_high ? expected_.size() : Within(range).size();
    if (count != wanted) Wrong("count is " + std::to_string(count) + ", expected is " + std::to_string(wanted));
  } else {
    if (!IsDamage(status)) Wrong("count answers " + Number(status));
    if (!Named(store)) Wrong("an error of count names " + std::to_string(store.damaged_offset()) + ", which is whole");
  }
}

void Checker::Gets(Store& store) {
  for (const auto& [key, value] : expected_) {
    const GetResult got = store.Get(kTreeUser, BytesOf(key), block_.data(), block_.size());
    if (got.status == Status::kOk) {
      if (got.bytes != value.size() || memcmp(block_.data(), value.data(), value.size()) != 0)
        return Wrong("get gives another value of " + Shown(key));
      continue;
    }
    if (!IsDamage(got.status)) return Wrong("get of " + Shown(key) + " answers " + Number(got.status));
    if (!Named(store))
      return Wrong("an error of get names " + std::to_string(store.damaged_offset()) + ", which is whole");
    if (!MayFail(key)) return Wrong("get of " + Shown(key) + " fails, which does not depend on the damage");
    failed_.push_back(key);
  }
  for (std::string_view absent : {"a", "k99999", "zzz"}) {
    const Status status = store.Get(kTreeUser, BytesOf(absent), block_.data(), block_.size()).status;
    if (status != Status::kNotFound && !IsDamage(status)) Wrong("get of an absent key answers " + Number(status));
  }
}

std::string_view Checker::Keep(std::string text) {
  kept_.push_back(std::move(text));
  return kept_.back();
}

void Checker::Written(Status status, Store& store, const char* what, std::string_view key) {
  // Segments whose bitmap is damaged are left alone, and may be missed.
  if (status == Status::kFull && failures_) return;
  if (!IsDamage(status)) return Wrong(std::string(what) + " of " + Shown(key) + " answers " + Number(status));
  if (!failures_) return Wrong(std::string(what) + " of " + Shown(key) + " fails where every read is right");
  if (!Named(store))
    Wrong(std::string("an error of ") + what + " names " + std::to_string(store.damaged_offset()) + ", which is whole");
}

void Checker::Put(Store& store, std::string_view key, std::string value) {
  const std::string_view kept = Keep(std::move(value));
  uint64_t version = 0;
  const Status status = store.Put(kTreeUser, BytesOf(key), BytesOf(kept), false, &version);
  if (status != Status::kOk) return Written(status, store, "put", key);
  auto at = sealog::test::Place(expected_, key);
  if (at != expected_.end() && at->first == key) {
    at->second = kept;
  } else {
    expected_.insert(at, {key, kept});
  }
}

void Checker::Remove(Store& store, std::string_view key) {
  uint64_t version = 0;
  const Status status = store.Remove(kTreeUser, BytesOf(key), false, &version);
  if (status != Status::kOk) return Written(status, store, "remove", key);
  if (version == 0) return Wrong("remove of " + Shown(key) + " does not find it");
  expected_.erase(sealog::test::Place(expected_, key));
}

void Checker::Writes(Store& store, uint64_t number) {
  // What is damaged can be replaced, or taken out.
  const std::vector<std::string_view> failed = failed_;
  for (size_t i = 0; i < std::min<size_t>(failed.size(), 2); ++i) {
    if ((number + i) % 2 == 0) {
      Put(store, failed[i], "written over damage");
    } else {
      Remove(store, failed[i]);
    }
  }
  if (expected_.size() < 8) return;
  const std::string_view one = expected_[number % expected_.size()].first;
  Put(store, one, "after " + std::to_string(number));
  Put(store, Keep("k0" + std::to_string(number % 10007) + "+"), "new");
  const std::string_view gone = expected_[(number * 7 + 1) % expected_.size()].first;
  Remove(store, gone);
}

// So much that every free segment comes to be used: what the store wrongly takes for free is lost by that.
void Checker::Churn(Store& store) {
  for (int i = 0; i < 4; ++i) {
    for (int k = 0; k < 16; ++k) {
      const std::string_view key = Keep("churn" + std::to_string(k % 4));
      const std::string_view value = Keep(std::string(2900, static_cast<char>('a' + i)));
      uint64_t version = 0;
      const Status status = store.Put(kTreeUser, BytesOf(key), BytesOf(value), false, &version);
      if (status == Status::kFull) return;
      if (status != Status::kOk) {
        Written(status, store, "put", key);
        continue;
      }
      auto at = sealog::test::Place(expected_, key);
      if (at != expected_.end() && at->first == key) {
        at->second = value;
      } else {
        expected_.insert(at, {key, value});
      }
    }
    if (store.Checkpoint() != Status::kOk) return Wrong("a checkpoint failed");
  }
}

}  // namespace sealog::test
