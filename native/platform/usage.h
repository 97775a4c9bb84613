// What the process has used.
#pragma once

namespace sealog {

// Page faults of the process since it began.
void ProcessFaults(double* minor, double* major);

}  // namespace sealog
