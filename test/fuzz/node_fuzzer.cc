// A hostile index, in memory: found in, walked both ways, counted, changed, frozen.
#include <cstring>
#include <memory>

#include "edit.h"
#include "exercise.h"
#include "index/cursor.h"

namespace sealog::fuzz {

const uint32_t kEditKinds =
    1u << static_cast<uint8_t>(EditKind::kBitmap) | 1u << static_cast<uint8_t>(EditKind::kLeaf) |
    1u << static_cast<uint8_t>(EditKind::kInner) | 1u << static_cast<uint8_t>(EditKind::kFrame) |
    1u << static_cast<uint8_t>(EditKind::kChild) | 1u << static_cast<uint8_t>(EditKind::kRoot) |
    1u << static_cast<uint8_t>(EditKind::kRecordRef) | 1u << static_cast<uint8_t>(EditKind::kCopyNode) |
    1u << static_cast<uint8_t>(EditKind::kSwap) | 1u << static_cast<uint8_t>(EditKind::kPlanSegment);

namespace {

// An index over a copy of the image, restored and driven as the store does it.
class Index {
 public:
  Index(const Image& image, uint8_t* bytes, const Plan& plan)
      : image_(image),
        space_(bytes, plan.header.segment_bytes_log2, plan.header.segment_count, plan.header.uuid),
        pool_(&space_, 1),
        tree_(&pool_, &space_) {
    for (uint32_t i = 0; i < plan.header.segment_count; ++i) {
      const PlanSegment& from = plan.segments[i];
      Segment s;
      s.type = static_cast<SegmentType>(from.type);
      s.flags = from.flags;
      s.live = from.live;
      s.check = from.check;
      if (s.live == 0 && s.type != SegmentType::kMeta && i != plan.header.hot.segment) s.type = SegmentType::kFree;
      space_.Restore(i, s);
    }
    for (uint32_t i = 0; i < plan.header.segment_count; ++i) {
      const SegmentType type = space_.segment(i).type;
      if (type == SegmentType::kLeaf || type == SegmentType::kInner) pool_.Restore(i);
    }
    pool_.pins().Add(plan.header.epoch);
    pinned_ = plan.header.epoch;
    pool_.set_epoch(std::max(plan.header.epoch, plan.header.epoch_floor) + 1);
    tree_.set_root({plan.header.roots[kTreeUser].ref, plan.header.roots[kTreeUser].count});
  }

  void Read() {
    Walk(false);
    Walk(true);
    const size_t step = image_.keys.size() / 4 + 1;
    for (size_t i = 0; i < image_.keys.size(); i += step) {
      const Bytes key{reinterpret_cast<const uint8_t*>(image_.keys[i].data()), image_.keys[i].size()};
      static_cast<void>(Find(pool_, space_, tree_.root(), key));
      KeyRange range;
      range.low = key;
      range.high_inclusive = range.has_high = i % 2 == 0;
      range.high = key;
      uint64_t count = 0, damaged = 0;
      static_cast<void>(CountRange(pool_, space_, tree_.root(), range, &count, &damaged));
    }
  }

  // Puts frames that are in the log already, or takes keys out.
  void Write(Random& random, uint32_t operations) {
    for (; operations != 0; --operations) {
      if (random() % 16 == 0) Freeze();
      if (image_.frames.empty()) return;
      const LogFrame& frame = image_.frames[random() % image_.frames.size()];
      const uint64_t offset = frame.offset + (frame.kind == kFrameBatch ? sizeof(BatchHeader) : 0);
      Record record;
      if (!RecordAt(space_, offset, &record)) continue;
      Place place;
      if (tree_.Locate(record.key, &place) != Status::kOk) continue;
      if (!pool_.Ensure(tree_.LeavesFor(1, 1), tree_.InnersFor(1, 1), Reserve::kIndex)) continue;
      if (random() % 3 != 0) {
        tree_.Set(&place, record.key, offset);
      } else if (place.found) {
        tree_.Erase(&place);
      }
    }
  }

  // The segments that were written to are again as the image has them.
  void Restore() {
    Note();
    for (uint32_t segment : written_) {
      const uint64_t offset = space_.SegmentOffset(segment);
      memcpy(space_.At<uint8_t>(offset), image_.bytes.data() + offset, space_.segment_bytes());
    }
  }

 private:
  void Note() {
    for (uint32_t segment : space_.TakeDirty()) written_.push_back(segment);
  }

  void Walk(bool reverse) {
    Cursor cursor(&pool_, &space_, tree_.root());
    uint64_t seen = 0;
    for (cursor.Seek({}, reverse); cursor.valid(); cursor.Advance())
      Promise(++seen <= image_.bytes.size() / kRecordAlign, "a walk ends");
  }

  // A checkpoint, but for what it writes.
  void Freeze() {
    NodePool::Frozen frozen;
    pool_.Freeze(&frozen);
    Note();
    for (uint64_t tagged : frozen.nodes) {
      const uint64_t offset = tagged & ~uint64_t{1};
      SealNode(space_.At<NodeHeader>(offset), offset / kLeafBytes, space_.store_seed());
    }
    for (const NodePool::FrozenBitmap& bitmap : frozen.bitmaps)
      memcpy(space_.At<uint8_t>(space_.SegmentOffset(bitmap.segment) + kBitmapOffset[bitmap.flags & kHalfBitmapB]),
             bitmap.bits, kBitmapBytes);
    const uint64_t epoch = pool_.epoch();
    pool_.pins().Add(epoch);
    pool_.set_epoch(epoch + 1);
    pool_.pins().Remove(pinned_);
    pinned_ = epoch;
  }

  const Image& image_;
  Space space_;
  NodePool pool_;
  Tree tree_;
  uint64_t pinned_;
  std::vector<uint32_t> written_;
};

void Run(const Input& input) {
  const Image& image = input.image();
  static std::unique_ptr<uint8_t[]> copies[16];
  std::unique_ptr<uint8_t[]>& copy = copies[static_cast<size_t>(&image - Images().data())];
  // In the heap, so that an access beyond it is seen.
  if (copy == nullptr) {
    copy = std::make_unique<uint8_t[]>(image.bytes.size());
    memcpy(copy.get(), image.bytes.data(), image.bytes.size());
  }
  Plan edited = image.plan;
  Editor editor(image, copy.get(), &edited);
  editor.Apply(input.edits);
  const std::vector<uint8_t> buffer = EncodePlan(edited);
  Plan plan;
  if (!ParsePlan(buffer.data(), buffer.size(), image.bytes.size(), &plan).ok()) return editor.Undo();

  Index index(image, copy.get(), plan);
  Random random(input.header.seed);
  if ((input.header.mode & 1) != 0) index.Read();
  index.Write(random, input.header.operations % 32);
  index.Read();
  index.Restore();
  editor.Undo();
}

}  // namespace
}  // namespace sealog::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  sealog::fuzz::Run(sealog::fuzz::Input::Parse(data, size));
  return 0;
}
