// Faults at the seams of the core: the k-th system call, transfer or allocation of this process.
#pragma once

#include <cstdint>

#include "journal.h"

namespace sealog::faults {

enum class Seam : uint8_t { kNone, kSyscall, kTransfer, kAllocation };
enum class Span : uint8_t {
  kOnce,
  kSameCall,  // from then on, calls of the same name
  kAll,       // from then on, every one
};

struct Fault {
  Seam seam = Seam::kNone;
  uint32_t at = UINT32_MAX;  // of those counted while armed; UINT32_MAX: only count
  Span span = Span::kOnce;
  int error_number = 0;         // kSyscall
  void (*instead)() = nullptr;  // kSyscall: done before the call, which is then made
  uint32_t transfer_part = 0;   // kTransfer: 0 nothing, 1 one byte, 2 half
};

void Arm(const Fault& fault, Journal* journal);
void Disarm();
// Between these a durable write that fails must poison the store.
void BeginServing();
void EndServing();
bool DurableWriteFailed();
void NoteDurableWriteFailed();

// Allocations of the campaign itself, which do not count.
struct HarnessScope {
  HarnessScope();
  ~HarnessScope();
};

}  // namespace sealog::faults
