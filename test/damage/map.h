// What lies where in an undamaged image, and whom it serves. Looked up without the store's own reading, but for the
// checksums of frames.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "format/format.h"
#include "image.h"

namespace sealog::test {

enum class Kind : uint8_t {
  kSuperblock,
  kSlot,
  kSeal,
  kTable,
  kLogHead,  // header and successor line
  kTail,     // frames that an open replays
  kRecord,   // live ones that a checkpoint has; pieces of large values too
  kLeaf,
  kInner,
  kBitmap,
  kFree,  // nothing that is in use
};
inline constexpr int kKinds = 11;
const char* NameOf(Kind kind);

struct Piece {
  uint64_t begin, end;
  Kind kind;
  std::vector<uint32_t> keys;  // indices into the final state: whose reads may fail if this is damaged
  // kTail
  uint32_t segment = 0;
  uint64_t lsn = 0;
  uint32_t window = 0;
};

class Map {
 public:
  explicit Map(const Image& image);

  const std::vector<Piece>& pieces() const { return pieces_; }  // ascending, apart
  // Null: free.
  const Piece* At(uint64_t offset) const;
  Kind KindAt(uint64_t offset) const {
    const Piece* piece = At(offset);
    return piece == nullptr ? Kind::kFree : piece->kind;
  }
  const Model& state() const { return state_; }
  // Of the newest checkpoint.
  uint64_t slot_offset() const { return slot_offset_; }
  // Behind the last frame.
  uint64_t next_lsn() const { return next_lsn_; }
  // How many bytes at its beginning an open or a read decides by: all of META but what is reserved, headers of the
  // rest.
  static uint64_t HeaderBytes(const Piece& piece);
  bool IsHeader(uint64_t offset) const;
  uint32_t segment_bytes() const { return segment_bytes_; }
  // The segment that `segment` of the tail announces; kSegmentNone.
  uint32_t Successor(uint32_t segment) const;

 private:
  template <class T>
  const T* Look(uint64_t offset) const {
    return reinterpret_cast<const T*>(bytes_ + offset);
  }
  void Add(uint64_t begin, uint64_t bytes, Kind kind, std::vector<uint32_t> keys = {});
  void AddLogHead(uint64_t begin);
  void Meta();
  void Segments();
  void Tail();
  std::vector<uint32_t> Tree(uint64_t ref);
  std::vector<uint32_t> Record(uint64_t offset);
  uint32_t IndexOf(const std::string& key) const;

  const uint8_t* bytes_;
  uint64_t size_;
  Model state_;
  std::vector<std::string> keys_;
  uint32_t seed_ = 0;
  uint32_t segment_bytes_ = 0, count_ = 0;
  const CheckpointSlot* slot_ = nullptr;
  uint64_t slot_offset_ = 0;
  uint64_t next_lsn_ = 0;
  std::vector<uint32_t> successors_;
  std::vector<Piece> pieces_;
};

}  // namespace sealog::test
