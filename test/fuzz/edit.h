// An input: which image, what to do with it, and edits that make it hostile. An edit repairs the checksums above what
// it changes, unless it says not to, so that hostile structures reach the code behind the checksums.
#pragma once

#include <cstdint>
#include <set>
#include <vector>

#include "image.h"

namespace sealog::fuzz {

enum class EditKind : uint8_t {
  kRaw,         // any bytes
  kSuperblock,  // a field of superblock `place & 1`
  kSlot,
  kHalf,        // of the table entry of segment `place >> 1`
  kBitmap,      // bit `field` of a node segment's current bitmap
  kLeaf,        // a field of a leaf
  kInner,       // a field of an inner node
  kFrame,       // a field of a frame in the log
  kSuccessor,   // a field of a log segment's successor line
  kChild,       // entry `field` of an inner node leads to node `other`
  kRoot,        // root `field` of both slots and of the plan leads to node `other`
  kRecordRef,   // entry `field` of a leaf refers to frame `other`
  kMakeFrame,   // a frame behind the log's end
  kCopyNode,    // node `other` over node `place`
  kSwap,        // entries `field` and `other` of a node change places
  kPlanHeader,  // a field of the plan
  kPlanSegment,
  kCount,
};

struct Edit {
  EditKind kind;
  uint8_t how;  // kWidthMask, kAdd, kXor, kBroken
  uint16_t place;
  uint16_t field;
  uint16_t other;
  uint64_t value;
};
static_assert(sizeof(Edit) == 16);

enum How : uint8_t {
  kWidthMask = 3,  // 1, 2, 4 or 8 bytes
  kVariantMask = 7,
  kAdd = 0x10,  // to what is there; otherwise it is replaced
  kXor = 0x20,
  kTagged = 0x40,  // kRecordRef: with the key's hash
  kBroken = 0x80,  // the checksums stay as they were
};

struct InputHeader {
  uint8_t image;
  uint8_t mode;
  uint16_t operations;
  uint32_t seed;
};
static_assert(sizeof(InputHeader) == 8);

inline constexpr size_t kEditsMax = 96;

struct Input {
  InputHeader header{};
  std::vector<Edit> edits;

  static Input Parse(const uint8_t* data, size_t size);
  const Image& image() const { return Images()[header.image % Images().size()]; }
};

// What the fuzzer this is linked into understands, as 1 << EditKind. Defined by it.
extern const uint32_t kEditKinds;

class Editor {
 public:
  // `bytes` holds the image. `plan`, which may be null, gets what the edits do to it.
  Editor(const Image& image, uint8_t* bytes, Plan* plan) : image_(image), bytes_(bytes), plan_(plan), end_(image.end) {
    next_lsn_ = image.next_lsn;
  }
  void Apply(const std::vector<Edit>& edits);
  // The edits of the plan alone.
  static void ApplyToPlan(const std::vector<Edit>& edits, Plan* plan);
  // Puts back what Apply changed.
  void Undo();

 private:
  struct Saved {
    uint64_t offset;
    std::vector<uint8_t> bytes;
  };

  void ApplyOne(const Edit& edit);
  void Write(uint64_t offset, const void* data, size_t bytes);
  void Poke(const Edit& edit, uint64_t begin, uint64_t bytes);
  static void PokePlan(const Edit& edit, void* begin, size_t bytes);
  void Touch(uint64_t offset);
  void SetChild(const Edit& edit);
  void SetRoot(const Edit& edit);
  void SetRecordRef(const Edit& edit);
  void Swap(const Edit& edit);
  void CopyNode(const Edit& edit);
  void MakeFrame(const Edit& edit);
  uint64_t NodeRef(uint32_t which, bool inner) const;
  std::vector<uint8_t> MakeRecord(uint8_t kind, uint8_t flags, const Edit& edit, uint32_t variant,
                                  uint64_t offset) const;
  void Repair();
  void RepairFrame(const LogFrame& frame);
  uint32_t CurrentHalf(uint32_t segment) const;
  uint32_t store_seed() const;

  const Image& image_;
  uint8_t* bytes_;
  Plan* plan_;
  LogPosition end_;
  uint64_t next_lsn_;
  std::vector<Saved> saved_;
  std::set<uint64_t> nodes_;
  std::set<uint32_t> frames_;  // indices
  std::set<uint32_t> lines_;   // successors, indices of log segments
  std::set<uint32_t> bitmaps_;
  std::set<uint32_t> halves_;  // segment * 2 + which
  bool slots_[2] = {false, false};
  bool superblocks_[2] = {false, false};
};

}  // namespace sealog::fuzz
