// One crash image: recovered, held against the history, used, reopened, held against it again.
#pragma once

#include <string>

#include "media.h"
#include "workload.h"

namespace sealog::test {

// What recovery may read of an image, looked up without the product: structure checks, and garbage for the rest.
class Anatomy {
 public:
  explicit Anatomy(uint8_t* image, uint64_t bytes);
  // Empty: what the checkpoint and the log's tail promise about bitmaps, headers and announcements holds.
  std::string Check() const;
  // Free segments, units that are not in use, the bitmaps that are not current.
  void FillGarbage(Random* random);

 private:
  const SegmentHalf* Half(uint32_t segment) const;
  void WalkLog();

  uint8_t* image_;
  uint64_t bytes_;
  uint32_t segment_bytes_ = 0, count_ = 0, seed_ = 0;
  const CheckpointSlot* slot_ = nullptr;
  std::vector<bool> in_log_;  // segments that the tail has come through
  std::string log_wrong_;
  bool whole_ = false;  // a superblock is, and the file is as long as the newer one says
};

// A store file that images are written to, of up to `bytes_max` bytes.
class Bench {
 public:
  Bench(std::string path, uint64_t bytes_max);
  ~Bench();
  Bench(const Bench&) = delete;
  Bench& operator=(const Bench&) = delete;

  const std::string& path() const { return path_; }
  uint8_t* bytes() { return bytes_; }
  uint64_t size() const { return size_; }  // of the image
  void Write(const uint8_t* content, uint64_t bytes);
  void Write(const std::vector<uint8_t>& durable, const Image& image);

 private:
  std::string path_;
  int file_;
  uint8_t* bytes_;
  uint64_t bytes_max_;
  uint64_t size_;
};

class NodePeer;

struct Bounds {
  const History* history;
  const Model* at_acked;
  size_t acked, issued;
};

// Recovers what is in the bench, and reads all of it. Empty: fine, and `*state` is the number of commits found.
std::string Recover(Bench* bench, const Shape& shape, const Bounds& bounds, bool read_only,
                    std::unique_ptr<Store>* store, size_t* state);
Model StateOf(const Bounds& bounds, size_t state);
// The whole check of the image in the bench. One in `use_in` is used further: operations, ends, reopens. Most
// of the others are opened read-only.
std::string CheckImage(Bench* bench, const Shape& shape, const Bounds& bounds, NodePeer* peer, Random* random,
                       uint32_t use_in = 3);

}  // namespace sealog::test
