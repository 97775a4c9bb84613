// The fault campaign. See README.md here.
#include <getopt.h>

#include <csignal>
#include <cstdlib>
#include <cstring>

#include "cases.h"

namespace sealog::faults {
namespace {

struct Kind {
  const char* name;
  void (*run)(Campaign&, double);
  double share;
};
constexpr Kind kKinds[] = {
    {"syscall", RunSyscalls, 0.25}, {"transfer", RunTransfers, 0.1}, {"allocation", RunAllocations, 0.2},
    {"media", RunMedia, 0.25},      {"space", RunSpace, 0.1},        {"fuse", RunFuse, 0.1},
};

int Main(int argc, char** argv) {
  Campaign campaign;
  double seconds = 120;
  std::string kind;
  constexpr option kOptions[] = {
      {"seed", required_argument, nullptr, 's'},  {"seconds", required_argument, nullptr, 't'},
      {"kind", required_argument, nullptr, 'k'},  {"case", required_argument, nullptr, 'c'},
      {"match", required_argument, nullptr, 'm'}, {"all", no_argument, nullptr, 'a'},
      {"verbose", no_argument, nullptr, 'v'},     {}};
  for (int c; (c = getopt_long(argc, argv, "", kOptions, nullptr)) != -1;) {
    if (c == 's') campaign.seed = strtoull(optarg, nullptr, 10);
    if (c == 't') seconds = strtod(optarg, nullptr);
    if (c == 'k') kind = optarg;
    if (c == 'c') campaign.only = optarg;
    if (c == 'm') campaign.match = optarg;
    if (c == 'a') campaign.run_all = true;
    if (c == 'v') campaign.verbose = true;
    if (c == '?') return 2;
  }
  setvbuf(stdout, nullptr, _IOLBF, 0);
  if (!campaign.only.empty()) kind = campaign.only.substr(0, campaign.only.find('/'));
  if (!campaign.Prepare()) return 1;
  for (const Kind& k : kKinds) {
    if (!campaign.interrupted() && (kind.empty() || kind == k.name))
      k.run(campaign, kind.empty() ? seconds * k.share : seconds);
  }
  Campaign::Counts sum;
  std::string by_kind;
  for (const auto& [name, n] : campaign.kinds) {
    printf("%-12s %7lu of %7lu cases, %7lu hit, %7lu refused with a type, %6lu ended by abort\n", name.c_str(), n.cases,
           n.all, n.hit, n.refused, n.aborts);
    sum.cases += n.cases;
    sum.aborts += n.aborts;
    by_kind += (by_kind.empty() ? "\"" : ",\"") + name + "\":" + std::to_string(n.cases);
  }
  for (const auto& [name, n] : campaign.aborted_in) printf("  abort: %s %lu\n", name.c_str(), n);
  uint64_t failed = 0;
  for (const auto& [name, n] : campaign.problems) {
    printf("FAILED: %s %lu\n", name.c_str(), n);
    failed += n;
  }
  printf(
      "figures: "
      "{\"lane\":\"faults\",\"seed\":%lu,\"cases\":%lu,\"failed\":%lu,\"crashes\":%lu,\"hangs\":%lu,\"leaks\":%lu,"
      "\"lost\":%lu,\"aborts\":%lu,\"kinds\":{%s}}\n",
      campaign.seed, sum.cases, failed, campaign.problems["crash"], campaign.problems["hang"],
      campaign.problems["leak"], campaign.problems["lost"], sum.aborts, by_kind.c_str());
  if (!campaign.only.empty() && sum.cases == 0) printf("FAILED: there is no case %s\n", campaign.only.c_str());
  return failed == 0 && sum.cases != 0 && !campaign.interrupted() ? 0 : 1;
}

}  // namespace
}  // namespace sealog::faults

int main(int argc, char** argv) { return sealog::faults::Main(argc, argv); }
