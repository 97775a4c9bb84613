// Walks a trace, makes images at every point, checks them.
#pragma once

#include <chrono>
#include <string>
#include <unordered_set>

#include "check.h"
#include "node_peer.h"

namespace sealog::test {

struct Options {
  int operations = 600;
  uint64_t seed = 1;
  Shape shape;
  std::string flush_name = "clwb";
  bool words = false;
  bool mutants = false;
  uint64_t images_max = UINT64_MAX;
  double seconds = 0;                    // 0: one trace
  size_t per_drain = 40, per_point = 8;  // images at most
  size_t depth2_in = 24;                 // one image in so many is crashed again
  uint32_t use_in = 3;                   // one image in so many is used further after its recovery
  size_t node_in = 0;                    // one image in so many goes through Node as well; 0: none
  size_t only_event = SIZE_MAX, only_image = SIZE_MAX, only_mutant = SIZE_MAX;
};

using Clock = std::chrono::steady_clock;

// What the workloads have reached: a figure of 0 means that the images say nothing about it.
struct Reached {
  uint64_t commits = 0, refused = 0;                       // refused: kFull
  uint64_t sessions = 0, checkpoints = 0, overlapped = 0;  // overlapped: the writer wrote while the checkpoint did
  uint64_t rolls = 0, log_reused = 0, nodes_reused = 0, inner_nodes = 0;
  uint64_t cold_heads = 0;
  uint64_t batches = 0, batch_pieces = 0, chunks = 0;
  Done done;
  uint64_t digest = 0;  // of the events without their content: the same each time, or images cannot be replayed
  void Add(const Trace& trace, const History& history);
};

struct Figures {
  Reached reached;
  uint64_t traces = 0, events = 0, drains = 0, points = 0, lines_max = 0;
  uint64_t lengths = 0;  // points at which the file's length was not durable
  uint64_t images = 0;   // checked
  uint64_t depth2 = 0;   // of them, crashes inside the recovery of another one
  uint64_t through_node = 0;
  uint64_t repeated = 0;  // made again, not checked again
  uint64_t violations = 0;
  std::unordered_set<uint64_t> distinct;
};

// A recorded run with its history. Empty: fine.
struct Run {
  Shape shape;  // the seed's
  Trace trace;
  History history;
  std::string wrong;
};
Run Record(const std::string& folder, const Options& options, uint64_t seed);

class Explorer {
 public:
  Explorer(const Options& options, const std::string& folder, uint64_t bytes, Figures* figures)
      : options_(options), bench_(folder + "/image.sealog", bytes), figures_(figures) {
    if (options.node_in != 0) peer_ = std::make_unique<NodePeer>(folder + "/node.sealog", bytes);
  }

  // True: nothing to object to. Stops at the first violation, at the deadline, or when enough images were checked.
  bool Explore(const Run& run, uint64_t seed, const Mutant& mutant, Clock::time_point deadline, bool quiet);
  const std::string& objection() const { return objection_; }

 private:
  NodePeer* PeerFor(const Image& image) {
    if (peer_ == nullptr || image.hash % options_.node_in != 0) return nullptr;
    ++figures_->through_node;
    return peer_.get();
  }
  std::string CrashAgain(uint64_t hash, const Bounds& bounds, const Mutant& mutant, Random* random);
  void Report(const Run& run, uint64_t seed, size_t event, size_t image, const std::string& wrong,
              const Bounds& bounds);

  const Options& options_;
  Shape shape_;
  Bench bench_;
  std::unique_ptr<NodePeer> peer_;
  Figures* figures_;
  std::unordered_set<uint64_t> seen_;  // image and what was acknowledged
  std::string objection_;
};

// What to print if the process dies of an image.
void SetReplay(const Options& options, uint64_t seed, size_t event, size_t image);
std::string Replay(const Options& options, uint64_t seed, size_t event, size_t image);

}  // namespace sealog::test
