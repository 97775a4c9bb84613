// Every crash of CreateStore: what may be in the directory and in the file, and what opening finds there.
#pragma once

#include <cstdint>
#include <string>

namespace sealog::test {

// Prints; 1 if something is wrong.
int CheckCreation(const std::string& folder, uint64_t seed);

}  // namespace sealog::test
