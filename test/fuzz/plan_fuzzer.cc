// A hostile plan, as TypeScript might hand it over, for a file that is as it should be.
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
  Editor editor(image, nullptr, &edited);
  editor.Apply(input.edits);
  std::vector<uint8_t> buffer(sizeof edited.header + edited.segments.size() * sizeof(PlanSegment));
  memcpy(buffer.data(), &edited.header, sizeof edited.header);
  memcpy(buffer.data() + sizeof edited.header, edited.segments.data(), buffer.size() - sizeof edited.header);
  if ((input.header.mode & kShort) != 0) buffer.resize(input.header.operations % (2 * buffer.size()));
  // Exactly as long as it is, so that a read behind it is seen.
  auto exact = std::make_unique<uint8_t[]>(buffer.size());
  if (!buffer.empty()) memcpy(exact.get(), buffer.data(), buffer.size());
  Plan plan;
  if (!ParsePlan(exact.get(), buffer.size(), image.bytes.size(), &plan).ok()) return;

  ImageFile& file = FileOf(image);
  SeedRandom(input.header.seed);
  const bool writable = (input.header.mode & kWritable) != 0;
  RegionOptions options;
  options.read_only = !writable;
  std::unique_ptr<Region> region;
  Promise(Region::Open(file.path(), options, &region).ok(), "the image opens");
  Store store(std::move(region), BestFlush(false));
  if (store.Start(std::move(plan)).ok()) {
    const Store::ReplayResult replay = store.Replay();
    if (replay.failure.ok() && !replay.later.found && store.Serve({true, false}).ok()) {
      ReadWhole(store, image);
      Random random(input.header.seed);
      if (writable) WriteSome(store, image, random, 8);
      static_cast<void>(store.Close());
    }
  }
  store.Release();
  if (writable) file.Restore();
}

}  // namespace
}  // namespace sealog::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  sealog::fuzz::Run(sealog::fuzz::Input::Parse(data, size));
  return 0;
}
