// The log: which LSNs count, and the newest record of each key.
#include <algorithm>

#include "store/salvager.h"

namespace sealog {

// Finds out which frames of the log count. Those up to the last LSN that a frame knew to be durable, and, as recovery
// has it, those behind it without a gap; not what a session discarded.
bool Salvager::Survey(uint64_t since) {
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

bool Salvager::Surveyed(const SalvageSource::Met& met) {
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

bool Salvager::Counts(const SalvageSource::Met& met) const {
  if (met.lsn > end_) return false;
  auto after = std::upper_bound(dead_.begin(), dead_.end(), std::make_pair(met.lsn, UINT64_MAX));
  return after == dead_.begin() || std::prev(after)->second < met.lsn;
}

// Of equal versions the later one in a batch; a copy that the cleaner made before what it copied; one in a segment in
// use before one that was given back.
bool Salvager::Replaces(const Candidate& a, const Candidate& b) const {
  if (a.lsn != b.lsn) return a.lsn > b.lsn;
  if (a.moved != b.moved) return a.moved;
  return !IsDead(a) || IsDead(b);
}

bool Salvager::IsDead(const Candidate& c) const {
  return source_.IsDead(static_cast<uint32_t>(c.offset >> plan_.header.segment_bytes_log2));
}

// The newest of each key: of those behind the checkpoint, or (`in_gaps`) of those that the index does not speak of.
void Salvager::Gather(uint64_t since, Candidates* into, bool in_gaps) {
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
      Candidate candidate{record.lsn, met.offset, record.kind == kRecordDel, (record.flags & kRecordMoved) != 0, {}};
      auto found = into->find(id);
      if (found != into->end()) {
        Candidate& kept = found->second;
        if (Replaces(candidate, kept)) std::swap(candidate, kept);
        if (candidate.moved && candidate.lsn == kept.lsn && (record.flags & kRecordExtents) != 0 && !too_many) {
          used += sizeof(uint64_t);
          if (kept.lists.empty()) kept.lists = std::move(candidate.lists);
          kept.lists.push_back(candidate.offset);
        }
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
void Salvager::NoteMissing() {
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

}  // namespace sealog
