// One run of salvage: what a damaged store still has, copied into a new one. In order: the log is surveyed for sessions
// and missing LSNs (salvager_log.cc), the index is walked as far as it holds (salvager_index.cc), and what no readable
// leaf speaks of is looked for in the log once more. Entries are copied in batches (salvager_copy.cc).
#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "platform/zeroed_memory.h"
#include "store/salvage.h"
#include "store/salvage_source.h"

namespace sealog {

class Salvager {
 public:
  Salvager(const Region& region, const SalvagePlan& plan, Store* out, int64_t* progress, SalvageReport* report)
      : plan_(plan), source_(region, plan), out_(out), progress_(progress), report_(report) {}

  Failure Run();

 private:
  static constexpr uint32_t kTreesCopied = kTreeExpiry;  // the list of times is made anew

  // LSNs from `first` to `last`.
  struct LsnRun {
    uint64_t first;
    uint64_t last;
    uint64_t end_offset;  // in the file, behind the last one
  };

  // Keys of a tree that no readable leaf speaks of.
  struct Gap {
    uint32_t tree;
    std::string low, high;
    bool has_high;
    uint64_t count;  // entries that the index had there, if it is known
    uint64_t found = 0;
    uint64_t where;
    const char* why;
  };

  struct Candidate {
    uint64_t lsn;
    uint64_t offset;
    bool remove;
    bool moved;  // by the cleaner: what it had found to be the newest
    // Lists of the same value's pieces, which the cleaner writes anew for each that it moves: one of them may hold.
    std::vector<uint64_t> lists;
  };

  using Candidates = std::unordered_map<std::string, Candidate>;  // by tree (a byte) and key

  struct Staged {
    OwnRecord record;
    std::unique_ptr<uint8_t[]> large;  // a value put together from its pieces
    Bytes value;
    uint64_t* counter;
  };

  static std::string TextOf(Bytes b) { return {reinterpret_cast<const char*>(b.data), b.size}; }
  static Bytes BytesOf(const std::string& s) { return {reinterpret_cast<const uint8_t*>(s.data()), s.size()}; }
  static uint32_t HashOf(Bytes key) {
    const KeyHash hash = HashKey(key);
    return uint32_t{hash.tag} << 8 | hash.fingerprint;
  }
  static std::string IdOf(uint32_t tree, Bytes key) {
    std::string id(1, static_cast<char>(tree));
    id.append(reinterpret_cast<const char*>(key.data), key.size);
    return id;
  }

  bool HasSlot() const { return plan_.header.has_slot != 0; }
  uint64_t SlotLsn() const { return HasSlot() ? plan_.header.lsn : 0; }

  bool Going() const { return failure_.ok(); }
  void Step(uint64_t steps);
  void Check(Status status);

  SalvageLoss* Note(SalvageLoss loss);
  void NoteEntry(const char* what, uint64_t where, uint32_t tree, Bytes key, std::string detail);

  // --- the log

  bool Survey(uint64_t since);
  bool Surveyed(const SalvageSource::Met& met);
  bool Counts(const SalvageSource::Met& met) const;
  bool Replaces(const Candidate& a, const Candidate& b) const;
  bool IsDead(const Candidate& c) const;
  void Gather(uint64_t since, Candidates* into, bool in_gaps);
  void NoteMissing();

  // --- the index

  struct Pending {
    uint64_t ref;
    uint8_t level;  // 0xff: of a root
    std::string low, high;
    bool has_high;
    uint64_t count;
  };
  void NoteGap(uint32_t tree, const Pending& node, const char* why);
  void WalkTree(uint32_t tree);
  static bool Inside(const std::string& low, const std::string& high, bool has_high, Bytes key);
  bool TailHas(uint32_t tree, uint32_t hash, const Pending& leaf) const;
  void CopyLeaf(uint32_t tree, const Pending& at);
  void SortGaps();
  Gap* GapOf(uint32_t tree, Bytes key);

  // --- copying

  bool ReadPiece(const ValueExtent& extent, OwnRecord* piece);
  bool PiecesHold(const Record& record);
  uint64_t PlaceOf(const Candidate& candidate);
  void CopyCandidates(Candidates* from, uint64_t* counter);
  bool JoinPieces(uint64_t offset, const Record& record, Staged* staged);
  bool Stage(uint64_t offset, OwnRecord own, uint64_t* counter);
  void Flush();
  void AddSpace(Bytes key);
  void Conclude();

  const SalvagePlan& plan_;
  SalvageSource source_;
  Store* out_;
  int64_t* progress_;
  SalvageReport* report_;
  Failure failure_;
  uint64_t done_ = 0, total_ = 0;

  std::unique_ptr<uint8_t[]> node_;
  ZeroedMemory visited_;  // a bit per 512 bytes of the file
  std::vector<Gap> gaps_;
  std::vector<uint32_t> given_up_;

  std::vector<LsnRun> runs_;
  std::vector<std::pair<uint64_t, uint64_t>> dead_;  // LSNs that a session left out
  std::vector<uint64_t> more_;                       // frames whose transaction goes on
  uint64_t durable_ = 0;                             // the greatest LSN that some frame knew to be durable
  uint64_t end_ = 0;                                 // the last LSN that counts
  uint64_t first_missing_ = UINT64_MAX;

  Candidates tail_;
  std::unordered_multimap<uint32_t, const std::string*> tail_hashes_;

  std::vector<Staged> staged_;
  uint64_t staged_bytes_ = 0;
  uint64_t uncommitted_ = 0;
};

}  // namespace sealog
