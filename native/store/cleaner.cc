#include "store/cleaner.h"

namespace sealog {

const Cleaner::Mark* Cleaner::MarkOf(uint32_t segment) const {
  if (segment >= marks_.size() || marks_[segment].sequence != space_->segment(segment).sequence) return nullptr;
  return &marks_[segment];
}

Cleaner::Mark& Cleaner::MarkFor(uint32_t segment) {
  if (marks_.size() < space_->count()) marks_.resize(space_->count());
  Mark& mark = marks_[segment];
  if (mark.sequence != space_->segment(segment).sequence) mark = {space_->segment(segment).sequence, 0, 0, false};
  return mark;
}

uint64_t Cleaner::WrittenAt(uint32_t segment) const {
  const Mark* mark = MarkOf(segment);
  return mark != nullptr && mark->written_at != 0 ? mark->written_at : space_->segment(segment).sequence;
}

void Cleaner::Filled(uint32_t segment, uint64_t written_at) {
  Mark& mark = MarkFor(segment);
  mark.written_at = written_at;
  mark.filled = space_->segment(segment).live;
}

// What moving the rest would give back. A segment of the hot head also gives what lines and frame headers took; one of
// the cold head is as dense as it gets.
uint32_t Cleaner::DeadBytes(uint32_t segment) const {
  const uint32_t live = space_->segment(segment).live;
  const Mark* mark = MarkOf(segment);
  const uint32_t full = mark != nullptr && mark->filled != 0 ? mark->filled : space_->segment_bytes();
  return full > live ? full - live : 0;
}

bool Cleaner::Choose(uint32_t dead_min, uint64_t pinned_epoch) {
  const double bytes = space_->segment_bytes();
  double best = 0;
  uint32_t victim = kSegmentNone;
  for (uint32_t i = 0; i < space_->count(); ++i) {
    const Segment& s = space_->segment(i);
    if (s.type != SegmentType::kLog || s.live == 0 || s.pending != 0 || log_->Uses(i) ||
        (pinned_epoch != 0 && s.birth <= pinned_epoch))
      continue;
    const uint32_t dead = DeadBytes(i);
    if (dead < dead_min || dead == 0) continue;
    const Mark* mark = MarkOf(i);
    if (mark != nullptr && mark->left_alone) continue;
    const uint64_t written_at = WrittenAt(i), next = log_->next_log_sequence();
    const double age = next > written_at ? static_cast<double>(next - written_at) : 1;
    const double score = dead / bytes * age / (1 + s.live / bytes);
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
