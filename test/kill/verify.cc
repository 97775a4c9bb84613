#include "verify.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <optional>
#include <set>

#include "support/recovery_twin.h"
#include "support/scan.h"

namespace sealog::test {
namespace {

constexpr size_t kBlockBytes = 1 << 20;
constexpr int kGets = 64;

std::string Scan(Store& store, bool reverse, Pairs* out) {
  return ScanEntries(store, reverse, [out](Bytes key, Bytes value) -> std::string {
    out->emplace_back(std::string(reinterpret_cast<const char*>(key.data), key.size),
                      std::string(reinterpret_cast<const char*>(value.data), value.size));
    return {};
  });
}

// The value that a key has in each state, for comparing with what was found.
class Found {
 public:
  Found(const Pairs& pairs, uint64_t seed) : pairs_(pairs), seed_(seed) {}

  const std::string* ValueAt(const std::string& key) const {
    auto it = std::lower_bound(pairs_.begin(), pairs_.end(), key,
                               [](const auto& pair, const std::string& k) { return pair.first < k; });
    return it != pairs_.end() && it->first == key ? &it->second : nullptr;
  }

  bool Agrees(const std::string& key, const Model& model) const {
    const std::string* value = ValueAt(key);
    auto it = model.find(key);
    if (value == nullptr || it == model.end()) return value == nullptr && it == model.end();
    return *value == ValueOf(seed_, it->second);
  }

  std::set<std::string> Disagreeing(const Model& model) const {
    std::set<std::string> keys;
    for (const auto& [key, origin] : model) {
      if (!Agrees(key, model)) keys.insert(key);
    }
    for (const auto& [key, value] : pairs_) {
      if (model.count(key) == 0) keys.insert(key);
    }
    return keys;
  }

