// Checks everything that a pinned state says: each checksum, order, bound and count on the way from the roots to the
// last piece of a value, and that the tables of what is in use say just what was met there. So what is in use and
// reached by nothing, a leak, is found as well.
//
// Reads the region only; what was verified at first use (NodePool) is verified again. Nothing of the file is trusted:
// no loop but over what was bounded before, and no node is entered twice.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "index/index.h"
#include "store/pinned_state.h"

namespace sealog {

// What a problem is about; the names are the API's (src/verify.ts).
enum class ProblemKind : uint8_t {
  kNode,         // a node's checksum, stamp, level or shape
  kOrder,        // a key or separator out of order, or outside of the bounds of its parent
  kCount,        // the number of entries below a node or root
  kFingerprint,  // of a key, or the tag in its reference
  kRecord,       // a record's header or checksum
  kValue,        // a piece of a large value
  kExpiry,       // an entry that expires without a line in the list of times, or a line that is none
  kLive,         // live bytes of a log segment, live units of a node segment
  kBitmap,       // a bitmap's checksum; a unit that is reached and marked free
  kLeak,         // a unit that is marked in use and reached by nothing
  kLog,          // the header of a log segment
  kMedia,        // SIGBUS
};
const char* ProblemName(ProblemKind kind);

struct Problem {
  ProblemKind kind;
  uint32_t tree;    // with `key`
  uint64_t offset;  // into the file
  std::string key;  // as stored; empty: unknown
  std::string detail;
};

struct VerifyFigures {
  uint64_t entries = 0;  // of all trees
  uint64_t nodes = 0;
  uint64_t records = 0;   // pieces of large values included
  uint64_t bytes = 0;     // checked
  uint64_t problems = 0;  // all of them, listed or not
};

class Verifier {
 public:
  static constexpr size_t kProblemsListed = 1000;

  // `state` must outlive it, durable.
  explicit Verifier(const PinnedState* state);

  // Checks `bytes` more, or a few more than that. REQUIRES: inside a guard. After one that a SIGBUS ended: Faulted, and
  // on.
  void Step(uint64_t bytes);
  void Faulted();
  bool done() const { return phase_ == Phase::kDone; }

  const VerifyFigures& figures() const { return figures_; }
  uint64_t bytes_expected() const { return bytes_expected_; }
  const std::vector<Problem>& problems() const { return problems_; }

 private:
  enum class Phase : uint8_t { kTrees, kSegments, kDone };
  struct Bound {
    bool there = false;
    uint16_t bytes = 0;
    uint8_t data[kKeyBytesMax];

    void Set(Bytes key) {
      there = true;
      bytes = static_cast<uint16_t>(key.size);
      memcpy(data, key.data, key.size);
    }
    void operator=(const Bound& other) {
      there = other.there;
      bytes = other.bytes;
      if (bytes != 0) memcpy(data, other.data, bytes);
    }
    Bytes key() const { return {data, bytes}; }
  };
  struct Frame {
    const InnerNode* node;
    uint64_t offset;
    uint32_t child;
    Bound low, high;
  };

  void Found(ProblemKind kind, uint64_t offset, std::string detail, Bytes key = {});
  void NextTree();
  void NextChild();
  const NodeHeader* Reach(uint64_t ref, int level);
  void Enter(uint64_t ref, int level, uint64_t count, const char* counter, uint64_t counter_offset);
  void CheckSeparators(const InnerNode& node, uint64_t offset);
  void CheckEntries(const LeafNode& leaf, uint64_t offset);
  bool CheckEntry(const LeafNode& leaf, uint32_t i);
  void CheckPieces(const Record& record, uint64_t offset);
  void CheckTime(const Record& record, uint64_t offset);
  bool HasLine(Bytes line);
  void Prefetch(const Frame& frame);
  void AddLive(uint64_t offset, uint32_t bytes);
  void CheckLogSegment(uint32_t segment);
  void CheckNodeSegment(uint32_t segment);

  const PinnedState* state_;
  const Space& space_;
  Phase phase_ = Phase::kTrees;
  VerifyFigures figures_;
  uint64_t bytes_expected_ = 0;
  std::vector<Problem> problems_;

  uint32_t tree_at_ = 0;  // of the order in which they are checked
  uint32_t tree_ = 0;
  uint32_t depth_ = 0;  // of the stack
  std::vector<Frame> stack_;
  Bound low_, high_;  // of the node that is entered
  uint64_t at_ = 0;   // what is looked at, for Faulted
  uint32_t segment_ = 0;
  bool cut_ = false;            // nodes were not entered: what they refer to is not known
  bool uncounted_ = false;      // records were not counted
  bool list_holds_ = true;      // of times
  std::vector<uint64_t> live_;  // by segment: bytes met
  std::vector<PinnedState::Bitmap> reached_;
  SortedLeaf sorted_;
};

}  // namespace sealog
