#include "platform/cpu.h"

#include <string>

#include "platform/directory.h"
#include "platform/file.h"

#if defined(__x86_64__)
#include <cpuid.h>
#elif defined(__aarch64__)
#include <sys/auxv.h>
#ifndef HWCAP_DCPOP
#define HWCAP_DCPOP (1 << 16)
#endif
#endif

namespace sealog {
namespace {

CpuFeatures DetectCpu() {
  CpuFeatures features;
#if defined(__x86_64__)
  unsigned a, b, c, d;
  if (__get_cpuid(1, &a, &b, &c, &d)) features.clflush = (d >> 19) & 1;
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d)) {
    features.clflushopt = (b >> 23) & 1;
    features.clwb = (b >> 24) & 1;
  }
#elif defined(__aarch64__)
  features.dc_cvap = (getauxval(AT_HWCAP) & HWCAP_DCPOP) != 0;
#endif
  return features;
}

bool DetectEadr() {
  const std::string devices = "/sys/bus/nd/devices";
  bool any = false;
  for (const std::string& name : ListDirectory(devices, 1024)) {
    if (name.rfind("region", 0) != 0) continue;
    std::string domain;
    if (!ReadTextFile(devices + "/" + name + "/persistence_domain", 64, &domain).ok()) return false;
    if (domain != "cpu_cache\n") return false;
    any = true;
  }
  return any;
}

}  // namespace

const CpuFeatures& Cpu() {
  static const CpuFeatures features = DetectCpu();
  return features;
}

bool HasEadr() {
  static const bool eadr = DetectEadr();
  return eadr;
}

}  // namespace sealog
