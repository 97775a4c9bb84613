// The verifier as an oracle: everything in an open store is right, and nothing leaks.
#pragma once

#include <atomic>
#include <string>

#include "store/store.h"
#include "store/verify.h"

namespace sealog::test {

// Stores found right since the process began.
inline std::atomic<uint64_t> stores_verified{0};

// Empty: all is well. Takes a checkpoint unless the store is read-only.
inline std::string VerifyStore(Store* store) {
  uint64_t id = 0;
  Status status = store->PinState(&id);
  if (status == Status::kOk) status = store->AwaitPinned(id);
  std::string wrong;
  if (status == Status::kOk) {
    status = store->WithPinned(id, [&](const PinnedState& state) {
      Verifier verifier(&state);
      while (!verifier.done()) verifier.Step(1 << 20);
      for (const Problem& problem : verifier.problems()) {
        if (!wrong.empty()) wrong += "; ";
        wrong +=
            std::string(ProblemName(problem.kind)) + " at " + std::to_string(problem.offset) + ": " + problem.detail;
      }
    });
  }
  store->Unpin(id);
  // A full disk, or whatever else a test is about, is not the verifier's to judge.
  if (status == Status::kCorrupt || status == Status::kMedia) return "verify answers " + std::to_string(Answer(status));
  if (status == Status::kOk && wrong.empty()) ++stores_verified;
  return wrong.empty() ? "" : "verify: " + wrong;
}

}  // namespace sealog::test
