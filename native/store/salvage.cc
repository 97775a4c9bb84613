#include "store/salvage.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <memory>
#include <new>
#include <unordered_map>

#include "base/crc32c.h"
#include "index/inner.h"
#include "index/leaf.h"
#include "platform/zeroed_memory.h"
#include "store/salvage_source.h"

namespace sealog {
namespace {

constexpr uint64_t kBatchBytesMax = 256 << 10;
constexpr uint32_t kBatchEntriesMax = 256;
constexpr uint64_t kCommitBytes = 16 << 20;     // bounds what is deferred
constexpr uint32_t kTreesCopied = kTreeExpiry;  // the list of times is made anew

// LSNs from `first` to `last`.
struct LsnRun {
  uint64_t first;
  uint64_t last;
  uint64_t end_offset;  // in the file, behind the last one
};

// Keys of a tree that no readable leaf speaks of.
struct Gap {
  uint32_t tree;
  std::string low, high;
  bool has_high;
  uint64_t count;  // entries that the index had there, if it is known
  uint64_t found = 0;
  uint64_t where;
  const char* why;
};

struct Candidate {
  uint64_t lsn;
  uint64_t offset;
  bool remove;
  bool moved;  // by the cleaner: what it had found to be the newest
};

using Candidates = std::unordered_map<std::string, Candidate>;  // by tree (a byte) and key

struct Staged {
  OwnRecord record;
  std::unique_ptr<uint8_t[]> large;  // a value put together from its pieces
  Bytes value;
  uint64_t* counter;
};

std::string TextOf(Bytes b) { return {reinterpret_cast<const char*>(b.data), b.size}; }
Bytes BytesOf(const std::string& s) { return {reinterpret_cast<const uint8_t*>(s.data()), s.size()}; }
uint32_t HashOf(Bytes key) {
  const KeyHash hash = HashKey(key);
  return uint32_t{hash.tag} << 8 | hash.fingerprint;
}
std::string IdOf(uint32_t tree, Bytes key) {
  std::string id(1, static_cast<char>(tree));
  id.append(reinterpret_cast<const char*>(key.data), key.size);
  return id;
}

class Salvager {
 public:
  Salvager(const Region& region, const SalvagePlan& plan, Store* out, int64_t* progress, SalvageReport* report)
      : plan_(plan), source_(region, plan), out_(out), progress_(progress), report_(report) {}

  Failure Run() {
    const uint64_t units = source_.bytes() / kLeafBytes;
    node_.reset(new (std::nothrow) uint8_t[kInnerBytes]);
    if (!visited_.Allocate(units / 8 + 1) || node_ == nullptr)
      return {Status::kNoMemory, 0, "", 0, "no memory for salvage's tables"};
    total_ = uint64_t{source_.segment_count()} * 2;
    if (HasSlot()) {
      for (uint32_t t = 0; t < kTreesCopied; ++t) total_ += plan_.header.roots[t].count;
    }
    source_.ReadHeaders();
    const uint64_t since = HasSlot() ? source_.HeadSequence() : 0;
    const bool has_log = !HasSlot() || plan_.header.hot.segment != kSegmentNone;
    if (has_log && Survey(since)) Gather(since, &tail_, false);
    for (const auto& [id, candidate] : tail_) {
      tail_hashes_.emplace(HashOf({reinterpret_cast<const uint8_t*>(id.data()) + 1, id.size() - 1}), &id);
    }
    if (HasSlot()) {
      for (uint32_t t = 0; t < kTreesCopied && Going(); ++t) WalkTree(t);
    }
    if (Going()) CopyCandidates(&tail_, HasSlot() ? &report_->from_tail : &report_->from_scan);
    tail_hashes_.clear();
    if (HasSlot() && !gaps_.empty() && Going()) {
      SortGaps();
      Candidates found;
      // Again, with the sessions of all of the log: what they had discarded does not count.
      if (Survey(0)) Gather(0, &found, true);
      if (Going()) CopyCandidates(&found, &report_->from_scan);
    }
    if (Going()) Flush();
    if (Going()) Check(out_->Commit());
    if (failure_.ok()) Conclude();
    return failure_;
  }

 private:
  bool HasSlot() const { return plan_.header.has_slot != 0; }
  uint64_t SlotLsn() const { return HasSlot() ? plan_.header.lsn : 0; }

