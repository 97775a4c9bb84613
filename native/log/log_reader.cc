#include "log/log_reader.h"

#include <cstring>

namespace sealog {
namespace {

bool CheckBatch(const uint8_t* at, uint64_t room, uint32_t seed, uint64_t offset, Frame* out) {
  BatchHeader header;
  memcpy(&header, at, sizeof header);
  if (header.body_bytes > room - sizeof header || (header.flags & ~kBatchMore) != 0 || header.record_count == 0)
    return false;
  uint32_t crc = Crc32c(PlaceSeed(seed, offset), at + 4, sizeof header - 4);
  const uint8_t* record_at = at + sizeof header;
  uint64_t left = header.body_bytes;
  for (uint32_t i = 0; i < header.record_count; ++i) {
    Record record;
    if (!ParseRecord(record_at, left, &record) || (record.flags & kRecordInBatch) == 0) return false;
    const uint32_t place = PlaceSeed(seed, offset + static_cast<uint64_t>(record_at - at));
    if (record.kind == kRecordChunk || record.header->crc != RecordCrc(record_at, record.bytes, place)) return false;
    crc = Crc32c(crc, record_at, sizeof(uint32_t));
    uint64_t step = record.FootprintBytes();
    if (step > left) return false;
    record_at += step;
    left -= step;
  }
  if (left != 0 || crc != header.crc) return false;
  out->record_count = header.record_count;
  out->bytes = static_cast<uint32_t>(RoundUp(sizeof header + header.body_bytes, kLineBytes));
  return true;
}

}  // namespace

bool CheckFrame(const uint8_t* at, uint64_t room, uint32_t seed, uint64_t offset, Frame* out) {
  if (room < kLineBytes) return false;
  RecordHeader header;
  memcpy(&header, at, sizeof header);
  out->kind = header.kind;
  out->flags = header.flags;
  out->window = header.window;
  out->lsn = header.lsn;
  out->record_count = 0;
  if (header.window == 0 || header.lsn == 0 || header.lsn < header.window) return false;
  if (header.kind == kFrameLink) {
    out->bytes = kLineBytes;
    return header.crc == Crc32c(PlaceSeed(seed, offset), at + 4, kLineBytes - 4);
  }
  if (header.kind == kFrameBatch) {
    if (!CheckBatch(at, room, seed, offset, out)) return false;
  } else {
    Record record;
    if (!ParseRecord(at, room, &record) || (record.flags & kRecordInBatch) != 0) return false;
    if (header.crc != RecordCrc(at, record.bytes, PlaceSeed(seed, offset))) return false;
    out->record_count = 1;
    out->bytes = static_cast<uint32_t>(RoundUp(record.bytes, kLineBytes));
  }
  return out->bytes <= room;
}

bool LogReader::FrameAt(const LogPosition& at, uint64_t lsn, Frame* frame) const {
  if (at.segment == kSegmentNone || at.offset > space_->segment_bytes() - sizeof(RecordHeader)) return false;
  const auto* place = space_->At<const uint8_t>(space_->SegmentOffset(at.segment) + at.offset);
  RecordHeader header;
  memcpy(&header, place, sizeof header);
  return header.lsn == lsn && CheckFrame(place, space_->segment_bytes() - at.offset, at.seed, at.offset, frame) &&
         frame->lsn == lsn;
}

void LogReader::Extend(const LogPosition& at, uint32_t bytes) {
  uint64_t offset = space_->SegmentOffset(at.segment) + at.offset;
  if (!extents_.empty() && extents_.back().offset + extents_.back().bytes == offset) {
    extents_.back().bytes += bytes;
  } else {
    extents_.push_back({offset, bytes});
  }
}

// Where the LINK at `at` leads its head, or the cold one. False: nowhere that a writer of ours would.
bool LogReader::Follow(LogPosition* at, const Frame& frame) {
  const LinkFrame link = *LinkAt(*at);
  const bool same = link.segment == at->segment;
  const bool cold = (link.flags & kLinkCold) != 0;
  // Forward only, so that no file makes this loop: further in the same segment, or to one that is next in sequence.
  const bool sane =
      link.next_lsn > frame.lsn && link.offset % kLineBytes == 0 && link.offset >= kLogFirstFrame &&
      link.offset <= space_->segment_bytes() - kLineBytes && link.segment < space_->count() &&
      (same ? !cold && link.offset > at->offset && link.log_sequence == at->log_sequence && link.seed == at->seed
            : link.log_sequence > at->log_sequence);
  if (!sane || (cold && at != &end_.position)) return false;
  if (!same && !space_->Adopt(link.segment, SegmentType::kLog)) return false;
  const LogPosition to{link.segment, link.offset, link.log_sequence, link.seed, 0};
  if (cold) {
    rolls_.push_back({{kSegmentNone, 0, 0, 0, 0}, to});
    at->offset += frame.bytes;
    end_.cold = to;
  } else {
    if (!same) rolls_.push_back({*at, to});
    *at = to;
  }
  Segment& s = space_->segment(link.segment);
  s.check = link.seed;
  s.sequence = link.log_sequence;
  end_.next_lsn = link.next_lsn;
  return true;
}

Status LogReader::Verify() {
  uint64_t unfinished = 0;
  for (Frame frame;;) {
    Head head = Head::kHot;
    LogPosition* at = &end_.position;
    if (!FrameAt(*at, end_.next_lsn, &frame)) {
      head = Head::kCold;
      at = &end_.cold;
      if (!FrameAt(*at, end_.next_lsn, &frame)) break;
    }
    const uint64_t here = space_->SegmentOffset(at->segment) + at->offset;
    // The writer always leaves a line for the LINK at a segment's end; a frame that does not is none of ours.
    const bool fits =
        frame.kind == kFrameLink || uint64_t{at->offset} + frame.bytes + kLineBytes <= space_->segment_bytes();
    Extend(*at, frame.bytes);
    if (!fits || (frame.kind == kFrameLink && !Follow(at, frame))) {
      damaged_offset_ = here;
      return Status::kCorrupt;
    }
    if (frame.kind == kFrameLink) {
      if ((frame.flags & kLinkSession) != 0) unfinished = 0;
    } else {
      at->offset += frame.bytes;
      ++end_.next_lsn;
      unfinished = frame.kind == kFrameBatch && (frame.flags & kBatchMore) != 0 ? unfinished + frame.record_count : 0;
    }
    if (runs_.empty() || runs_.back().head != head) runs_.push_back({head, 0});
    ++runs_.back().frames;
    ++end_.frames;
    end_.records += frame.record_count;
    end_.bytes += frame.bytes;
  }
  end_.pending = unfinished;
  return Status::kOk;
}

bool LogReader::FindLater(uint32_t segment, uint32_t from, uint32_t seed, Later* later) const {
  const auto* base = space_->At<const uint8_t>(space_->SegmentOffset(segment));
  for (uint32_t offset = from; offset + kLineBytes <= space_->segment_bytes(); offset += kLineBytes) {
    RecordHeader header;
    memcpy(&header, base + offset, sizeof header);
    if (header.kind == 0 || header.lsn < end_.next_lsn || header.window == 0 ||
        header.lsn - header.window < end_.next_lsn)
      continue;
    Frame frame;
    if (!CheckFrame(base + offset, space_->segment_bytes() - offset, seed, offset, &frame)) continue;
    *later = {true, segment, offset, frame.window, frame.lsn};
    return true;
  }
  return false;
}

LogReader::Later LogReader::LookPast() const {
  const Later later = LookPast(end_.position);
  return later.found || end_.cold.segment == kSegmentNone ? later : LookPast(end_.cold);
}

LogReader::Later LogReader::LookPast(LogPosition at) const {
  Later later;
  // From one announced segment to the next, since one commit may reach over several. Sequences ascend, so this ends.
  while (!FindLater(at.segment, at.offset, at.seed, &later)) {
    LogSuccessor next;
    memcpy(&next, space_->At<const uint8_t>(space_->SegmentOffset(at.segment) + kLineBytes), sizeof next);
    if (next.crc != Crc32c(at.seed, reinterpret_cast<const uint8_t*>(&next) + 4, kLineBytes - 4)) break;
    if (next.segment >= space_->count() || next.log_sequence <= at.log_sequence) break;
    if (space_->segment(next.segment).type != SegmentType::kFree) break;
    at = {next.segment, kLogFirstFrame, next.log_sequence, next.seed, 0};
  }
  return later;
}

bool LogReader::Walk::Next(Frame* frame) {
  const std::vector<Run>& runs = reader_.runs_;
  if (run_ == runs.size()) return false;
  LogPosition& from = at_[static_cast<int>(runs[run_].head)];
  if (++in_run_ == runs[run_].frames) {
    ++run_;
    in_run_ = 0;
  }
  const Space& space = *reader_.space_;
  offset_ = space.SegmentOffset(from.segment) + from.offset;
  const auto* at = space.At<const uint8_t>(offset_);
  RecordHeader header;
  memcpy(&header, at, sizeof header);
  frame->kind = header.kind;
  frame->flags = header.flags;
  if (header.kind == kFrameLink) {
    const auto* link = reinterpret_cast<const LinkFrame*>(at);
    const LogPosition to{link->segment, link->offset, link->log_sequence, link->seed, 0};
    if ((link->flags & kLinkCold) == 0) {
      from = to;
    } else {
      from.offset += kLineBytes;
      at_[static_cast<int>(Head::kCold)] = to;
    }
    return true;
  }
  uint64_t bytes = sizeof(BatchHeader) + uint64_t{reinterpret_cast<const BatchHeader*>(at)->body_bytes};
  if (header.kind != kFrameBatch) {
    Record record;
    if (!ParseRecord(at, space.segment_bytes() - from.offset, &record)) return false;
    bytes = record.bytes;
  }
  from.offset += static_cast<uint32_t>(RoundUp(bytes, kLineBytes));
  return true;
}

}  // namespace sealog
