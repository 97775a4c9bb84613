// The k-th system call fails; transfers end early; the k-th allocation fails.
#include <cerrno>
#include <cstring>
#include <set>

#include "cases.h"
#include "fault.h"
#include "scenarios.h"

namespace sealog::faults {
namespace {

struct Named {
  const char* name;
  int number;
};
constexpr Named kErrors[] = {
    {"EIO", EIO},       {"ENOSPC", ENOSPC},         {"EDQUOT", EDQUOT}, {"EINTR", EINTR},         {"EAGAIN", EAGAIN},
    {"ENOMEM", ENOMEM}, {"EMFILE", EMFILE},         {"EACCES", EACCES}, {"EPERM", EPERM},         {"EROFS", EROFS},
    {"EFAULT", EFAULT}, {"EOPNOTSUPP", EOPNOTSUPP}, {"ENOSYS", ENOSYS}, {"EHWPOISON", EHWPOISON}, {"EINVAL", EINVAL},
    {"ENODEV", ENODEV}, {"ENOTTY", ENOTTY},         {"EEXIST", EEXIST}, {"EFBIG", EFBIG}};

// What each call can fail with.
std::vector<const char*> ErrorsOf(const std::string& call) {
  auto is = [&](const char* prefix) { return call.rfind(prefix, 0) == 0; };
  if (is("pwritev2")) return {"EIO", "ENOSPC", "EDQUOT", "EINTR", "EFAULT", "EOPNOTSUPP", "ENOSYS", "EROFS", "EAGAIN"};
  if (is("pwrite")) return {"EIO", "ENOSPC", "EDQUOT", "EINTR", "EFAULT", "EFBIG", "EROFS"};
  if (is("pread")) return {"EIO", "EINTR", "ENOMEM", "EHWPOISON"};
  if (is("fdatasync") || is("fsync")) return {"EIO", "ENOSPC", "EDQUOT", "EINTR", "EROFS"};
  if (is("fallocate")) return {"ENOSPC", "EDQUOT", "EOPNOTSUPP", "ENOSYS", "EINTR", "EIO", "EFBIG"};
  if (is("open")) return {"EACCES", "EPERM", "EMFILE", "ENOMEM", "EINTR", "EIO", "EROFS", "ENOSPC"};
  if (is("mmap")) return {"ENOMEM", "EAGAIN", "EACCES", "ENODEV", "EPERM"};
  if (is("madvise")) return {"EIO", "ENOMEM", "EAGAIN", "EFAULT", "EINVAL", "EHWPOISON", "EINTR"};
  if (is("clone")) return {"EAGAIN", "ENOMEM", "EPERM"};
  if (is("getrandom")) return {"ENOSYS", "EINTR", "EAGAIN"};
  if (is("fcntl")) return {"EAGAIN", "EACCES", "EINTR", "ENOSYS", "ENOMEM"};
  if (is("renameat2")) return {"EINVAL", "ENOSYS", "EIO", "ENOSPC", "EEXIST", "EROFS"};
  if (is("linkat")) return {"EIO", "EPERM", "EEXIST"};
  if (is("ioctl")) return {"ENOTTY", "EOPNOTSUPP", "EIO", "EINTR", "ENOMEM"};
  if (is("fstatfs") || is("statx") || is("uname")) return {"EIO", "ENOSYS", "EINTR", "ENOMEM"};
  return {"EIO", "ENOMEM", "EACCES", "EINTR"};
}

int NumberOf(const char* name) {
  for (const Named& e : kErrors) {
    if (strcmp(e.name, name) == 0) return e.number;
  }
  return EIO;
}

const char* NameOf(Domain domain) { return DomainName(domain); }

Case Make(Campaign& campaign, const Scenario& scenario, Domain domain, const Fault& fault, const std::string& name) {
  Case c;
  c.name = name;
  c.place = campaign.place(domain);
  c.from = scenario.from == nullptr ? nullptr : &campaign.TemplateNamed(scenario.from);
  const bool close = fault.at % 2 == 0;
  c.body = [&scenario, fault, close](World& world) {
    if (scenario.before != nullptr) scenario.before(world);
    Arm(fault, &world.journal());
    scenario.faulted(world);
    Finish(world, close);
  };
  c.may_abort = fault.seam == Seam::kAllocation;
  return c;
}

constexpr Domain kDomains[] = {Domain::kMemory, Domain::kDisk, Domain::kOs};

// Every case of a kind: `faults` gives those for one call.
template <class Faults>
std::vector<Case> CasesOf(Campaign& campaign, const char* kind, Seam seam, Faults faults) {
  std::vector<Case> cases;
  for (const Scenario& scenario : Scenarios()) {
    for (Domain domain : kDomains) {
      const std::string prefix = std::string(kind) + "/" + scenario.name + "/" + NameOf(domain) + "/";
      if (!campaign.only.empty() && campaign.only.rfind(prefix, 0) != 0) continue;
      Fault none;
      none.seam = seam;
      const std::vector<std::string> names = campaign.Count(Make(campaign, scenario, domain, none, prefix + "none"));
      for (uint32_t k = 0; k < names.size(); ++k) {
        for (auto [fault, suffix] : faults(names[k])) {
          fault.seam = seam;
          fault.at = k;
          cases.push_back(Make(campaign, scenario, domain, fault, prefix + std::to_string(k) + "/" + suffix));
        }
      }
    }
  }
  return cases;
}

}  // namespace

void RunSyscalls(Campaign& campaign, double seconds) {
  campaign.RunAll("syscall",
                  CasesOf(campaign, "syscall", Seam::kSyscall,
                          [](const std::string& call) {
                            std::vector<std::pair<Fault, std::string>> faults;
                            for (const char* error : ErrorsOf(call)) {
                              for (Span span : {Span::kOnce, Span::kSameCall}) {
                                Fault f;
                                f.error_number = NumberOf(error);
                                f.span = span;
                                faults.emplace_back(f,
                                                    std::string(error) + (span == Span::kOnce ? "/once" : "/forever"));
                              }
                            }
                            Fault dead;
                            dead.error_number = EIO;
                            dead.span = Span::kAll;
                            faults.emplace_back(dead, "EIO/all");
                            return faults;
                          }),
                  seconds);
}

void RunTransfers(Campaign& campaign, double seconds) {
  campaign.RunAll("transfer",
                  CasesOf(campaign, "transfer", Seam::kTransfer,
                          [](const std::string& call) {
                            std::vector<std::pair<Fault, std::string>> faults;
                            const char* parts[] = {"nothing", "byte", "half"};
                            for (uint32_t part = call == "pread" ? 1 : 0; part < 3; ++part) {
                              Fault f;
                              f.transfer_part = part;
                              faults.emplace_back(f, std::string(parts[part]) + "/once");
                            }
                            Fault f;
                            f.transfer_part = 2;
                            f.span = Span::kAll;
                            faults.emplace_back(f, "half/all");
                            return faults;
                          }),
                  seconds);
}

void RunAllocations(Campaign& campaign, double seconds) {
  campaign.RunAll("allocation",
                  CasesOf(campaign, "allocation", Seam::kAllocation,
                          [](const std::string&) {
                            std::vector<std::pair<Fault, std::string>> faults;
                            for (Span span : {Span::kOnce, Span::kAll}) {
                              Fault f;
                              f.error_number = ENOMEM;
                              f.span = span;
                              faults.emplace_back(f, span == Span::kOnce ? "once" : "all");
                            }
                            return faults;
                          }),
                  seconds);
}

}  // namespace sealog::faults
