#include "recording.h"

namespace sealog::test {
namespace {

// The drain of a checkpoint's slot: the recorder holds the checkpoint there, but only once the device has it.
thread_local bool slot_drains = false;
thread_local Site site_drained = Site::kFrame;

}  // namespace

Recording::Recording(Recorder* recorder, Domain domain) : recorder_(recorder), domain_(domain) {
  trace_sink = this;
  tap = this;
}

Recording::~Recording() {
  trace_sink = nullptr;
  tap = nullptr;
}

void Recording::OnCopy(uint64_t offset, const void* content, size_t bytes, Site site) {
  if (domain_ == Domain::kOs) recorder_->OnCopy(offset, content, bytes, site);
}

void Recording::OnFlush(uint64_t offset, const void* content, size_t bytes, Site site) {
  OnCopy(offset, content, bytes, site);
}

void Recording::OnDrain(Site site) {
  slot_drains = site == Site::kSlot;
  site_drained = site;
}

void Recording::OnWrite(uint64_t offset, const std::vector<uint8_t>& content) {
  recorder_->OnCopy(offset, content.data(), content.size(), site_drained);
}

void Recording::OnWriteDurable(uint64_t offset, const std::vector<uint8_t>& content) {
  recorder_->OnCopy(offset, content.data(), content.size(), kWriteDurable);
  SlotIsDurable();
}

void Recording::OnSyncBegin() { recorder_->OnDrain(kSyncBegin); }

void Recording::OnSyncDone() {
  recorder_->OnDrain(kSyncDone);
  SlotIsDurable();
}

void Recording::SlotIsDurable() {
  if (!slot_drains) return;
  slot_drains = false;
  recorder_->OnDrain(Site::kSlot);
}

}  // namespace sealog::test
