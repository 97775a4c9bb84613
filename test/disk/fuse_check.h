// Whether the calls that the tap sees are what the kernel sends to a file system.
#pragma once

#include <string>

#include "walk.h"

namespace sealog::test {

// Prints; 1 if they differ. Skips, with the reason, without /dev/fuse or root.
int CheckFuse(const std::string& folder, const Options& options);

}  // namespace sealog::test
