// The whole of a store against what its killed writer was told.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "store/store.h"
#include "writer.h"

namespace sealog::test {

using Pairs = std::vector<std::pair<std::string, std::string>>;  // in key order

// Everything the store says about itself, by every way of reading. Empty: these agree.
std::string ReadAll(Store& store, const Shape& shape, uint64_t seed, Pairs* out);

// What the writer began, and how much of it must be there.
struct Session {
  std::vector<Operation> operations;  // those that may have had an effect: the refused ones are empty
  uint64_t first = 0;                 // number of operations[0]
  size_t acknowledged = 0;            // of them, from the beginning
};
Session SessionOf(const Job& job, const Acknowledgements& told);

struct Verdict {
  std::string problem;           // empty: the store is as it was after `applied` operations
  size_t applied = 0;            // acknowledged <= applied <= begun
  uint64_t lost = 0, wrong = 0;  // keys
};
// Brings `model` to the state that was found.
Verdict Compare(const Session& session, uint64_t seed, const Pairs& found, Model* model);

// Line by line, for whoever looks into a failure: the keys with the origin of their acknowledged values.
std::string Describe(const Session& session, uint64_t seed, const Model& before, const Pairs& found);

}  // namespace sealog::test