  // --- going on

  bool Going() const { return failure_.ok(); }
  void Step(uint64_t steps) {
    if (progress_ == nullptr) return;
    done_ += steps;
    std::atomic_ref<int64_t>(progress_[0]).store(static_cast<int64_t>(std::min(done_, total_)));
    std::atomic_ref<int64_t>(progress_[1]).store(static_cast<int64_t>(total_));
    if (failure_.ok() && std::atomic_ref<int64_t>(progress_[2]).load() != 0) {
      failure_ = {Status::kAborted, 0, "", 0, "aborted by the caller"};
    }
  }
  void Check(Status status) {
    if (status == Status::kOk || !failure_.ok()) return;
    failure_ = out_->poison();
    failure_.status = status;
  }

  SalvageLoss* Note(SalvageLoss loss) {
    ++report_->losses;
    report_->lost_entries += loss.entries;
    if (report_->listed.size() == kSalvageLossesListed) return nullptr;
    report_->listed.push_back(std::move(loss));
    return &report_->listed.back();
  }
  void NoteEntry(const char* what, uint64_t where, uint32_t tree, Bytes key, std::string detail) {
    SalvageLoss loss;
    loss.what = what;
    loss.where = where;
    loss.tree = tree;
    loss.has_key = key.size != 0;
    if (loss.has_key) loss.key = TextOf(key);
    loss.entries = 1;
    loss.detail = std::move(detail);
    Note(std::move(loss));
  }

  // --- the log

  // Finds out which frames of the log count. Those up to the last LSN that a frame knew to be durable, and, as recovery
  // has it, those behind it without a gap; not what a session discarded.
  bool Survey(uint64_t since) {
    runs_.clear();
    dead_.clear();
    more_.clear();
    durable_ = SlotLsn();
    bool learned = true;
    // A LINK may name a segment that had been passed already.
    for (int round = 0; learned && round < 3; ++round) {
      learned = false;
      for (uint32_t i = plan_.header.meta_segments; i < source_.segment_count() && Going(); ++i) {
        if (round == 0) Step(1);
        if (!source_.UsedSince(i, since)) continue;
        if (!source_.Scan(i, [&](const SalvageSource::Met& met) { learned |= Surveyed(met); })) given_up_.push_back(i);
      }
    }
    std::sort(runs_.begin(), runs_.end(), [](const LsnRun& a, const LsnRun& b) { return a.first < b.first; });
    size_t kept = 0;
    for (size_t i = 1; i < runs_.size(); ++i) {
      LsnRun& last = runs_[kept];
      if (runs_[i].first > last.last + 1) {
        runs_[++kept] = runs_[i];
      } else if (runs_[i].last > last.last) {
        last.last = runs_[i].last;
        last.end_offset = runs_[i].end_offset;
      }
    }
    if (!runs_.empty()) runs_.resize(kept + 1);
    end_ = durable_;
    for (const LsnRun& run : runs_) {
      if (run.first <= durable_ + 1) end_ = std::max(end_, run.last);
    }
    std::sort(more_.begin(), more_.end());
    const auto more = [&](uint64_t lsn) { return std::binary_search(more_.begin(), more_.end(), lsn); };
    // A transaction that was never finished.
    while (end_ > SlotLsn() && more(end_)) --end_;
    for (auto& [first, last] : dead_) {
      while (first > 1 && more(first - 1)) --first;
    }
    std::sort(dead_.begin(), dead_.end());
    return Going();
  }

  bool Surveyed(const SalvageSource::Met& met) {
    if (met.record != nullptr || met.lsn == 0) return false;
    durable_ = std::max(durable_, met.lsn - met.window);
    uint64_t last = met.lsn;
    bool learned = false;
    if (met.link != nullptr) {
      LinkFrame link;
      memcpy(&link, met.link, sizeof link);
      if (link.next_lsn > link.lsn) last = link.next_lsn - 1;
      if ((link.flags & kLinkSession) != 0) dead_.emplace_back(link.lsn, last);
      learned = source_.AddSeed(link.segment, link.seed, link.log_sequence);
    } else if ((met.flags & kBatchMore) != 0 && met.kind == kFrameBatch) {
      more_.push_back(met.lsn);
    }
    if (!runs_.empty() && runs_.back().last + 1 == met.lsn) {
      runs_.back().last = last;
      runs_.back().end_offset = met.offset + met.bytes;
    } else {
      runs_.push_back({met.lsn, last, met.offset + met.bytes});
    }
    return learned;
  }

