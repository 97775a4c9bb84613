// One damaged store: opened, read in every way, written to, closed, opened again.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "damage.h"
#include "map.h"
#include "store/store.h"

namespace sealog::test {

enum class Outcome : uint8_t {
  kCorrect,
  kFallback,    // correct, from the older checkpoint
  kTyped,       // not opened, with a typed error
  kPartial,     // a typed error for what depends on the damage; all else is right
  kLastFrame,   // the end of the log is lost with the damage, and nothing behind it can tell
  kOutOfReach,  // what could tell lies further than recovery looks (docs/recovery.md)
  kWrong,
  kCrash,
  kHang,
};
inline constexpr int kOutcomes = 9;

struct Verdict {
  Outcome outcome;
  std::string wrong;  // kWrong: what
};

class Checker {
 public:
  Checker(const Image& image, const Map& map, std::string path);
  ~Checker();
  Checker(const Checker&) = delete;
  Checker& operator=(const Checker&) = delete;

  Verdict Check(const Damage& damage, uint64_t number);

 private:
  using Entries = std::vector<std::pair<std::string_view, std::string_view>>;

  void Place(const Damage& damage);
  void PutBack();
  Verdict Judge(uint64_t number);
  bool IsHit(const Piece* piece) const;
  Outcome EndOfLog(uint64_t next_lsn) const;
  bool Named(const Store& store);
  bool MayFail(std::string_view key) const;
  void Reads(Store& store, uint64_t number);
  void Scan(Store& store, bool reverse, const KeyRange& range, uint32_t block_entries);
  void Count(Store& store, const KeyRange& range);
  void Gets(Store& store);
  void Writes(Store& store, uint64_t number);
  void Put(Store& store, std::string_view key, std::string value);
  void Remove(Store& store, std::string_view key);
  void Written(Status status, Store& store, const char* what, std::string_view key);
  void Churn(Store& store);
  Entries Within(const KeyRange& range) const;
  void Wrong(std::string what) {
    if (wrong_.empty()) wrong_ = std::move(what);
  }
  std::string_view Keep(std::string text);

  const Image& image_;
  const Map& map_;
  std::string path_;
  int file_ = -1;
  uint8_t* bytes_ = nullptr;  // of the file
  Entries full_;
  std::vector<uint8_t> block_;

  // Of the case under way.
  uint64_t size_ = 0;
  std::vector<const Piece*> hit_;
  std::vector<uint32_t> keys_hit_;
  Entries expected_;
  std::deque<std::string> kept_;          // what is written; views of it stay good
  std::vector<std::string_view> failed_;  // keys whose reads failed
  bool failures_ = false;
  std::string wrong_;
};

}  // namespace sealog::test
