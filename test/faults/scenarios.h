// What a store does when the fault comes.
#pragma once

#include "world.h"

namespace sealog::faults {

struct Scenario {
  const char* name;
  const char* from;        // the template; nullptr: no file
  void (*before)(World&);  // without faults; may be null
  void (*faulted)(World&);
};

const std::vector<Scenario>& Scenarios();

}  // namespace sealog::faults
