// The reading end of the log, at recovery: verify from the checkpoint's positions to the first LSN that neither head
// has, look whether anything behind it proves damage, then hand out the records. Two passes, because every segment that
// the log took after the checkpoint must be known before the index may take any.
#pragma once

#include <cstdint>
#include <vector>

#include "base/status.h"
#include "format/log_format.h"
#include "log/log_writer.h"
#include "log/record.h"
#include "region/space.h"

namespace sealog {

// A frame whose checksum holds.
struct Frame {
  uint8_t kind = 0;
  uint8_t flags = 0;
  uint32_t bytes = 0;  // to the next frame: a multiple of 64
  uint32_t window = 0;
  uint32_t record_count = 0;
  uint64_t lsn = 0;
};

// Checks the frame at `at`, of which `room` bytes may be touched, against the seed of its segment and its offset there.
// False: no valid frame.
bool CheckFrame(const uint8_t* at, uint64_t room, uint32_t seed, uint64_t offset, Frame* out);

class LogReader {
 public:
  struct End {
    LogPosition position;  // of the hot head: where the next frame would be
    LogPosition cold{kSegmentNone, 0, 0, 0, 0};
    uint64_t next_lsn = 0;
    uint64_t frames = 0;
    uint64_t records = 0;
    uint64_t bytes = 0;
    uint64_t pending = 0;  // records of an unfinished transaction at the end, not applied
  };
  struct Later {
    bool found = false;
    uint32_t segment = 0;
    uint32_t offset = 0;
    uint32_t window = 0;
    uint64_t lsn = 0;
  };
  struct Extent {
    uint64_t offset;
    uint64_t bytes;
  };
  // Where a head went on in another segment; `from` names none where the cold one began.
  struct Roll {
    LogPosition from;
    LogPosition to;
  };

  LogReader(Space* space, const LogPosition& hot, const LogPosition& cold, uint64_t next_lsn)
      : space_(space), from_{hot, cold} {
    end_.position = hot;
    end_.cold = cold;
    end_.next_lsn = next_lsn;
  }

  // First pass. Takes the segments that the log leads to out of the free ones. kCorrupt: a valid LINK leads to a
  // segment that holds something else; damaged_offset() names it.
  Status Verify();
  const End& end() const { return end_; }
  uint64_t damaged_offset() const { return damaged_offset_; }
  // What was verified, in order.
  const std::vector<Extent>& extents() const { return extents_; }
  const std::vector<Roll>& rolls() const { return rolls_; }

  // A valid frame behind the end that counts a missing one as durable: the end is damage, not the torn tail of a crash.
  Later LookPast() const;

  // Second pass: calls on_record(const Record&, offset) -> Status for each record of each finished transaction, in
  // order, until one does not answer kOk. REQUIRES: Verify answered kOk.
  template <class OnRecord>
  Status Apply(OnRecord&& on_record) {
    Walk walk(*this);
    std::vector<uint64_t> unfinished;  // frames of a transaction that goes on
    for (Frame frame; walk.Next(&frame);) {
      bool is_batch = frame.kind == kFrameBatch;
      if (frame.kind == kFrameLink) {
        if ((frame.flags & kLinkSession) != 0) unfinished.clear();
        continue;
      }
      if (is_batch && (frame.flags & kBatchMore) != 0) {
        unfinished.push_back(walk.offset());
        continue;
      }
      for (uint64_t offset : unfinished) {
        if (Status s = ApplyFrame(offset, on_record); s != Status::kOk) return s;
      }
      unfinished.clear();
      if (Status s = ApplyFrame(walk.offset(), on_record); s != Status::kOk) return s;
    }
    return Status::kOk;
  }

 private:
  // Steps through the verified frames again, by their headers.
  class Walk {
   public:
    explicit Walk(const LogReader& reader) : reader_(reader), at_{reader.from_[0], reader.from_[1]} {}
    bool Next(Frame* frame);
    uint64_t offset() const { return offset_; }

   private:
    const LogReader& reader_;
    LogPosition at_[2];
    size_t run_ = 0;
    uint64_t in_run_ = 0;
    uint64_t offset_ = 0;
  };

  template <class OnRecord>
  Status ApplyFrame(uint64_t offset, OnRecord&& on_record) {
    const auto* at = space_->At<const uint8_t>(offset);
    uint64_t room = space_->segment_bytes() - (offset & (space_->segment_bytes() - 1));
    uint32_t count = 1;
    if (reinterpret_cast<const RecordHeader*>(at)->kind == kFrameBatch) {
      count = reinterpret_cast<const BatchHeader*>(at)->record_count;
      at += sizeof(BatchHeader);
      offset += sizeof(BatchHeader);
      room -= sizeof(BatchHeader);
    }
    for (; count != 0; --count) {
      Record record;
      if (!ParseRecord(at, room, &record)) return Status::kCorrupt;
      if (Status s = on_record(record, offset); s != Status::kOk) return s;
      uint64_t step = record.FootprintBytes();
      if (step > room) step = room;
      at += step;
      offset += step;
      room -= step;
    }
    return Status::kOk;
  }

  const LinkFrame* LinkAt(const LogPosition& at) const {
    return space_->At<const LinkFrame>(space_->SegmentOffset(at.segment) + at.offset);
  }
  bool FrameAt(const LogPosition& at, uint64_t lsn, Frame* frame) const;
  bool Follow(LogPosition* at, const Frame& frame);
  Later LookPast(LogPosition at) const;
  void Extend(const LogPosition& at, uint32_t bytes);
  bool FindLater(uint32_t segment, uint32_t from, uint32_t seed, Later* later) const;

  Space* space_;
  // So many frames of one head, then of the other: what the second pass goes by, since what lies at the other one's
  // position may be anything.
  struct Run {
    Head head;
    uint64_t frames;
  };
  LogPosition from_[2];  // hot, cold
  std::vector<Run> runs_;
  End end_;
  uint64_t damaged_offset_ = 0;
  std::vector<Extent> extents_;
  std::vector<Roll> rolls_;
};

}  // namespace sealog
