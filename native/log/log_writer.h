// The writing end of the log. One frame after another into the current segment of a head; when it is full a LINK leads
// to the next one, which the hot head has prepared ahead. Nothing here fences: the store drains when a commit is to be
// durable.
//
// Invariant I-LOG-1: a frame is written behind the last one of its head only, at the next LSN of the log, and no byte
// of it is written twice in one use of its segment, but for the line where a session begins.
// Invariant I-LOG-2: a session's first frame is a LINK over whatever the last session left torn, durable before any
// other.
//
// Not thread-safe: owned by the writer's lock.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "base/status.h"
#include "format/log_format.h"
#include "log/record.h"
#include "persist/persist.h"
#include "region/space.h"

namespace sealog {

inline constexpr uint64_t kNoOffset = UINT64_MAX;

// One change in a batch.
struct Change {
  uint8_t kind = kRecordPut;  // PUT or DEL
  uint8_t flags = 0;          // kRecordExtents, kRecordExpires
  uint32_t tree = kTreeUser;
  Bytes key;
  Bytes value;
  uint64_t expires = 0;  // Unix milliseconds, with kRecordExpires
  uint64_t version = 0;  // with kRecordMoved: the LSN that it keeps
};

enum class Head : uint8_t { kHot, kCold };

class LogWriter {
 public:
  LogWriter(Space* space, Persister* persister, uint64_t seed_state);

  // Goes on at `position`, whose next frame has LSN `next_lsn`. The session's LINK is written before the first frame;
  // it jumps `lsn_jump` LSNs ahead.
  void Resume(const LogPosition& position, uint64_t next_lsn, uint64_t next_log_sequence, uint64_t lsn_jump);
  // The first log segment of a new store. False: no free segment.
  bool Begin(uint64_t next_lsn, uint64_t next_log_sequence);
  // Writes again what should lie at a roll that recovery went over: its LINK may have been kept where the header and
  // the announcement, in flight beside it, were lost. Durable with the next drain.
  void Reannounce(const LogPosition& from, const LogPosition& to);
  // False: there was no memory for the buffer that frames are put together in. Then nothing else may be called.
  bool ready() const { return scratch_ != nullptr; }

  // Bytes of a lone record, and the greatest that may be appended.
  static uint32_t RecordBytes(uint32_t tree, uint8_t flags, size_t key_bytes, size_t value_bytes) {
    const uint32_t ext =
        ExtBytes(static_cast<uint8_t>((flags & kRecordExpires) | (tree != kTreeUser ? kRecordTree : 0)));
    return static_cast<uint32_t>(sizeof(RecordHeader) + ext + key_bytes + value_bytes);
  }
  static uint32_t RecordBytes(const Change& c) { return RecordBytes(c.tree, c.flags, c.key.size, c.value.size); }
  uint32_t frame_bytes_max() const { return space_->segment_bytes() - kLogFirstFrame - kLineBytes; }
  // The greatest value stored in its record; greater ones are cut into pieces of at most this.
  uint32_t inline_value_bytes_max() const { return inline_value_bytes_max_; }

  // Until it has begun, nothing may be appended. kFull: no segment for `who`. kPoisoned: `drain()`, which makes durable
  // what was written so far, has failed.
  bool session_pending() const { return session_pending_; }
  template <class Drain>
  Status BeginSession(Reserve who, Drain&& drain) {
    // What the last session announced may be in use otherwise by now, or hold what was in flight: announce anew.
    if (!PrepareSession(who)) return Status::kFull;
    if (lsn_jump_ != 0) {
      ClearNextFrame();
      if (drain() != Status::kOk) return Status::kPoisoned;
    }
    const uint64_t next_lsn = next_lsn_ + 1 + lsn_jump_;
    LinkSession(next_lsn);
    // A fence of its own (I-LOG-2): with the LINK lost and a later frame kept, the next session would reuse that
    // frame's LSN.
    if (drain() != Status::kOk) return Status::kPoisoned;
    return SessionBegun(who);
  }
  // There will be no session: whoever comes next goes on behind the LSNs that its LINK would have jumped over.
  void SkipSession();