  bool Counts(const SalvageSource::Met& met) const {
    if (met.lsn > end_) return false;
    auto after = std::upper_bound(dead_.begin(), dead_.end(), std::make_pair(met.lsn, UINT64_MAX));
    return after == dead_.begin() || std::prev(after)->second < met.lsn;
  }

  // Of equal versions the later one in a batch; a copy that the cleaner made before what it copied; one in a segment in
  // use before one that was given back.
  bool Replaces(const Candidate& a, const Candidate& b) const {
    if (a.lsn != b.lsn) return a.lsn > b.lsn;
    if (a.moved != b.moved) return a.moved;
    return !IsDead(a) || IsDead(b);
  }
  bool IsDead(const Candidate& c) const {
    return source_.IsDead(static_cast<uint32_t>(c.offset >> plan_.header.segment_bytes_log2));
  }

  // The newest of each key: of those behind the checkpoint, or (`in_gaps`) of those that the index does not speak of.
  void Gather(uint64_t since, Candidates* into, bool in_gaps) {
    if (!in_gaps) NoteMissing();
    uint64_t used = 0;
    bool too_many = false;
    for (uint32_t i = plan_.header.meta_segments; i < source_.segment_count() && Going(); ++i) {
      Step(1);
      if (!source_.UsedSince(i, since)) continue;
      static_cast<void>(source_.Scan(i, [&](const SalvageSource::Met& met) {
        if (met.record == nullptr) {
          if (!in_gaps && HasSlot() && met.lsn > first_missing_ && Counts(met)) ++report_->frames_behind_damage;
          return;
        }
        const Record& record = *met.record;
        if (record.kind == kRecordChunk || record.tree >= kTreesCopied || !Counts(met)) return;
        if (in_gaps ? GapOf(record.tree, record.key) == nullptr : met.lsn <= SlotLsn()) return;
        std::string id = IdOf(record.tree, record.key);
        if (in_gaps && tail_.count(id) != 0) return;
        const Candidate candidate{record.lsn, met.offset, record.kind == kRecordDel,
                                  (record.flags & kRecordMoved) != 0};
        auto found = into->find(id);
        if (found != into->end()) {
          if (Replaces(candidate, found->second)) found->second = candidate;
          return;
        }
        used += id.size() + sizeof(Candidates::value_type) + 48;
        too_many = too_many || used > kSalvageKeyBytesMax;
        if (!too_many) into->emplace(std::move(id), candidate);
      }));
    }
    if (!too_many) return;
    SalvageLoss loss;
    loss.what = "segment";
    loss.detail = "the log has more keys than salvage keeps in memory; some were left out";
    report_->unknown = true;
    Note(std::move(loss));
  }

  // LSNs behind the checkpoint that are known to have been durable, and are not there.
  void NoteMissing() {
    first_missing_ = UINT64_MAX;
    if (!HasSlot()) return;
    uint64_t expected = SlotLsn() + 1;
    uint64_t at = (uint64_t{plan_.header.hot.segment} << plan_.header.segment_bytes_log2) + plan_.header.hot.offset;
    const auto note = [&](uint64_t last) {
      SalvageLoss loss;
      loss.what = "frame";
      loss.where = at;
      loss.lsn = expected;
      loss.lsn_last = last;
      loss.detail =
          "frames of the log that had been acknowledged; older versions of what they changed may have been kept";
      OwnRecord record;
      if (source_.ReadRecord(at, &record) != Status::kOk && record.memory != nullptr && record.record.lsn == expected) {
        loss.tree = record.record.tree;
        loss.has_key = true;
        loss.key = TextOf(record.record.key);
      }
      first_missing_ = std::min(first_missing_, expected);
      report_->unknown = true;
      Note(std::move(loss));
    };
    for (const LsnRun& run : runs_) {
      if (run.last < expected) continue;
      if (run.first > durable_) break;
      if (run.first > expected) note(run.first - 1);
      expected = run.last + 1;
      at = run.end_offset;
    }
    if (expected <= durable_) note(durable_);
    report_->last_lsn = end_;
  }

