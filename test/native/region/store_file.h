// A small store file to test with.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "platform/scratch.h"
#include "region/region.h"

namespace sealog::test {

inline CreateOptions SmallStore() {
  CreateOptions options;
  options.segment_bytes = 64 << 10;
  options.capacity_bytes = 4 << 20;
  return options;
}

inline std::string MakeStore(const std::string& path, const CreateOptions& options = SmallStore()) {
  Failure failure = CreateStore(path, options);
  EXPECT_TRUE(failure.ok()) << static_cast<int>(failure.status) << " " << failure.syscall << " errno "
                            << failure.error_number << " " << failure.detail;
  return path;
}

template <class T>
T ReadAt(const File& file, uint64_t offset) {
  T value = {};
  EXPECT_TRUE(file.Pread(&value, sizeof value, offset).ok());
  return value;
}

inline File OpenFile(const std::string& path, OpenMode mode = OpenMode::kReadWrite) {
  File file;
  EXPECT_TRUE(File::Open(path, mode, &file).ok()) << path;
  return file;
}

}  // namespace sealog::test
