// A region's end moves: further out while it is used, or back to where its superblock says it is.
#include <algorithm>

#include "platform/file_system.h"
#include "region/extender.h"
#include "region/region.h"

namespace sealog {

Failure Region::Populate(uint64_t begin, uint64_t end, const std::atomic<bool>* stop) const {
  Failure failure;
  for (uint64_t at = begin; at < end && failure.ok();) {
    if (stop != nullptr && stop->load(std::memory_order_relaxed)) {
      failure.status = Status::kAborted;
      break;
    }
    const uint64_t slice = std::min<uint64_t>(kHugePageBytes, end - at);
    failure = mapping_.PopulateWrite(at, slice);
    at += slice;
  }
  return failure;
}

Failure Region::Extend(const Extension& extension, SealProbe* seal, bool* populated) {
  const uint64_t before = bytes();
  FileSystem file_system;
  Failure failure = ReadFileSystem(file_, &file_system);
  if (!failure.ok()) return failure;
  // A crash leaves the flag off: the next session sets it again, if it wants to.
  const bool enforced = immutable_;
  if (enforced) failure = ClearImmutable(file_);
  if (!failure.ok()) return failure;
  immutable_ = false;

  Extender extender(file_, file_system, before, extension.bytes, extension.progress, extension.stop);
  bool zeroed = false;
  failure = extender.Allocate(&zeroed);
  if (failure.ok() && !zeroed) failure = extender.WriteZeros();
  // The size, and what the extents are, before anything refers to them.
  if (failure.ok()) failure = file_.Fsync();
  if (failure.ok()) failure = mapping_.Map(file_, before, extension.bytes - before, mapping_.mode());
  *populated = false;
  if (failure.ok() && extension.populate) {
    // Without it pages fault when they are first stored to; nothing else depends on it.
    Failure filled = Populate(before, extension.bytes, extension.stop);
    *populated = filled.ok();
  }
  if (failure.ok()) failure = extender.CheckAbort();
  if (failure.ok()) failure = ProbeSeal(file_, seal);
  if (failure.ok()) failure = WriteSealRecord(file_, extension.uuid, extension.seal_sequence, *seal);
  // What went wrong is what is told; what does not go back stays behind the region's end, for the next open to cut off.
  if (!failure.ok()) static_cast<void>(Trim(before));
  if (enforced) {
    Failure again = SetImmutable(file_);
    immutable_ = again.ok();
  }
  return failure;
}

Failure Region::Trim(uint64_t bytes) {
  Failure failure = mapping_.Shrink(std::min<uint64_t>(bytes, this->bytes()));
  // Also where the size is right: blocks may have been allocated behind it.
  if (failure.ok()) failure = file_.Truncate(bytes);
  return failure.ok() ? file_.Fsync() : failure;
}

}  // namespace sealog