  // --- the index

  struct Pending {
    uint64_t ref;
    uint8_t level;  // 0xff: of a root
    std::string low, high;
    bool has_high;
    uint64_t count;
  };

  void NoteGap(uint32_t tree, const Pending& node, const char* why) {
    gaps_.push_back(
        {tree, node.low, node.high, node.has_high, node.count, 0, NodeRefIndex(node.ref) * kLeafBytes, why});
  }

  void WalkTree(uint32_t tree) {
    const TreeRoot& root = plan_.header.roots[tree];
    if (root.ref == 0) return;
    std::vector<Pending> stack;
    stack.push_back({root.ref, 0xff, "", "", false, root.count});
    uint8_t buffer[kKeyBytesMax];
    while (!stack.empty() && Going()) {
      const Pending at = std::move(stack.back());
      stack.pop_back();
      const uint64_t unit = NodeRefIndex(at.ref);
      if (unit >= source_.bytes() / kLeafBytes) {
        NoteGap(tree, at, "outside of the file");
        continue;
      }
      if ((visited_.data()[unit >> 3] & 1u << (unit & 7)) != 0) {
        NoteGap(tree, at, "referred to twice");
        continue;
      }
      if (!source_.ReadNode(at.ref, at.level, node_.get())) {
        NoteGap(tree, at, "damaged");
        continue;
      }
      visited_.data()[unit >> 3] |= static_cast<uint8_t>(1u << (unit & 7));
      const auto* header = reinterpret_cast<const NodeHeader*>(node_.get());
      if (header->level == 0) {
        CopyLeaf(tree, at);
        continue;
      }
      const auto& inner = *reinterpret_cast<const InnerNode*>(node_.get());
      const size_t first = stack.size();
      for (uint32_t i = 0; i < inner.header.count; ++i) {
        Pending child{
            inner.entries[i].child, static_cast<uint8_t>(inner.header.level - 1), at.low, at.high, at.has_high,
            inner.entries[i].count};
        if (i != 0) child.low = TextOf(SeparatorOf(inner, i, buffer));
        if (i + 1 < inner.header.count) {
          child.high = TextOf(SeparatorOf(inner, i + 1, buffer));
          child.has_high = true;
        }
        stack.push_back(std::move(child));
      }
      // The first one next, so that keys come in order.
      std::reverse(stack.begin() + static_cast<ptrdiff_t>(first), stack.end());
    }
  }

  static bool Inside(const std::string& low, const std::string& high, bool has_high, Bytes key) {
    return Compare(key, BytesOf(low)) >= 0 && (!has_high || Compare(key, BytesOf(high)) < 0);
  }

  // Whether the tail says what became of an entry of which only the hash is known.
  bool TailHas(uint32_t tree, uint32_t hash, const Pending& leaf) const {
    auto [first, last] = tail_hashes_.equal_range(hash);
    for (; first != last; ++first) {
      const std::string& id = *first->second;
      const Bytes key{reinterpret_cast<const uint8_t*>(id.data()) + 1, id.size() - 1};
      if (static_cast<uint8_t>(id[0]) == tree && Inside(leaf.low, leaf.high, leaf.has_high, key)) return true;
    }
    return false;
  }

