#include "store/salvager.h"

#include <algorithm>
#include <atomic>
#include <new>

namespace sealog {

Failure Salvager::Run() {
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

void Salvager::Step(uint64_t steps) {
  if (progress_ == nullptr) return;
  done_ += steps;
  std::atomic_ref<int64_t>(progress_[0]).store(static_cast<int64_t>(std::min(done_, total_)));
  std::atomic_ref<int64_t>(progress_[1]).store(static_cast<int64_t>(total_));
  if (failure_.ok() && std::atomic_ref<int64_t>(progress_[2]).load() != 0) {
    failure_ = {Status::kAborted, 0, "", 0, "aborted by the caller"};
  }
}

void Salvager::Check(Status status) {
  if (status == Status::kOk || !failure_.ok()) return;
  failure_ = out_->poison();
  failure_.status = status;
}

SalvageLoss* Salvager::Note(SalvageLoss loss) {
  ++report_->losses;
  report_->lost_entries += loss.entries;
  if (report_->listed.size() == kSalvageLossesListed) return nullptr;
  report_->listed.push_back(std::move(loss));
  return &report_->listed.back();
}

void Salvager::NoteEntry(const char* what, uint64_t where, uint32_t tree, Bytes key, std::string detail) {
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

void Salvager::Conclude() {
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

}  // namespace sealog
