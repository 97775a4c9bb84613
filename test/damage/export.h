// The image and all that is known of it, for the lane that opens it through TypeScript (node-lane.mjs).
#pragma once

#include <string>

#include "map.h"

namespace sealog::test {

// Writes FOLDER/VARIANT.sealog and FOLDER/VARIANT.json.
void Export(const Image& image, const Map& map, const std::string& folder);

}  // namespace sealog::test
