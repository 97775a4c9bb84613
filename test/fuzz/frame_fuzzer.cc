// A hostile log, in memory: verified, looked past, applied.
#include <cstring>
#include <memory>

#include "edit.h"
#include "exercise.h"
#include "log/log_reader.h"

namespace sealog::fuzz {

const uint32_t kEditKinds = 1u << static_cast<uint8_t>(EditKind::kRaw) | 1u << static_cast<uint8_t>(EditKind::kFrame) |
                            1u << static_cast<uint8_t>(EditKind::kSuccessor) |
                            1u << static_cast<uint8_t>(EditKind::kMakeFrame);

namespace {

enum Mode : uint8_t {
  kFromStart = 1,  // of a log segment, and not where the checkpoint says
};

// In the heap, so that a read beyond it is seen.
uint8_t* Copy(const Image& image) {
  static auto* copies = new std::vector<std::unique_ptr<uint8_t[]>>(Images().size());
  std::unique_ptr<uint8_t[]>& copy = (*copies)[static_cast<size_t>(&image - Images().data())];
  if (copy == nullptr) {
    copy = std::make_unique<uint8_t[]>(image.bytes.size());
    memcpy(copy.get(), image.bytes.data(), image.bytes.size());
  }
  return copy.get();
}

uint64_t Ends(Bytes bytes) { return bytes.size == 0 ? 0 : bytes.data[0] + bytes.data[bytes.size - 1]; }

void Run(const Input& input) {
  const Image& image = input.image();
  const PlanHeader& h = image.plan.header;
  if (image.log_segments.empty()) return;
  uint8_t* bytes = Copy(image);
  Editor editor(image, bytes, nullptr);
  editor.Apply(input.edits);

  Space space(bytes, h.segment_bytes_log2, h.segment_count, h.uuid);
  LogPosition from = h.hot;
  uint64_t next_lsn = h.lsn + 1;
  const bool from_start = (input.header.mode & kFromStart) != 0;
  if (from_start) {
    const LogSegment& segment = image.log_segments[input.header.operations % image.log_segments.size()];
    from = {segment.segment, kLogFirstFrame, 1, segment.seed, 0};
    memcpy(&next_lsn, bytes + space.SegmentOffset(from.segment) + from.offset + offsetof(RecordHeader, lsn), 8);
  }
  for (uint32_t i = 0; i < h.segment_count; ++i) {
    Segment segment;
    const PlanSegment& planned = image.plan.segments[i];
    segment.type = static_cast<SegmentType>(planned.type);
    const bool log = segment.type == SegmentType::kLog;
    if (i != from.segment && (from_start || i != h.cold.segment) && log && (planned.live == 0 || from_start))
      segment.type = SegmentType::kFree;
    space.Restore(i, segment);
  }
  LogReader reader(&space, from, from_start ? LogPosition{kSegmentNone, 0, 0, 0, 0} : h.cold, next_lsn);
  if (reader.Verify() == Status::kOk) {
    const LogReader::End& end = reader.end();
    Promise(end.position.offset <= image.segment_bytes() - kLineBytes, "the log ends inside its segment");
    const LogReader::Later later = reader.LookPast();
    Promise(!later.found || later.offset < image.segment_bytes(), "what is behind the end is in a segment");
    volatile uint64_t sum = 0;
    uint64_t records = 0;
    const Status status = reader.Apply([&](const Record& record, uint64_t offset) {
      Promise(offset + record.bytes <= image.bytes.size(), "a record is inside the file");
      sum = sum + Ends(record.key) + Ends(record.value);
      ++records;
      return Status::kOk;
    });
    Promise(status == Status::kOk, "what was verified can be applied");
    Promise(records + end.pending <= end.records, "no record is applied twice");
  }
  editor.Undo();
}

}  // namespace
}  // namespace sealog::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  sealog::fuzz::Run(sealog::fuzz::Input::Parse(data, size));
  return 0;
}
