// The process that is killed, and the page that it shares with its parent: what is there was done, however it ended.
#pragma once

#include <atomic>
#include <map>
#include <string>

#include "operations.h"
#include "region/region.h"

namespace sealog::test {

using Model = std::map<std::string, Origin>;

enum class Stage : uint8_t { kStarting, kCreating, kOpening, kWriting, kClosing, kClosed };

// Of an operation. Anything but kUnknown was written after its call had returned.
enum class Outcome : uint8_t { kUnknown, kDeferred, kDurable, kRefused };

struct Acknowledgements {
  static constexpr uint32_t kOperationsMax = 1 << 14;

  std::atomic<Stage> stage;
  std::atomic<bool> checkpointing;  // as seen after the last operation
  std::atomic<bool> cleaning;       // the last operation cleans, or something was moved while it ran
  std::atomic<bool> growing;
  std::atomic<uint32_t> streaming;  // values of which some is in the log
  std::atomic<uint32_t> issued;     // operations begun
  std::atomic<Outcome> outcomes[kOperationsMax];
  char complaint[1024];  // of the writer, which then ends with kComplains

  void Clear();
};

inline constexpr int kComplains = 3;

struct Job {
  std::string path;
  const Shape* shape = nullptr;
  uint64_t seed = 0;
  uint64_t first = 0;       // number of its first operation
  uint32_t operations = 0;  // how many it issues at most
  bool creates = false;
  bool closes = false;  // after the last one; else it waits to be killed
  bool populates = false;
  Durability durability = Durability::kSync;
  FlushKind flush = FlushKind::kNone;
};

// `model`: what the store holds; reads are compared with it on the way. Never returns.
[[noreturn]] void Write(const Job& job, Model model, Acknowledgements* acknowledgements);

// Makes the edits of operation `n` in the model.
void Apply(const Operation& operation, uint64_t n, Model* model);

}  // namespace sealog::test
