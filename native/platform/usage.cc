#include "platform/usage.h"

#include <sys/resource.h>

#include "platform/syscall.h"

namespace sealog {

void ProcessFaults(double* minor, double* major) {
  rusage usage{};
  internal::Syscall("getrusage", [&] { return getrusage(RUSAGE_SELF, &usage); });
  *minor = static_cast<double>(usage.ru_minflt);
  *major = static_cast<double>(usage.ru_majflt);
}

}  // namespace sealog
