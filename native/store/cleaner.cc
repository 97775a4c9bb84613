#include "store/cleaner.h"

#include <algorithm>
#include <cmath>

namespace sealog {
namespace {

// Counted as dead where little is, so that a segment that was only just filled is not taken for one that never changes.
constexpr double kDeathsAtLeast = 1.0 / 64;

}  // namespace

const Cleaner::Mark* Cleaner::MarkOf(uint32_t segment) const {
  if (segment >= marks_.size() || marks_[segment].sequence != space_->segment(segment).sequence) return nullptr;
  return &marks_[segment];
}

Cleaner::Mark& Cleaner::MarkFor(uint32_t segment) {
  if (marks_.size() < space_->count()) marks_.resize(space_->count());
  Mark& mark = marks_[segment];
  if (mark.sequence != space_->segment(segment).sequence) mark = {space_->segment(segment).sequence};
  return mark;
}

void Cleaner::Filled(uint32_t segment) {
  Mark& mark = MarkFor(segment);
  mark.filled_at = log_->next_log_sequence();
  mark.filled = space_->segment(segment).live;
}

// The rate at which live bytes die, per segment that the log takes, as if each were as likely to as any other.
double Cleaner::DeathRate(const Segment& s, const Mark* mark) const {
  // Of a segment from before open it is only known when it was taken into use.
  const bool known = mark != nullptr && mark->filled != 0;
  const double since = static_cast<double>(log_->next_log_sequence() - (known ? mark->filled_at : s.sequence));
  const double before = known ? mark->filled : space_->segment_bytes();
  const double live = std::min(static_cast<double>(s.live), before);
  return (std::log(before / live) + kDeathsAtLeast) / (since + 1);
}

bool Cleaner::Choose(uint32_t dead_min, uint64_t pinned_epoch) {
  const uint32_t bytes = space_->segment_bytes();
  double best = 0;
  uint32_t victim = kSegmentNone;
  for (uint32_t i = 0; i < space_->count(); ++i) {
    const Segment& s = space_->segment(i);
    if (s.type != SegmentType::kLog || s.live == 0 || s.pending != 0 || log_->Uses(i) ||
        (pinned_epoch != 0 && s.birth <= pinned_epoch))
      continue;
    // Lines and frame headers of the hot head count as dead: moving gives them back.
    const uint32_t dead = bytes > s.live ? bytes - s.live : 0;
    const Mark* mark = MarkOf(i);
    if (dead < dead_min || dead == 0 || (mark != nullptr && mark->left_alone)) continue;
    const double empty = static_cast<double>(dead) / bytes;
    const double score = empty * empty / ((1 - empty) * DeathRate(s, mark));
    if (score > best) {
      best = score;
      victim = i;
    }
  }
  if (victim == kSegmentNone) return false;
  cursor_ = {victim, space_->segment(victim).sequence, kLogFirstFrame, 0};
  return true;
}

void Cleaner::Finish() {
  ++figures_.segments;
  if (VictimHolds() && space_->segment(cursor_.segment).live != 0) {
    MarkFor(cursor_.segment).left_alone = true;
  } else {
    ++figures_.emptied;
  }
  cursor_ = {};
}

void Cleaner::GiveUp() {
  MarkFor(cursor_.segment).left_alone = true;
  cursor_ = {};
}

}  // namespace sealog
