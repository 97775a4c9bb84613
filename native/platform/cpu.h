// What the processor and the memory platform can do for persistence.
#pragma once

namespace sealog {

struct CpuFeatures {
  bool clwb = false;
  bool clflushopt = false;
  bool clflush = false;
  bool dc_cvap = false;  // aarch64: DC CVAP
};

// Asked once.
const CpuFeatures& Cpu();

// True if there is persistent memory and every region's persistence domain includes the CPU caches (eADR): a fence is
// then enough. Asked once.
bool HasEadr();

}  // namespace sealog
