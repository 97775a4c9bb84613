// What a case has asked the store to do, and what was answered: in shared memory, so that it outlives the process that
// met the fault. The oracle of every campaign is here.
#pragma once

#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <map>
#include <vector>

namespace sealog::faults {

inline constexpr uint32_t kKeyCount = 400;

enum class Fate : uint8_t {
  kIssued,        // no answer: the process ended in it
  kAcknowledged,  // durable
  kVisible,       // answered, to be committed later
  kUncertain,     // failed as a durable write does: may or may not be in the file
  kRefused,       // failed before anything was logged
};

struct Held {
  uint32_t tag = 0;
  uint32_t bytes = 0;
  bool operator==(const Held&) const = default;
};
using State = std::map<uint16_t, Held>;

struct Journal {
  struct Item {
    uint16_t key;
    bool remove;
    Held value;
  };
  struct Transaction {
    uint32_t first;
    uint32_t count;
    Fate fate;
  };
  static constexpr uint32_t kItemsMax = 8192;
  static constexpr uint32_t kTransactionsMax = 2048;
  static constexpr uint32_t kNamesMax = 2048;

  Item items[kItemsMax];
  Transaction transactions[kTransactionsMax];
  uint32_t item_count = 0;
  uint32_t transaction_count = 0;
  bool exists = false;  // a store is to be at the path

  // Of the case.
  uint32_t calls = 0;  // that the fault could have hit
  uint32_t delivered = 0;
  char names[kNamesMax][20] = {};
  bool refused = false;  // something was answered with an error
  char problem[400] = "";

  void Forget() {
    calls = delivered = 0;
    refused = false;
    problem[0] = 0;
  }

  __attribute__((format(printf, 2, 3))) void Problem(const char* format, ...) {
    if (problem[0] != 0) return;  // the first one tells most
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(problem, sizeof problem, format, arguments);
    va_end(arguments);
  }

  // The states that the file may be in: after `transactions` of them, for every number from the last acknowledged on.
  struct Moment {
    uint32_t transactions;
    State state;
  };
  std::vector<Moment> Allowed() const {
    uint32_t acknowledged = 0;
    for (uint32_t i = 0; i < transaction_count; ++i) {
      if (transactions[i].fate == Fate::kAcknowledged) acknowledged = i + 1;
    }
    State state;
    std::vector<Moment> allowed;
    for (uint32_t i = 0; i < transaction_count; ++i) {
      if (i >= acknowledged) allowed.push_back({i, state});
      const Transaction& t = transactions[i];
      if (t.fate == Fate::kRefused) continue;
      for (uint32_t j = t.first; j < t.first + t.count; ++j) {
        if (items[j].remove) {
          state.erase(items[j].key);
        } else {
          state[items[j].key] = items[j].value;
        }
      }
    }
    allowed.push_back({transaction_count, state});
    return allowed;
  }

  // After a reopen there is one state, and what comes next builds on it.
  bool Unsettled() const {
    for (uint32_t i = 0; i < transaction_count; ++i) {
      if (transactions[i].fate != Fate::kAcknowledged && transactions[i].fate != Fate::kRefused) return true;
    }
    return false;
  }

  // What was found is what counts from now on.
  void Settle(uint32_t found) {
    for (uint32_t i = 0; i < transaction_count; ++i) {
      Fate& fate = transactions[i].fate;
      if (fate != Fate::kRefused) fate = i < found ? Fate::kAcknowledged : Fate::kRefused;
    }
  }
};

}  // namespace sealog::faults
