#include "operations.h"

#include <algorithm>
#include <cstring>

namespace sealog::test {
namespace {

constexpr uint64_t kPhaseOperations = 200;
constexpr size_t kOriginBytes = 12;

enum Phase { kFewKeys, kMixed, kDeferred, kLarge, kFilling, kWiping, kBatches, kAllKeys, kPhases };

Phase PhaseOf(uint64_t seed, uint64_t n) {
  return static_cast<Phase>(Random(Mix(seed, n / kPhaseOperations))() % kPhases);
}

size_t ValueBytes(Phase phase, Random* random) {
  Random& r = *random;
  if (phase == kLarge && r.Below(3) == 0) return r.Below(r.Below(8) == 0 ? 150'000 : 20'000);
  if (phase == kFilling) return 1000 + r.Below(6000);
  switch (r.Below(32)) {
    case 0:
      return r.Below(8000);
    case 1:
      return 0;
    case 2:
    case 3:
      return r.Below(1500);
    default:
      return r.Below(250);
  }
}

}  // namespace

uint64_t Mix(uint64_t a, uint64_t b) { return Random(a ^ Random(b)())(); }

std::string KeyOf(uint32_t number) {
  std::string key = "k" + std::to_string(number * 7919ull % 1'000'003);
  if (number % 7 == 0) key = "a/long/common/beginning/that/goes/on/" + key;
  if (number % 29 == 0) key += std::string(300, static_cast<char>('a' + number % 3));
  return key;
}

Operation OperationOf(uint64_t seed, const Shape& shape, uint64_t n) {
  const Phase phase = PhaseOf(seed, n);
  Random r(Mix(seed ^ 1, n));
  const uint32_t keys = phase == kFewKeys ? 12 : shape.keys;
  auto any_key = [&] { return KeyOf(static_cast<uint32_t>(r.Below(keys))); };
  Operation operation{Kind::kPut, r.Below(8) < (phase == kDeferred ? 7u : 1u), {}};

  if (phase == kWiping) {
    // Consecutive operations, so that whole segments lose their last live record.
    operation.kind = Kind::kBatch;
    for (uint64_t i = 0; i < 10; ++i)
      operation.edits.push_back({KeyOf(static_cast<uint32_t>((n * 10 + i) % keys)), true});
    return operation;
  }
  const uint64_t what = r.Below(64);
  if (what == 0) {
    operation.kind = Kind::kCommit;
  } else if (what == 1 && r.Below(4) == 0) {
    operation.kind = Kind::kCheckpoint;
  } else if (what == 2) {
    operation = {Kind::kClean, true, {}};
  } else if (what == 3 && r.Below(2) == 0) {
    operation = {Kind::kGrow, true, {}};
  } else if (what < 6 || (phase == kBatches && what < 48)) {
    operation.kind = Kind::kBatch;
    const uint64_t count = 1 + r.Below(r.Below(4) == 0 ? 40 : 6);
    for (uint64_t i = 0; i < count; ++i) operation.edits.push_back({any_key(), r.Below(6) == 0});
  } else {
    const bool removes = phase == kMixed ? what < 28 : what < 10;
    operation.kind = removes ? Kind::kRemove : r.Below(6) == 0 ? Kind::kStream : Kind::kPut;
    operation.edits.push_back({any_key(), removes});
  }
  return operation;
}

std::string ValueOf(uint64_t seed, const Origin& origin) {
  Random r(Mix(Mix(seed ^ 2, origin.n), origin.index));
  std::string value(ValueBytes(PhaseOf(seed, origin.n), &r), '\0');
  for (size_t at = 0; at < value.size(); at += 8) {
    const uint64_t word = r();
    memcpy(value.data() + at, &word, std::min<size_t>(8, value.size() - at));
  }
  if (value.size() >= kOriginBytes) {
    memcpy(value.data(), &origin.n, 8);
    memcpy(value.data() + 8, &origin.index, 4);
  }
  return value;
}

Origin ClaimedOrigin(const std::string& value) {
  Origin origin{UINT64_MAX, 0};
  if (value.size() >= kOriginBytes) {
    memcpy(&origin.n, value.data(), 8);
    memcpy(&origin.index, value.data() + 8, 4);
  }
  return origin;
}

}  // namespace sealog::test
