// What is done with a store that opened: read whole, written to. Answers may be any; promises that hold for every file
// are checked.
#pragma once

#include <cstdint>
#include <random>

#include "image.h"
#include "store/store.h"

namespace sealog::fuzz {

using Random = std::minstd_rand;

// Ends the program with a message: a finding.
void Promise(bool held, const char* what);

// As TypeScript hands it over.
std::vector<uint8_t> EncodePlan(const Plan& plan);

// Ranges both ways, gets, counts.
void ReadWhole(Store& store, const Image& image);
// `operations` puts, removes, batches, commits, checkpoints.
void WriteSome(Store& store, const Image& image, Random& random, uint32_t operations);

// A file with the image's bytes, to be edited in place and opened by its path.
class ImageFile {
 public:
  explicit ImageFile(const Image& image);
  const std::string& path() const { return path_; }
  uint8_t* bytes() const { return bytes_; }
  // As the image is, after somebody wrote to it.
  void Restore();

 private:
  const Image& image_;
  std::string path_;
  uint8_t* bytes_;
};

ImageFile& FileOf(const Image& image);

}  // namespace sealog::fuzz