  void CopyLeaf(uint32_t tree, const Pending& at) {
    const LeafNode leaf = *reinterpret_cast<const LeafNode*>(node_.get());
    std::vector<std::pair<uint64_t, OwnRecord>> records;
    for (uint32_t i = 0; i < leaf.header.count; ++i) {
      const uint64_t offset = RecordRefOffset(leaf.refs[i]);
      const uint32_t hash = RecordRefTag(leaf.refs[i]) << 8 | leaf.fingerprints[i];
      OwnRecord own;
      const Status status = source_.ReadRecord(offset, &own);
      if (status == Status::kNoMemory) {
        failure_ = {status, 0, "", offset, "no memory for a record"};
        return;
      }
      const Record& record = own.record;
      // All that a leaf knows of the key, and where the leaf is, tell whether this is still the key.
      const bool key_holds = own.memory != nullptr && record.tree == tree && HashOf(record.key) == hash &&
                             Inside(at.low, at.high, at.has_high, record.key);
      if (status == Status::kOk && key_holds && record.kind == kRecordPut) {
        if (tail_.count(IdOf(tree, record.key)) == 0) records.emplace_back(offset, std::move(own));
        continue;
      }
      if (key_holds ? tail_.count(IdOf(tree, record.key)) != 0 : TailHas(tree, hash, at)) continue;
      SalvageLoss loss;
      loss.what = "record";
      loss.where = offset;
      loss.tree = tree;
      loss.entries = 1;
      loss.has_key = key_holds;
      if (key_holds) {
        loss.key = TextOf(record.key);
        loss.detail = "the record does not hold";
      } else {
        loss.is_range = true;
        loss.low = at.low;
        loss.high = at.high;
        loss.has_high = at.has_high;
        loss.detail = "the record does not hold; its key cannot be read, but lies in this range";
      }
      Note(std::move(loss));
    }
    std::sort(records.begin(), records.end(),
              [](const auto& a, const auto& b) { return Compare(a.second.record.key, b.second.record.key) < 0; });
    for (auto& [offset, own] : records) Stage(offset, std::move(own), &report_->by_index);
    Step(leaf.header.count);
  }

  void SortGaps() {
    std::sort(gaps_.begin(), gaps_.end(),
              [](const Gap& a, const Gap& b) { return a.tree != b.tree ? a.tree < b.tree : a.low < b.low; });
  }

  // REQUIRES: sorted. Gaps of a tree lie apart.
  Gap* GapOf(uint32_t tree, Bytes key) {
    auto after = std::upper_bound(gaps_.begin(), gaps_.end(), key, [tree](Bytes k, const Gap& gap) {
      return gap.tree != tree ? tree < gap.tree : Compare(k, BytesOf(gap.low)) < 0;
    });
    if (after == gaps_.begin()) return nullptr;
    --after;
    return after->tree == tree && Inside(after->low, after->high, after->has_high, key) ? &*after : nullptr;
  }

  // --- copying

  void CopyCandidates(Candidates* from, uint64_t* counter) {
    std::vector<const Candidates::value_type*> order;
    order.reserve(from->size());
    for (const auto& each : *from) {
      if (!each.second.remove) order.push_back(&each);
    }
    std::sort(order.begin(), order.end(), [](auto* a, auto* b) { return a->first < b->first; });
    for (const auto* each : order) {
      if (!Going()) return;
      const uint64_t offset = each->second.offset;
      // The checkpoint knew that nothing here was live: the entry had been removed, or replaced by what is lost.
      if (counter == &report_->from_scan && IsDead(each->second)) continue;
      OwnRecord own;
      const Status status = source_.ReadRecord(offset, &own);
      if (status == Status::kNoMemory) {
        failure_ = {status, 0, "", offset, "no memory for a record"};
        return;
      }
      const auto tree = static_cast<uint8_t>(each->first[0]);
      if (status != Status::kOk) {
        NoteEntry("record", offset, tree, BytesOf(each->first.substr(1)), "the record does not hold any more");
        continue;
      }
      Gap* gap = HasSlot() && counter == &report_->from_scan ? GapOf(tree, own.record.key) : nullptr;
      if (Stage(offset, std::move(own), counter) && gap != nullptr) ++gap->found;
    }
  }

  // Puts a large value together. False: it is lost, and noted.
  bool JoinPieces(uint64_t offset, const Record& record, Staged* staged) {
    struct Piece {
      uint64_t offset;
      OwnRecord own;
    };
    uint64_t whole = 0, readable = 0, bad = 0;
    bool lost = record.value.size == 0 || record.value.size % sizeof(ValueExtent) != 0;
    for (size_t at = 0; at + sizeof(ValueExtent) <= record.value.size; at += sizeof(ValueExtent)) {
      ValueExtent extent;
      memcpy(&extent, record.value.data + at, sizeof extent);
      whole += extent.bytes;
    }
    lost = lost || whole > kValueBytesMax;
    if (!lost) {
      staged->large.reset(new (std::nothrow) uint8_t[whole + 1]);
      if (staged->large == nullptr) {
        failure_ = {Status::kNoMemory, 0, "", offset, "no memory for a large value"};
        return false;
      }
      uint8_t* to = staged->large.get();
      for (size_t at = 0; at < record.value.size; at += sizeof(ValueExtent)) {
        ValueExtent extent;
        memcpy(&extent, record.value.data + at, sizeof extent);
        OwnRecord own;
        if (source_.ReadRecord(extent.offset, &own) == Status::kOk && own.record.kind == kRecordChunk &&
            own.record.value.size == extent.bytes && own.record.header->crc == extent.crc) {
          if (extent.bytes != 0) memcpy(to, own.record.value.data, extent.bytes);
          readable += extent.bytes;
        } else {
          if (!lost) bad = extent.offset;
          lost = true;
        }
        to += extent.bytes;
      }
    }
    if (!lost) {
      staged->value = {staged->large.get(), whole};
      return true;
    }
    NoteEntry("piece", bad != 0 ? bad : offset, record.tree, record.key,
              "a piece of the value does not hold; " + std::to_string(readable) + " of its " + std::to_string(whole) +
                  " bytes can be read");
    return false;
  }

