// What else the kernel is asked for: randomness, the time, its name.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "base/status.h"

namespace sealog {

// Cryptographic randomness; blocks only before the machine has gathered any.
Failure RandomBytes(void* out, size_t bytes);

// Milliseconds since 1970, for people: nothing is ordered by it.
uint64_t UnixMillis();
// Of a clock that only goes forward.
uint64_t MonotonicMillis();

void SleepMillis(uint32_t ms);

// As uname -r, "6.18.44".
std::string KernelRelease();

// Is this file in use for swapping, by /proc/swaps? Stores to such a file kill.
bool IsSwapFile(uint64_t device, uint64_t inode);

}  // namespace sealog
