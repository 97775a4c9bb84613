// Commits of many callers at once: one takes over what was written so far and waits for the device without the lock,
// and the others for it.
#include <algorithm>
#include <utility>

#include "store/store.h"

namespace sealog {

// kPoisoned if it failed: then nothing behind it is durable either, whatever its own sync would say.
Status Store::WaitForCommit(Guard& guard) {
  done_.wait(guard, [this] { return !commit_in_flight_; });
  return poison_status_;
}

Status Store::Commit() {
  Guard guard(lock_);
  if (Status status = Writable(); status != Status::kOk) return status;
  if (Status status = WaitForCommit(guard); status != Status::kOk) return status;
  return DrainLog();
}

bool Store::BeginCommit() {
  Guard guard(lock_);
  if (Writable() != Status::kOk || commit_in_flight_ || !Undrained() || !needs_device_sync()) return false;
  commit_in_flight_ = true;
  commit_lsn_ = log_->last_lsn();
  commit_ranges_ = persister_.TakeRanges();
  return true;
}

bool Store::CommitWaits(uint64_t* lsn) {
  Guard guard(lock_);
  if (Writable() != Status::kOk || !needs_device_sync()) return false;
  *lsn = log_->last_lsn();
  return commit_in_flight_ || Undrained();
}

// The commit begins on the thread that ends it, so that nobody waits for one that waits for a thread.
Status Store::CommitInBackground(uint64_t lsn) {
  {
    Guard guard(lock_);
    const Status status = WaitForCommit(guard);
    if (status != Status::kOk) return status;
    // Somebody else's took it along, or Close did.
    if (drained_lsn_ >= lsn) return Status::kOk;
  }
  return BeginCommit() ? SyncCommit() : Commit();
}

Status Store::SyncCommit() {
  Failure failure = persister_.WriteRanges(std::move(commit_ranges_));
  Guard guard(lock_);
  commit_in_flight_ = false;
  ++background_commits_;
  Status status = Status::kOk;
  if (failure.ok()) {
    log_->SetStable(commit_lsn_);
    drained_lsn_ = std::max(drained_lsn_, commit_lsn_);
  } else {
    status = Poison(Status::kIo, failure);
  }
  done_.notify_all();
  return status;
}

}  // namespace sealog
