// How many commits must be found, and how many may be, at a point of a recorded run.
#pragma once

#include <algorithm>

#include "recording.h"

namespace sealog::test {

// In the disk domain: what was acknowledged. In os an acknowledgement outlives the process only; what was complete when
// an fdatasync began is on the device when it is done.
class Progress {
 public:
  Progress(Domain domain, size_t durable) : domain_(domain), durable_(durable) {}

  void Apply(const Event& e) {
    if (e.kind == EventKind::kMark) {
      // A commit is marked when it is issued, and again when it is complete.
      complete_ = e.issued == issued_ ? e.issued : std::max(complete_, e.issued - 1);
      issued_ = e.issued;
      acked_ = e.acked;
    } else if (e.kind == EventKind::kDrain && e.site == kSyncBegin) {
      begun_[e.owner % 2] = complete_;
    } else if (e.kind == EventKind::kDrain && e.site == kSyncDone && domain_ == Domain::kOs) {
      durable_ = std::max(durable_, begun_[e.owner % 2]);
    }
  }
  size_t issued() const { return issued_; }
  // For the process: a kill loses nothing of it.
  size_t acked() const { return acked_; }
  size_t durable() const { return domain_ == Domain::kOs ? durable_ : acked_; }

 private:
  Domain domain_;
  size_t durable_;
  size_t issued_ = 0, acked_ = 0, complete_ = 0;
  size_t begun_[2] = {0, 0};
};

}  // namespace sealog::test
