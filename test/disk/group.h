// Group commits as the addon makes them in the disk domain: what was deferred is taken over, and synced while more is
// deferred. The sync runs on this thread, so that the trace is the same each time.
#pragma once

#include <string>

#include "workload.h"

namespace sealog::test {

// Empty: fine. `*groups` counts.
std::string RunGroups(const std::string& path, const Shape& shape, int operations, History* history, Recorder* recorder,
                      uint64_t seed, uint64_t* groups);

}  // namespace sealog::test
