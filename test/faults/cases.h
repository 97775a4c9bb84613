// A case: a store file, a process that meets a fault in it, and one that looks at the file afterwards.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "world.h"

namespace sealog::faults {

// A store file made once, and what is in it.
struct Template {
  std::vector<uint8_t> file;
  Journal journal;
};

struct Case {
  std::string name;  // replays it: sealog_faults --case NAME
  Place place;
  const Template* from = nullptr;  // nullptr: no file
  std::function<void(World&)> body;
  bool may_abort = false;              // out of memory in a place that is documented to end the process
  std::function<void()> before_check;  // the fault goes away
  std::function<void()> install;       // instead of the template's file at `place`
  std::function<void()> cleanup;
};

// What the campaigns share: places, templates, the journal, counts.
class Campaign {
 public:
  Campaign();
  ~Campaign();
  Campaign(const Campaign&) = delete;
  Campaign& operator=(const Campaign&) = delete;

  bool Prepare();
  const Place& place(Domain domain) const { return places_.at(domain); }
  const std::string& root() const { return root_; }
  const Template& TemplateNamed(const std::string& name) const { return *templates_.at(name); }
  Journal* journal() const { return journal_; }
  // SIGINT or SIGTERM came: the case under way is the last one.
  static bool interrupted();

  // Runs it in processes of its own. False if it showed a problem.
  bool Run(const Case& c);
  // Only counts what the fault could hit: the names, in order.
  std::vector<std::string> Count(const Case& c);
  // All of them until the time is over, in an order by the seed.
  void RunAll(const char* kind, std::vector<Case> cases, double seconds);

  // A process of its own; its signal, 0 if it ended.
  int InChild(const std::function<void()>& body) const;
  bool Mount(const std::string& type, const std::string& options, const std::string& source, const std::string& at);
  void Unmount(const std::string& at);
  // A fresh ext4 of so many MiB, mounted by loop at `name` below the root. "" if that cannot be had.
  std::string LoopExt4(const std::string& name, int megabytes);
  std::string Tmpfs(const std::string& name, int megabytes);
  bool can_mount() const { return can_mount_; }
  std::map<std::string, uint64_t> skipped;  // reasons
  void Skip(const std::string& reason) {
    if (skipped[reason]++ == 0) printf("SKIPPED: %s\n", reason.c_str());
  }

  struct Counts {
    uint64_t cases = 0, all = 0, hit = 0, refused = 0, aborts = 0;
  };
  uint64_t seed = 1;
  bool run_all = false;
  bool verbose = false;
  std::string only;   // one case
  std::string match;  // a part of the names
  std::map<std::string, Counts> kinds;
  std::map<std::string, uint64_t> problems;  // crash, hang, leak, lost, poison, untyped
  std::map<std::string, uint64_t> aborted_in;

 private:
  void Install(const Case& c);

  std::string root_;
  std::map<Domain, Place> places_;
  std::map<std::string, std::unique_ptr<Template>> templates_;
  Journal* journal_ = nullptr;
  bool can_mount_ = false;
  std::vector<std::string> mounts_;
};

// The usual end of a faulted session: reads are right or refused, a poisoned store stays so, and it can be left.
void Finish(World& world, bool close);

// One per file.
void RunSyscalls(Campaign& campaign, double seconds);
void RunTransfers(Campaign& campaign, double seconds);
void RunAllocations(Campaign& campaign, double seconds);
void RunMedia(Campaign& campaign, double seconds);
void RunSpace(Campaign& campaign, double seconds);
void RunFuse(Campaign& campaign, double seconds);

}  // namespace sealog::faults