  bool Stage(uint64_t offset, OwnRecord own, uint64_t* counter) {
    if (!Going()) return false;
    const Record record = own.record;
    const bool expires = (record.flags & kRecordExpires) != 0;
    if (record.key.size + (expires ? kExpiryHeadBytes : 0) > kKeyBytesMax) {
      NoteEntry("record", offset, record.tree, record.key, "the key is longer than this version takes");
      return false;
    }
    Staged staged;
    staged.value = record.value;
    staged.counter = counter;
    if ((record.flags & kRecordExtents) != 0 && !JoinPieces(offset, record, &staged)) return false;
    staged.record = std::move(own);
    const uint64_t bytes = record.key.size + staged.value.size;
    const uint64_t room = std::min<uint64_t>(kBatchBytesMax, source_.segment_bytes() / 2);
    if (staged_bytes_ + bytes > room || staged_.size() == kBatchEntriesMax) Flush();
    staged_bytes_ += bytes;
    staged_.push_back(std::move(staged));
    return true;
  }

  void Flush() {
    if (staged_.empty() || !Going()) return;
    std::vector<Change> changes;
    for (const Staged& each : staged_) {
      const Record& r = each.record.record;
      changes.push_back(
          {kRecordPut, static_cast<uint8_t>(r.flags & kRecordExpires), r.tree, r.key, each.value, r.expires});
    }
    uint64_t version = 0;
    Check(out_->Batch(changes.data(), static_cast<uint32_t>(changes.size()), true, &version));
    if (Going()) {
      for (const Change& change : changes) {
        report_->bytes += change.key.size + change.value.size;
        if (change.tree == kTreeSpaces && change.key.size >= kSpaceIdBytes) AddSpace(change.key);
      }
      for (const Staged& each : staged_) ++*each.counter;
    }
    uncommitted_ += staged_bytes_;
    staged_.clear();
    staged_bytes_ = 0;
    if (uncommitted_ >= kCommitBytes && Going()) {
      Check(out_->Commit());
      uncommitted_ = 0;
    }
    Step(0);
  }

  void AddSpace(Bytes key) {
    uint32_t id = 0;
    memcpy(&id, key.data, sizeof id);
    id = __builtin_bswap32(id);
    std::vector<uint32_t>& spaces = report_->spaces;
    if (!spaces.empty() && spaces.back() == id) return;
    auto at = std::lower_bound(spaces.begin(), spaces.end(), id);
    if (at == spaces.end() || *at != id) spaces.insert(at, id);
  }

  void Conclude() {
    for (const Gap& gap : gaps_) {
      SalvageLoss loss;
      loss.what = "node";
      loss.where = gap.where;
      loss.tree = gap.tree;
      loss.is_range = true;
      loss.low = gap.low;
      loss.high = gap.high;
      loss.has_high = gap.has_high;
      loss.entries = gap.count > gap.found ? gap.count - gap.found : 0;
      loss.detail = std::string("a node of the index, ") + gap.why + ": " + std::to_string(gap.found) + " of its " +
                    std::to_string(gap.count) + " entries were found in the log";
      report_->unknown = true;
      Note(std::move(loss));
    }
    std::sort(given_up_.begin(), given_up_.end());
    given_up_.erase(std::unique(given_up_.begin(), given_up_.end()), given_up_.end());
    for (uint32_t segment : given_up_) {
      SalvageLoss loss;
      loss.what = "segment";
      loss.where = uint64_t{segment} << plan_.header.segment_bytes_log2;
      loss.detail = "a log segment of which not all could be looked through";
      report_->unknown = true;
      Note(std::move(loss));
    }
    for (uint64_t page : source_.bad_pages()) {
      SalvageLoss loss;
      loss.what = "page";
      loss.where = page;
      loss.detail = "the device did not give these 4096 bytes (SIGBUS)";
      Note(std::move(loss));
    }
  }

