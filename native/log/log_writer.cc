#include "log/log_writer.h"

#include <algorithm>
#include <cstring>
#include <new>

namespace sealog {
namespace {

template <class Frame>
void SealLine(Frame* line, uint32_t seed) {
  line->crc = Crc32c(seed, reinterpret_cast<const uint8_t*>(line) + 4, kLineBytes - 4);
}

}  // namespace

LogWriter::LogWriter(Space* space, Persister* persister, uint64_t seed_state)
    : space_(space), persister_(persister), seed_state_(seed_state) {
  // Four pieces of a large value, with the greatest key, fill a segment with little left over.
  uint32_t quarter = frame_bytes_max() / 4 / kLineBytes * kLineBytes;
  uint32_t head = RecordBytes(kTreeSystem, kRecordExpires, kKeyBytesMax, 0);
  uint32_t in_batch = static_cast<uint32_t>(sizeof(BatchHeader)) + head;
  inline_value_bytes_max_ = quarter > 2 * head ? quarter - head : frame_bytes_max() - in_batch;
  scratch_.reset(new (std::nothrow) uint8_t[space->segment_bytes()]);
}

uint32_t LogWriter::NewSeed() {
  uint64_t z = (seed_state_ += 0x9e3779b97f4a7c15ull);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
  return static_cast<uint32_t>(z >> 32);
}

void LogWriter::Resume(const LogPosition& position, uint64_t next_lsn, uint64_t next_log_sequence, uint64_t lsn_jump) {
  At(Head::kHot).position = position;
  next_lsn_ = next_lsn;
  stable_lsn_ = next_lsn - 1;
  next_log_sequence_ = std::max(next_log_sequence, position.log_sequence + 1);
  lsn_jump_ = lsn_jump;
  session_pending_ = true;
}

bool LogWriter::Begin(uint64_t next_lsn, uint64_t next_log_sequence) {
  next_lsn_ = next_lsn;
  stable_lsn_ = next_lsn - 1;
  next_log_sequence_ = next_log_sequence;
  End& hot = At(Head::kHot);
  Next first;
  if (!TakeSegment(Reserve::kIndex, &first)) return false;
  hot.position = {first.segment, kLogFirstFrame, first.log_sequence, first.seed, 0};
  PrepareSuccessor(&hot, Reserve::kPut);
  return true;
}

// A free segment, with its header written.
bool LogWriter::TakeSegment(Reserve who, Next* next) {
  uint32_t segment = space_->Allocate(SegmentType::kLog, who);
  if (segment == kSegmentNone) return false;
  *next = {segment, NewSeed(), next_log_sequence_++};
  Segment& s = space_->segment(segment);
  s.check = next->seed;
  s.sequence = next->log_sequence;
  WriteHeader(*next);
  return true;
}

// Takes a free segment for the time when the current one is full, and announces it in the current one. Durable with the
// next drain, which is before any frame in the current segment that is written later is acknowledged.
bool LogWriter::PrepareSuccessor(End* end, Reserve who) {
  Next next;
  if (!TakeSegment(who, &next)) return false;
  // Known only when both are written: a SIGBUS may end either.
  Announce(end->position, next);
  end->successor = next;
  return true;
}

Status LogWriter::BeginCold(Reserve who) {
  End& hot = At(Head::kHot);
  const uint64_t line = kLineBytes;
  if (Status status = Ensure(Head::kHot, &line, 1, who); status != Status::kOk) return status;
  Next first;
  if (!TakeSegment(who, &first) || (!Fits(hot, kLineBytes) && !Roll(&hot))) return Status::kFull;
  WriteLink(&hot, kLinkCold, Site::kLink, next_lsn_ + 1, first, kLogFirstFrame);
  return Status::kOk;
}

void LogWriter::Announce(const LogPosition& in, const Next& next) {
  LogSuccessor line{};
  line.segment = next.segment;
  line.log_sequence = next.log_sequence;
  line.seed = next.seed;
  SealLine(&line, in.seed);
  persister_->Copy(space_->base() + space_->SegmentOffset(in.segment) + kLineBytes, &line, kLineBytes,
                   Site::kSuccessor);
}

void LogWriter::Reannounce(const LogPosition& from, const LogPosition& to) {
  const Next next{to.segment, to.seed, to.log_sequence};
  WriteHeader(next);
  if (from.segment != kSegmentNone) Announce(from, next);
}

void LogWriter::WriteHeader(const Next& next) {
  LogSegmentHeader header{};
  header.magic = kLogSegmentMagic;
  header.segment = next.segment;
  header.seed = next.seed;
  header.log_sequence = next.log_sequence;
  SealLine(&header, space_->store_seed());
  persister_->Copy(space_->base() + space_->SegmentOffset(next.segment), &header, kLineBytes, Site::kSegmentHeader);
}

// A line at the current position that leads to `offset` of `to`: this head, or with kLinkCold the cold one.
void LogWriter::WriteLink(End* end, uint8_t flags, Site site, uint64_t next_lsn, const Next& to, uint32_t offset) {
  LogPosition& at = end->position;
  LinkFrame link{};
  link.kind = kFrameLink;
  link.flags = flags;
  link.segment = to.segment;
  link.window = static_cast<uint32_t>(next_lsn_ - stable_lsn_);
  link.lsn = next_lsn_;
  link.next_lsn = next_lsn;
  link.log_sequence = to.log_sequence;
  link.offset = offset;
  link.seed = to.seed;
  SealLine(&link, PlaceSeed(at.seed, at.offset));
  persister_->Copy(space_->base() + space_->SegmentOffset(at.segment) + at.offset, &link, kLineBytes, site);
  ++frames_appended_;
  end->bytes += kLineBytes;
  next_lsn_ = next_lsn;
  const LogPosition there{to.segment, offset, to.log_sequence, to.seed, 0};
  if ((flags & kLinkCold) != 0) {
    at.offset += kLineBytes;
    At(Head::kCold).position = there;
    return;
  }
  if (to.segment != at.segment) filled_.push_back(at.segment);
  at = there;
}

// To the successor. False, with nothing written, if there is none. The hot head prepares the one after it if there is
// room; if not, the next Ensure says so. The cold one does not hold a segment before it needs it.
bool LogWriter::Roll(End* end) {
  if (end->successor.segment == kSegmentNone && !PrepareSuccessor(end, Reserve::kIndex)) return false;
  const Next next = end->successor;
  end->successor = {};
  WriteLink(end, 0, Site::kLink, next_lsn_ + 1, next, kLogFirstFrame);
  if (end == &At(Head::kHot)) PrepareSuccessor(end, Reserve::kIndex);
  return true;
}

void LogWriter::SkipSession() {
  if (!session_pending_) return;
  next_lsn_ += lsn_jump_;
  stable_lsn_ = next_lsn_ - 1;
  lsn_jump_ = 0;
}

// What lies where the LINK goes may be a frame torn in words that its line, torn as well, would complete: they have the
// LSN in common. So first the word that holds the checksum alone, for good; then no frame that was here can become
// valid.
void LogWriter::ClearNextFrame() {
  const LogPosition& at = At(Head::kHot).position;
  uint8_t* to = space_->base() + space_->SegmentOffset(at.segment) + at.offset;
  uint8_t line[kLineBytes] = {};
  memcpy(line, to, sizeof line);
  memset(line, 0, sizeof(uint64_t));
  persister_->Copy(to, line, sizeof line, Site::kSession);
}

void LogWriter::LinkSession(uint64_t next_lsn) {
  End& hot = At(Head::kHot);
  const LogPosition& at = hot.position;
  if (at.offset + 2 * kLineBytes <= space_->segment_bytes()) {
    const Next current{at.segment, at.seed, at.log_sequence};
    WriteLink(&hot, kLinkSession, Site::kSession, next_lsn, current, at.offset + kLineBytes);
  } else {
    const Next next = hot.successor;
    hot.successor = {};
    WriteLink(&hot, kLinkSession, Site::kSession, next_lsn, next, kLogFirstFrame);
  }
}

Status LogWriter::SessionBegun(Reserve who) {
  End& hot = At(Head::kHot);
  SetStable(next_lsn_ - 1);
  session_pending_ = false;
  if (hot.successor.segment == kSegmentNone && !PrepareSuccessor(&hot, who)) return Status::kFull;
  return Status::kOk;
}

Status LogWriter::Ensure(Head head, const uint64_t* frame_bytes, size_t count, Reserve who) {
  End& end = At(head);
  if (count == 1 && Fits(end, *frame_bytes)) [[likely]]
    return Status::kOk;
  // Exactly the segments that appending them will fill: what a frame does not find room for is wasted.
  uint64_t offset = end.position.offset;
  uint32_t rolls = 0;
  for (size_t i = 0; i < count; ++i) {
    if (offset + frame_bytes[i] + kLineBytes > space_->segment_bytes()) {
      ++rolls;
      offset = kLogFirstFrame;
    }
    offset += frame_bytes[i];
  }
  if (rolls == 0) return Status::kOk;
  if (end.successor.segment == kSegmentNone && !PrepareSuccessor(&end, who)) return Status::kFull;
  // The successor is the first; each roll of the hot head prepares one more. A remove does without the last of them:
  // what it leaves behind holds removes only, and comes back.
  const uint32_t more = who == Reserve::kPut ? rolls : rolls - 1;
  return more == 0 || space_->CanAllocate(who, more) ? Status::kOk : Status::kFull;
}

uint32_t LogWriter::EncodeRecord(const LogPosition& position, const Change& change, uint8_t extra_flags,
                                 uint32_t window, uint8_t* to) const {
  RecordHeader header{};
  header.kind = change.kind;
  header.flags = static_cast<uint8_t>(change.flags | extra_flags | (change.tree != kTreeUser ? kRecordTree : 0));
  header.key_bytes = static_cast<uint16_t>(change.key.size);
  header.value_bytes = static_cast<uint32_t>(change.value.size);
  header.window = window;
  header.lsn = (change.flags & kRecordMoved) != 0 ? change.version : next_lsn_;
  uint8_t* at = to;
  memcpy(at, &header, sizeof header);
  at += sizeof header;
  if (change.tree != kTreeUser) {
    uint32_t ext[2] = {change.tree, 0};
    memcpy(at, ext, sizeof ext);
    at += sizeof ext;
  }
  if ((change.flags & kRecordExpires) != 0) {
    memcpy(at, &change.expires, sizeof change.expires);
    at += sizeof change.expires;
  }
  memcpy(at, change.key.data, change.key.size);
  at += change.key.size;
  if (change.value.size != 0) memcpy(at, change.value.data, change.value.size);
  at += change.value.size;
  auto bytes = static_cast<uint32_t>(at - to);
  uint32_t crc = RecordCrc(to, bytes, PlaceSeed(position.seed, position.offset + (to - scratch_.get())));
  memcpy(to, &crc, sizeof crc);
  return bytes;
}

// Copies the frame in scratch to the end of a head, its last line padded with zeros.
uint64_t LogWriter::Emit(End* end, uint64_t bytes) {
  uint64_t padded = RoundUp(bytes, kLineBytes);
  memset(scratch_.get() + bytes, 0, padded - bytes);
  uint64_t offset = space_->SegmentOffset(end->position.segment) + end->position.offset;
  persister_->Copy(space_->base() + offset, scratch_.get(), padded, Site::kFrame);
  end->position.offset += static_cast<uint32_t>(padded);
  end->bytes += padded;
  ++next_lsn_;
  ++frames_appended_;
  return offset;
}

uint64_t LogWriter::Append(const Change& change, Head head) {
  End& end = At(head);
  uint32_t bytes = RecordBytes(change);
  if (!Fits(end, RoundUp(bytes, kLineBytes)) && !Roll(&end)) [[unlikely]]
    return kNoOffset;
  EncodeRecord(end.position, change, 0, static_cast<uint32_t>(next_lsn_ - stable_lsn_), scratch_.get());
  return Emit(&end, bytes);
}

uint64_t LogWriter::BatchBytes(const Change* changes, uint32_t count) {
  uint64_t bytes = sizeof(BatchHeader);
  for (uint32_t i = 0; i < count; ++i) {
    bytes += RoundUp(RecordBytes(changes[i]), kRecordAlign);
  }
  return bytes;
}

bool LogWriter::AppendBatch(const Change* changes, uint32_t count, bool more, uint64_t* offsets, Head head) {
  End& end = At(head);
  uint64_t bytes = BatchBytes(changes, count);
  if (!Fits(end, RoundUp(bytes, kLineBytes)) && !Roll(&end)) return false;
  const LogPosition& position = end.position;
  uint64_t base = space_->SegmentOffset(position.segment) + position.offset;
  BatchHeader header{};
  header.kind = kFrameBatch;
  header.flags = more ? kBatchMore : 0;
  header.body_bytes = static_cast<uint32_t>(bytes - sizeof header);
  header.window = static_cast<uint32_t>(next_lsn_ - stable_lsn_);
  header.lsn = next_lsn_;
  header.record_count = count;
  uint32_t crc = Crc32c(PlaceSeed(position.seed, position.offset), reinterpret_cast<const uint8_t*>(&header) + 4,
                        sizeof header - 4);
  uint8_t* at = scratch_.get() + sizeof header;
  for (uint32_t i = 0; i < count; ++i) {
    offsets[i] = base + static_cast<uint64_t>(at - scratch_.get());
    uint32_t record_bytes = EncodeRecord(position, changes[i], kRecordInBatch, 0, at);
    crc = Crc32c(crc, at, sizeof(uint32_t));
    uint64_t padded = RoundUp(record_bytes, kRecordAlign);
    memset(at + record_bytes, 0, padded - record_bytes);
    at += padded;
  }
  header.crc = crc;
  memcpy(scratch_.get(), &header, sizeof header);
  Emit(&end, bytes);
  return true;
}

}  // namespace sealog
