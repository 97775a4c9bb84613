// A test with a store of its own.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "region/create.h"
#include "support/recovery_twin.h"
#include "support/scratch.h"

namespace sealog::test {

class StoreTest : public ::testing::Test {
 protected:
  void Create(uint64_t capacity_bytes, uint32_t segment_bytes = 64 << 10) {
    CreateOptions options;
    options.segment_bytes = segment_bytes;
    options.capacity_bytes = capacity_bytes;
    ASSERT_TRUE(CreateStore(path_, options).ok());
    Open();
  }
  void Open() {
    OpenResult result = OpenStore(path_);
    ASSERT_TRUE(result.failure.ok()) << result.failure.detail;
    store_ = std::move(result.store);
  }
  // As a killed process leaves it: what was not checkpointed is replayed.
  void Reopen() {
    store_.reset();
    Open();
  }

  Scratch scratch_;
  std::string path_ = scratch_.File("store.sealog");
  std::unique_ptr<Store> store_;
};

}  // namespace sealog::test