  const SalvagePlan& plan_;
  SalvageSource source_;
  Store* out_;
  int64_t* progress_;
  SalvageReport* report_;
  Failure failure_;
  uint64_t done_ = 0, total_ = 0;

  std::unique_ptr<uint8_t[]> node_;
  ZeroedMemory visited_;  // a bit per 512 bytes of the file
  std::vector<Gap> gaps_;
  std::vector<uint32_t> given_up_;

  std::vector<LsnRun> runs_;
  std::vector<std::pair<uint64_t, uint64_t>> dead_;  // LSNs that a session left out
  std::vector<uint64_t> more_;                       // frames whose transaction goes on
  uint64_t durable_ = 0;                             // the greatest LSN that some frame knew to be durable
  uint64_t end_ = 0;                                 // the last LSN that counts
  uint64_t first_missing_ = UINT64_MAX;

  Candidates tail_;
  std::unordered_multimap<uint32_t, const std::string*> tail_hashes_;

  std::vector<Staged> staged_;
  uint64_t staged_bytes_ = 0;
  uint64_t uncommitted_ = 0;
};

Failure Refuse(const char* what) { return {Status::kInvalid, 0, "", 0, what}; }

}  // namespace

Failure ParseSalvagePlan(const void* data, size_t bytes, SalvagePlan* out) {
  SalvagePlanHeader& h = out->header;
  if (bytes < sizeof h) return Refuse("the plan is too short");
  memcpy(&h, data, sizeof h);
  if (h.version != kSalvagePlanVersion) return Refuse("the plan has another version");
  if (h.segment_bytes_log2 > 21 || (1u << h.segment_bytes_log2) < kSegmentBytesMin || h.has_slot > 1 ||
      h.meta_segments > h.segment_count || h.segment_count > kRegionBytesMax >> h.segment_bytes_log2)
    return Refuse("the plan's numbers make no sense");
  if (bytes - sizeof h != uint64_t{h.segment_count} * 2 * sizeof(SalvageHalf)) {
    return Refuse("the plan has another length than its segment count asks for");
  }
  if (h.has_slot != 0 && h.hot.segment != kSegmentNone &&
      (h.hot.segment >= h.segment_count || h.hot.offset > 1u << h.segment_bytes_log2))
    return Refuse("the plan's log position is outside of the region");
  out->halves.resize(size_t{h.segment_count} * 2);
  memcpy(out->halves.data(), static_cast<const uint8_t*>(data) + sizeof h, out->halves.size() * sizeof(SalvageHalf));
  return {};
}

Failure SalvageStore(const Region& source, const SalvagePlan& plan, Store* out, int64_t* progress,
                     SalvageReport* report) {
  Salvager salvager(source, plan, out, progress, report);
  return salvager.Run();
}

bool GuessStore(const Region& source, SalvageGuess* out) {
  SalvagePlan plan{};
  SalvageSource reader(source, plan);
  std::unordered_map<uint64_t, uint32_t> votes;
  for (uint64_t at = kSegmentBytesMin; at + sizeof(LogSegmentHeader) <= source.bytes(); at += kSegmentBytesMin) {
    LogSegmentHeader header;
    if (!reader.Copy(at, sizeof header, &header) || header.magic != kLogSegmentMagic || header.segment == 0) continue;
    const uint64_t size = at / header.segment;
    if (size * header.segment != at || size < kSegmentBytesMin || size > kSegmentBytesMax || (size & (size - 1)) != 0)
      continue;
    const uint32_t seed = Crc32cStart(header.crc, reinterpret_cast<const uint8_t*>(&header) + 4, sizeof header - 4);
    const uint32_t count = ++votes[size << 32 | seed];
    if (count > out->headers) *out = {static_cast<uint32_t>(size), seed, count};
  }
  return out->headers >= 2;
}

}  // namespace sealog
