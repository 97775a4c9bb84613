// A hostile store file, or a hostile plan for it, through the whole of the core: opened, replayed, read, written to,
// closed, opened again.
#include "edit.h"
#include "exercise.h"
#include "support/recovery_twin.h"

namespace sealog::fuzz {

const uint32_t kEditKinds = (1u << static_cast<uint8_t>(EditKind::kCount)) - 1;

namespace {

enum Mode : uint8_t {
  kWritable = 1,
  kClose = 2,  // otherwise dropped, as if killed
  kReopen = 4,
  kOftenCheckpoint = 8,
  kReopenReadOnly = 16,
};

// `*started`: from here on the file may have been written to, also by the replay of one that is read-only.
// `edits` are those of the plan.
std::unique_ptr<Store> Open(const std::string& path, bool read_only, uint64_t checkpoint_bytes,
                            const std::vector<Edit>& edits, bool* started) {
  std::unique_ptr<Region> region;
  RegionOptions options;
  options.read_only = read_only;
  if (!Region::Open(path, options, &region).ok()) return nullptr;
  const test::MetaPlan meta =
      test::MetaTwin(region->base(), region->bytes(), region->bytes()).Plan(read_only, checkpoint_bytes);
  Plan plan;
  if (meta.status != Status::kOk || !ParsePlan(meta.bytes.data(), meta.bytes.size(), region->bytes(), &plan).ok())
    return nullptr;
  if (!edits.empty()) {
    Editor::ApplyToPlan(edits, &plan);
    const std::vector<uint8_t> edited = EncodePlan(plan);
    if (!ParsePlan(edited.data(), edited.size(), region->bytes(), &plan).ok()) return nullptr;
  }
  const bool was_clean = (plan.header.slot_flags & kSlotClean) != 0;
  auto store = std::make_unique<Store>(std::move(region), BestFlush(false));
  if (!store->Start(std::move(plan)).ok()) return nullptr;
  *started = true;
  const Store::ReplayResult replay = store->Replay();
  if (!replay.failure.ok() || replay.later.found) return nullptr;
  if (!store->Serve({!(was_clean && replay.end.frames == 0), false}).ok()) return nullptr;
  return store;
}

void Run(const Input& input) {
  const Image& image = input.image();
  ImageFile& file = FileOf(image);
  SeedRandom(input.header.seed);
  Editor editor(image, file.bytes(), nullptr);
  editor.Apply(input.edits);
  const uint8_t mode = input.header.mode;
  const bool writable = (mode & kWritable) != 0;
  const uint64_t checkpoint_bytes = (mode & kOftenCheckpoint) != 0 ? 4096 : 1 << 20;
  bool started = false;
  if (std::unique_ptr<Store> store = Open(file.path(), !writable, checkpoint_bytes, input.edits, &started)) {
    ReadWhole(*store, image);
    if (writable) {
      Random random(input.header.seed);
      WriteSome(*store, image, random, input.header.operations % 32);
      ReadWhole(*store, image);
    }
    if ((mode & kClose) != 0) static_cast<void>(store->Close());
    store.reset();
    if (writable && (mode & kReopen) != 0) {
      store = Open(file.path(), (mode & kReopenReadOnly) != 0, checkpoint_bytes, {}, &started);
      if (store) ReadWhole(*store, image);
    }
  }
  if (started) {
    file.Restore();
  } else {
    editor.Undo();
  }
}

}  // namespace
}  // namespace sealog::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  sealog::fuzz::Run(sealog::fuzz::Input::Parse(data, size));
  return 0;
}
