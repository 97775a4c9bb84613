// A hostile plan, as TypeScript might hand it over, for a file that is as it should be: parsed, and the store started
// with it. What a store does that was started with such a plan, store_fuzzer looks at.
#include <cstring>
#include <memory>

#include "edit.h"
#include "exercise.h"

namespace sealog::fuzz {

const uint32_t kEditKinds =
    1u << static_cast<uint8_t>(EditKind::kPlanHeader) | 1u << static_cast<uint8_t>(EditKind::kPlanSegment);

namespace {

enum Mode : uint8_t {
  kWritable = 1,
  kShort = 2,  // another length than the plan says
};

void Run(const Input& input) {
  const Image& image = input.image();
  Plan edited = image.plan;
  Editor::ApplyToPlan(input.edits, &edited);
  std::vector<uint8_t> buffer = EncodePlan(edited);
  if ((input.header.mode & kShort) != 0) buffer.resize(input.header.operations % (2 * buffer.size()));
  // Exactly as long as it is, so that a read behind it is seen.
  auto exact = std::make_unique<uint8_t[]>(buffer.size());
  if (!buffer.empty()) memcpy(exact.get(), buffer.data(), buffer.size());
  Plan plan;
  if (!ParsePlan(exact.get(), buffer.size(), image.bytes.size(), &plan).ok()) return;

  RegionOptions options;
  options.read_only = (input.header.mode & kWritable) == 0;
  std::unique_ptr<Region> region;
  Promise(Region::Open(FileOf(image).path(), options, &region).ok(), "the image opens");
  Store store(std::move(region), BestFlush(false));
  if (!store.Start(std::move(plan)).ok()) return;
  StoreStats stats;
  store.Stats(&stats);
}

}  // namespace
}  // namespace sealog::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  sealog::fuzz::Run(sealog::fuzz::Input::Parse(data, size));
  return 0;
}
