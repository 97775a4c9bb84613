// What the media may hold at a point of a trace: what is durable for sure, and for each line that is not drained the
// contents that it may have instead.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <vector>

#include "trace.h"

namespace sealog::test {

using Line = std::array<uint8_t, 64>;

// A fault put into the product: the flush of one site is forgotten, or its drain, or that drain comes before the last
// write that it was for.
struct Mutant {
  bool active = false;
  Site site = Site::kFrame;
  bool drain = false;
  bool early = false;
  bool Hits(const Event& e) const {
    return active && e.kind <= EventKind::kDrain && e.site == site && drain == (e.kind == EventKind::kDrain);
  }
};

uint64_t Mix(uint64_t a, uint64_t b);
uint64_t HashLine(uint64_t line, const uint8_t* content);
uint64_t HashLines(const std::vector<uint8_t>& image);

class Media {
 public:
  // `hash`: of the base, see HashLines.
  Media(std::vector<uint8_t> base, uint64_t hash) : durable_(std::move(base)), lengths_{durable_.size()}, hash_(hash) {}

  void Apply(const Event& event, const Mutant& mutant);

  const std::vector<uint8_t>& durable() const { return durable_; }
  uint64_t hash() const { return hash_; }

  // A line with its possible contents: the durable one first, the newest last.
  struct Choice {
    uint64_t line;
    std::vector<Line> contents;
  };
  struct Choices {
    std::vector<Choice> lines;
    std::vector<uint64_t> lengths;  // of the file, likewise
  };
  Choices Undrained() const;

 private:
  struct Version {
    Line content;
    int owner;  // -1: nobody will ever drain it
    uint64_t write;
  };
  void Settle(uint64_t line, const Line& content);
  void SetLength(const Event& event);

  std::vector<uint8_t> durable_;   // as long as the file may be
  std::vector<uint64_t> lengths_;  // of the file: the durable one, and those that it was given since
  std::map<uint64_t, std::vector<Version>> pending_;
  std::map<int, uint64_t> last_write_;  // of each owner
  uint64_t writes_ = 0;
  uint64_t hash_;
};

// One image at a point: content for each choice. Image `k` of a point is the same whenever it is made with the same
// seed.
struct Image {
  std::vector<std::pair<uint64_t, Line>> lines;
  uint64_t hash = 0;
  uint64_t length = 0;  // of the file; 0: as long as what is durable
};
// How many images there are to make of these choices, at most `cap`.
size_t ImageCount(const Media::Choices& choices, size_t cap, bool words, bool* all);
Image MakeImage(const Media& media, const Media::Choices& choices, bool all, bool words, size_t k, Random* random);

}  // namespace sealog::test