  // Makes sure that frames of these sizes, each a multiple of 64, can be appended in this order. kFull: no segment for
  // `who`.
  Status Ensure(const uint64_t* frame_bytes, size_t count, Reserve who) {
    return Ensure(Head::kHot, frame_bytes, count, who);
  }
  Status Ensure(Head head, const uint64_t* frame_bytes, size_t count, Reserve who);
  // The cold head, in a segment of its own, named by a LINK in the hot one. REQUIRES: the session has begun; there is
  // no cold head yet. kFull: no segment for `who`.
  Status BeginCold(Reserve who);

  // Appends one record as a frame of its own; returns its offset, or kNoOffset with nothing written if there is no room
  // after all. REQUIRES: ensured; it fits frame_bytes_max().
  uint64_t Append(const Change& change, Head head = Head::kHot);
  // Appends the changes as one BATCH frame; `offsets[i]` gets the place of record i. REQUIRES: ensured; BatchBytes()
  // fits.
  bool AppendBatch(const Change* changes, uint32_t count, bool more, uint64_t* offsets, Head head = Head::kHot);
  static uint64_t BatchBytes(const Change* changes, uint32_t count);

  uint64_t last_lsn() const { return next_lsn_ - 1; }
  uint64_t stable_lsn() const { return stable_lsn_; }
  // Everything up to `lsn` is durable.
  void SetStable(uint64_t lsn) { stable_lsn_ = lsn > stable_lsn_ ? lsn : stable_lsn_; }
  // Frames that are not known to be durable. REQUIRES (of the caller): kept below kWindowFramesMax by draining.
  uint64_t window() const { return next_lsn_ - 1 - stable_lsn_; }

  // Where the next frame goes; no segment: there is no such head yet.
  const LogPosition& position(Head head = Head::kHot) const { return At(head).position; }
  // Whether a head writes to the segment, or will.
  bool Uses(uint32_t segment) const {
    return segment == heads_[0].position.segment || segment == heads_[0].successor.segment ||
           segment == heads_[1].position.segment || segment == heads_[1].successor.segment;
  }
  uint64_t next_log_sequence() const { return next_log_sequence_; }
  uint64_t bytes_appended() const { return At(Head::kHot).bytes + At(Head::kCold).bytes; }
  uint64_t bytes_appended(Head head) const { return At(head).bytes; }
  uint64_t frames_appended() const { return frames_appended_; }
  // Segments that were full and left behind since the last call: their pages need no more stores.
  std::vector<uint32_t> TakeFilled() { return std::exchange(filled_, {}); }

 private:
  struct Next {
    uint32_t segment = kSegmentNone;
    uint32_t seed = 0;
    uint64_t log_sequence = 0;
  };

  struct End {  // of a head
    LogPosition position{kSegmentNone, 0, 0, 0, 0};
    Next successor;
    uint64_t bytes = 0;  // appended
  };
  End& At(Head head) { return heads_[static_cast<int>(head)]; }
  const End& At(Head head) const { return heads_[static_cast<int>(head)]; }

  bool Fits(const End& end, uint64_t frame_bytes) const {
    return end.position.offset + frame_bytes + kLineBytes <= space_->segment_bytes();
  }
  bool TakeSegment(Reserve who, Next* next);
  bool PrepareSuccessor(End* end, Reserve who);
  bool PrepareSession(Reserve who) { return PrepareSuccessor(&At(Head::kHot), who); }
  void ClearNextFrame();
  void LinkSession(uint64_t next_lsn);
  Status SessionBegun(Reserve who);
  void WriteHeader(const Next& next);
  void Announce(const LogPosition& in, const Next& next);
  void WriteLink(End* end, uint8_t flags, Site site, uint64_t next_lsn, const Next& to, uint32_t offset);
  bool Roll(End* end);
  uint32_t EncodeRecord(const LogPosition& at, const Change& change, uint8_t extra_flags, uint32_t window,
                        uint8_t* to) const;
  uint64_t Emit(End* end, uint64_t bytes);
  uint32_t NewSeed();

  Space* space_;
  Persister* persister_;
  uint64_t seed_state_;
  uint32_t inline_value_bytes_max_;
  End heads_[2];
  uint64_t next_lsn_ = 1;
  uint64_t stable_lsn_ = 0;
  uint64_t next_log_sequence_ = 1;
  uint64_t lsn_jump_ = 0;
  bool session_pending_ = false;
  uint64_t frames_appended_ = 0;
  std::vector<uint32_t> filled_;
  std::unique_ptr<uint8_t[]> scratch_;  // a frame is put together here; not touched before it is used
};

}  // namespace sealog