 private:
  const Pairs& pairs_;
  uint64_t seed_;
};

void ApplyUpTo(const Session& session, size_t from, size_t to, Model* model) {
  for (size_t i = from; i < to; ++i) Apply(session.operations[i], session.first + i, model);
}

// Whether some operation in flight gives the key what was found.
bool InFlight(const Session& session, uint64_t seed, const std::string& key, const std::string* value) {
  for (size_t i = session.acknowledged; i < session.operations.size(); ++i) {
    const std::vector<Edit>& edits = session.operations[i].edits;
    for (uint32_t e = 0; e < edits.size(); ++e) {
      if (edits[e].key != key) continue;
      if (edits[e].removes ? value == nullptr : value != nullptr && *value == ValueOf(seed, {session.first + i, e})) {
        return true;
      }
    }
  }
  return false;
}

}  // namespace

std::string ReadAll(Store& store, const Shape& shape, uint64_t seed, Pairs* out) {
  if (std::string wrong = Scan(store, false, out); !wrong.empty()) return wrong;
  Pairs backward;
  if (std::string wrong = Scan(store, true, &backward); !wrong.empty()) return wrong;
  std::reverse(backward.begin(), backward.end());
  if (backward != *out) return "the scan in reverse differs";
  for (size_t i = 1; i < out->size(); ++i) {
    if ((*out)[i - 1].first >= (*out)[i].first) return "a scan is not in order";
  }
  uint64_t count = 0;
  if (store.Count({}, &count) != Status::kOk || count != out->size()) {
    return "count says " + std::to_string(count) + ", the scan has " + std::to_string(out->size());
  }
  StoreStats stats;
  store.Stats(&stats);
  if (stats.entries != static_cast<double>(out->size())) return "the statistics have another number of entries";

  Random random(seed);
  const Found found(*out, seed);
  std::vector<uint8_t> buffer(kBlockBytes);
  for (int i = 0; i < kGets; ++i) {
    const std::string key = KeyOf(static_cast<uint32_t>(random.Below(shape.keys)));
    const std::string* value = found.ValueAt(key);
    const GetResult result = store.Get(kTreeUser, BytesOf(key), buffer.data(), buffer.size());
    if (result.status != (value == nullptr ? Status::kNotFound : Status::kOk)) {
      return "get of " + key + " answers status " + std::to_string(static_cast<int>(result.status));
    }
    if (value != nullptr && std::string(reinterpret_cast<char*>(buffer.data()), result.bytes) != *value) {
      return "get of " + key + " has another value than the scan";
    }
  }
  return {};
}

Session SessionOf(const Job& job, const Acknowledgements& told) {
  Session session;
  session.first = job.first;
  const uint32_t issued = told.issued;
  for (uint32_t i = 0; i < issued; ++i) {
    const Outcome outcome = told.outcomes[i];
    session.operations.push_back(OperationOf(job.seed, *job.shape, job.first + i));
    if (outcome == Outcome::kRefused) session.operations.back().edits.clear();
    if (outcome == Outcome::kDurable) session.acknowledged = i + 1;
  }
  if (told.stage == Stage::kClosed) session.acknowledged = issued;
  return session;
}

Verdict Compare(const Session& session, uint64_t seed, const Pairs& pairs, Model* model) {
  const Found found(pairs, seed);
  ApplyUpTo(session, 0, session.acknowledged, model);
  const std::set<std::string> first = found.Disagreeing(*model);
  std::set<std::string> disagreeing = first;
  Model state = *model;
  Verdict verdict;
  verdict.applied = session.acknowledged;
  while (!disagreeing.empty() && verdict.applied < session.operations.size()) {
    const Operation& operation = session.operations[verdict.applied];
    Apply(operation, session.first + verdict.applied++, &state);
    for (const Edit& edit : operation.edits) {
      if (found.Agrees(edit.key, state)) {
        disagreeing.erase(edit.key);
      } else {
        disagreeing.insert(edit.key);
      }
    }
  }
  if (disagreeing.empty()) {
    *model = std::move(state);
    return verdict;
  }

  std::string examples;
  int shown = 0;
  for (const std::string& key : first) {
    const std::string* value = found.ValueAt(key);
    if (InFlight(session, seed, key, value)) continue;
    auto expected = model->find(key);
    const Origin claimed = value == nullptr ? Origin{UINT64_MAX, 0} : ClaimedOrigin(*value);
    const bool older = value != nullptr && expected != model->end() && claimed.n < expected->second.n &&
                       *value == ValueOf(seed, claimed);
    const bool lost = expected != model->end() && (value == nullptr || older);
    ++(lost ? verdict.lost : verdict.wrong);
    if (shown++ < 3) {
      examples += "; " + key.substr(0, 60) + ": " +
                  (value == nullptr ? "absent"
                   : older          ? "of operation " + std::to_string(claimed.n)
                                    : std::to_string(value->size()) + " other bytes") +
                  ", acknowledged: " +
                  (expected == model->end() ? "absent" : "of operation " + std::to_string(expected->second.n));
    }
  }
  if (verdict.lost + verdict.wrong == 0) {
    ++verdict.wrong;
    examples = "; each key by itself could be so";
  }
  verdict.problem = "the store is at no state between " + std::to_string(session.acknowledged) + " acknowledged and " +
                    std::to_string(session.operations.size()) + " begun operations, from number " +
                    std::to_string(session.first) + ": " + std::to_string(verdict.lost) + " keys lost, " +
                    std::to_string(verdict.wrong) + " wrong" + examples;
  return verdict;
}

std::string Describe(const Session& session, uint64_t seed, const Model& before, const Pairs& pairs) {
  const Found found(pairs, seed);
  Model model = before;
  ApplyUpTo(session, 0, session.acknowledged, &model);
  auto name = [](const Model& from, const std::string& key) {
    auto it = from.find(key);
    return it == from.end() ? std::string("absent")
                            : std::to_string(it->second.n) + "." + std::to_string(it->second.index);
  };
  std::string text;
  for (const std::string& key : found.Disagreeing(model)) {
    const std::string* value = found.ValueAt(key);
    const Origin claimed = value == nullptr ? Origin{} : ClaimedOrigin(*value);
    text += key + "\tbefore " + name(before, key) + "\tacknowledged " + name(model, key) + "\tfound " +
            (value == nullptr ? "absent"
                              : std::to_string(value->size()) + " bytes that claim to be " + std::to_string(claimed.n) +
                                    "." + std::to_string(claimed.index)) +
            "\n";
  }
  return text;
}

}  // namespace sealog::test
