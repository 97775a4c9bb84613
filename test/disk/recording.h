// Turns what a store does into events of the crash lane's recorder, which puts them in one order and replays them by
// seed:
//
//   kCopy  content reaches the page cache: a write through the descriptor (disk), a store to the mapping (os)
//          site kWriteDurable: this range is durable, an RWF_DSYNC write has returned
//   kDrain site kSyncBegin, kSyncDone: an fdatasync
//
// A fence of the core is no event: it does nothing for the device.
#pragma once

#include "tap.h"
#include "trace.h"

namespace sealog::test {

inline constexpr Site kSyncBegin{100};
inline constexpr Site kSyncDone{101};
inline constexpr Site kWriteDurable{102};

class Recording final : public TraceSink, public Tap {
 public:
  // From here to the end of this object every store of the process is recorded.
  Recording(Recorder* recorder, Domain domain);
  ~Recording() override;

  void OnCopy(uint64_t offset, const void* content, size_t bytes, Site site) override;
  void OnFlush(uint64_t offset, const void* content, size_t bytes, Site site) override;
  void OnDrain(Site site) override;
  void OnWrite(uint64_t offset, const std::vector<uint8_t>& content) override;
  void OnWriteDurable(uint64_t offset, const std::vector<uint8_t>& content) override;
  void OnSyncBegin() override;
  void OnSyncDone() override;

 private:
  void SlotIsDurable();

  Recorder* recorder_;
  Domain domain_;
};

}  // namespace sealog::test
