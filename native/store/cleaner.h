// Which log segment is cleaned next, and how far the one under way has been looked at. Decides nothing about records:
// Store does the moving (store/cleaning.cc).
//
// Victims by minimum declining cost (Lomet and Luo, "Efficiently Reclaiming Space in a Log Structured Store", ICDE
// 2021): what cleaning costs falls as a segment empties, so the one goes first where waiting gains least: (1 - e) r /
// e^2 is smallest, where e is what moving the rest would give back, as a share of the segment, and r the rate at which
// its records die. With equal rates that is the emptiest one; what is cold goes earlier. What is moved goes to a head
// of its own, so that what lives long does not lie between what dies soon.
//
// Not thread-safe: owned by the writer's lock.
#pragma once

#include <cstdint>
#include <vector>

#include "format/format.h"
#include "log/log.h"
#include "region/space.h"

namespace sealog {

struct CleanerFigures {
  uint64_t segments = 0;  // that were looked at to their end
  uint64_t emptied = 0;   // of these, given back
  uint64_t records = 0;   // moved
  uint64_t bytes = 0;     // moved, as they count in live bytes
};

class Cleaner {
 public:
  // Where the next look into the victim goes.
  struct Cursor {
    uint32_t segment = kSegmentNone;
    uint64_t sequence = 0;  // of the victim, to know it by
    uint32_t offset = 0;
    uint32_t batch_end = 0;  // 0: not in a batch
  };

  Cleaner() = default;
  Cleaner(const Space* space, const LogWriter* log) : space_(space), log_(log) {}

  bool busy() const { return cursor_.segment != kSegmentNone; }
  // Whether the victim is still in the use that it was chosen in.
  bool VictimHolds() const {
    const Segment& s = space_->segment(cursor_.segment);
    return s.type == SegmentType::kLog && s.sequence == cursor_.sequence;
  }
  Cursor& cursor() { return cursor_; }
  CleanerFigures& figures() { return figures_; }

  // Takes the next victim. Only those with at least `dead_min` bytes to gain, and taken into use after `pinned_epoch`
  // (what a snapshot may still read is not given back, whatever is moved). False: there is none.
  bool Choose(uint32_t dead_min, uint64_t pinned_epoch);
  // The victim has been looked at to its end.
  void Finish();
  // Something in the victim cannot be moved: it is left alone from now on.
  void GiveUp();
  // A head has left the segment: from now on, what dies in it tells how fast.
  void Filled(uint32_t segment);

 private:
  struct Mark {  // of a segment in one use, named by its log sequence
    uint64_t sequence = 0;
    uint64_t filled_at = 0;  // next log sequence when its head had left it
    uint32_t filled = 0;     // live bytes then; 0: not known
    bool left_alone = false;
  };
  const Mark* MarkOf(uint32_t segment) const;
  Mark& MarkFor(uint32_t segment);
  double DeathRate(const Segment& s, const Mark* mark) const;

  const Space* space_ = nullptr;
  const LogWriter* log_ = nullptr;
  Cursor cursor_;
  CleanerFigures figures_;
  std::vector<Mark> marks_;  // by segment; made at the first need
};

}  // namespace sealog
