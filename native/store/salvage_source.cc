#include "store/salvage_source.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <unordered_map>

#include "base/crc32c.h"
#include "index/inner.h"
#include "index/leaf.h"
#include "index/node_pool.h"

namespace sealog {
namespace {

constexpr uint64_t kPageBytes = 4096;
// Bytes that may be summed for a segment, as a multiple of it: what looks like records may overlap, and hostile bytes
// could make every line claim all that is behind it.
constexpr uint64_t kSummedFactor = 64;

bool IsBatch(uint8_t kind) { return kind == kFrameBatch; }

// How many bytes a checksum of what is here would read; 0: it cannot be a frame or record.
uint64_t ClaimedBytes(const uint8_t* at, uint64_t room) {
  if (room < sizeof(BatchHeader)) return 0;
  BatchHeader header;
  memcpy(&header, at, sizeof header);
  if (header.kind == kFrameLink) return kLineBytes;
  if (IsBatch(header.kind)) return sizeof header + uint64_t{header.body_bytes} <= room ? header.body_bytes : 0;
  Record record;
  return ParseRecord(at, room, &record) ? record.bytes : 0;
}

}  // namespace

uint32_t Crc32cStart(uint32_t crc, const uint8_t* bytes, size_t size) {
  // The table by its highest byte, which no two entries share.
  static const auto* table = [] {
    static uint32_t entries[2][256];
    for (uint32_t i = 0; i < 256; ++i) {
      uint32_t c = i;
      for (int bit = 0; bit < 8; ++bit) c = (c >> 1) ^ ((c & 1) != 0 ? 0x82f63b78u : 0);
      entries[0][c >> 24] = i;
      entries[1][c >> 24] = c;
    }
    return entries;
  }();
  while (size != 0) {
    const uint32_t top = crc >> 24;
    crc = ((crc ^ table[1][top]) << 8) | (table[0][top] ^ bytes[--size]);
  }
  return crc;
}

SalvageSource::SalvageSource(const Region& region, const SalvagePlan& plan)
    : region_(region), plan_(plan), segments_(plan.header.segment_count) {}

bool SalvageSource::Copy(uint64_t offset, size_t bytes, void* out) {
  auto* to = static_cast<uint8_t*>(out);
  const uint8_t* base = region_.base();
  if (region_.ContainsRange(offset, bytes) && Guarded(region_.scope(), [&] { memcpy(to, base + offset, bytes); }))
    return true;
  for (uint64_t at = offset, end = offset + bytes; at < end;) {
    const uint64_t page = at & ~(kPageBytes - 1);
    const size_t step = std::min(end, page + kPageBytes) - at;
    memset(to, 0, step);
    if (at < region_.bytes()) {
      const size_t there = std::min<uint64_t>(step, region_.bytes() - at);
      if (!Guarded(region_.scope(), [&] { memcpy(to, base + at, there); })) {
        memset(to, 0, step);
        bad_pages_.insert(page);
      }
    }
    to += step;
    at += step;
  }
  return false;
}

bool SalvageSource::AddSeed(uint32_t segment, uint32_t seed, uint64_t sequence) {
  if (segment < plan_.header.meta_segments || segment >= segment_count()) return false;
  Segment& s = segments_[segment];
  for (uint8_t i = 0; i < s.seed_count; ++i) {
    if (s.seeds[i].seed == seed) return false;
  }
  if (s.seed_count == kSeedsMax) return false;
  s.seeds[s.seed_count++] = {seed, sequence};
  return true;
}

void SalvageSource::ReadHeaders() {
  const SalvagePlanHeader& h = plan_.header;
  std::vector<uint32_t> known;  // segments whose successor lines may now be read
  const auto add = [&](uint32_t segment, uint32_t seed, uint64_t sequence) {
    if (AddSeed(segment, seed, sequence)) known.push_back(segment);
  };
  for (const LogPosition* cursor : {&h.hot, &h.cold}) {
    if (h.has_slot != 0) add(cursor->segment, cursor->seed, cursor->log_sequence);
  }
  for (uint32_t i = h.meta_segments; i < h.segment_count; ++i) {
    const SalvageHalf* half = &plan_.halves[size_t{i} * 2];
    uint64_t newest = 0;
    // The other half is of an earlier use, unless the first does not hold.
    const SalvageHalf& current = half[0].valid != 0 ? half[0] : half[1];
    if (current.valid != 0 && current.type == static_cast<uint8_t>(SegmentType::kLog)) {
      add(i, current.check, current.sequence);
      newest = current.sequence;
    }
    LogSegmentHeader header;
    if (Copy(uint64_t{i} << h.segment_bytes_log2, sizeof header, &header) && header.magic == kLogSegmentMagic &&
        header.segment == i && header.log_sequence >= newest &&
        header.crc == Crc32c(h.store_seed, reinterpret_cast<const uint8_t*>(&header) + 4, sizeof header - 4)) {
      add(i, header.seed, header.log_sequence);
    }
  }
  while (!known.empty()) {
    const uint32_t segment = known.back();
    known.pop_back();
    LogSuccessor next;
    if (!Copy((uint64_t{segment} << h.segment_bytes_log2) + kLineBytes, sizeof next, &next)) continue;
    const Segment& s = segments_[segment];
    for (uint8_t i = 0; i < s.seed_count; ++i) {
      if (next.crc == Crc32c(s.seeds[i].seed, reinterpret_cast<const uint8_t*>(&next) + 4, sizeof next - 4) &&
          next.log_sequence > s.seeds[i].sequence) {
        add(next.segment, next.seed, next.log_sequence);
      }
    }
  }
}

bool SalvageSource::IsDead(uint32_t segment) const {
  const SalvagePlanHeader& h = plan_.header;
  const SalvageHalf& half = plan_.halves[size_t{segment} * 2];
  if (h.has_slot == 0 || half.trusted == 0 || segment == h.hot.segment) return false;
  if (half.type == static_cast<uint8_t>(SegmentType::kLog) && half.live != 0) return false;
  const Segment& s = segments_[segment];
  for (uint8_t i = 0; i < s.seed_count; ++i) {
    if (s.seeds[i].sequence >= HeadSequence()) return false;
  }
  return true;
}

uint64_t SalvageSource::HeadSequence() const {
  const SalvagePlanHeader& h = plan_.header;
  const bool has_cold = h.cold.segment != kSegmentNone;
  return has_cold ? std::min(h.hot.log_sequence, h.cold.log_sequence) : h.hot.log_sequence;
}

bool SalvageSource::UsedSince(uint32_t segment, uint64_t sequence) const {
  const Segment& s = segments_[segment];
  for (uint8_t i = 0; i < s.seed_count; ++i) {
    if (s.seeds[i].sequence >= sequence) return true;
  }
  return s.seed_count == 0 && !IsDead(segment);
}

bool SalvageSource::ReadNode(uint64_t ref, uint8_t level, uint8_t* out) {
  const uint64_t unit = NodeRefIndex(ref);
  const uint64_t offset = unit * kLeafBytes;
  const uint64_t in_segment = offset & (segment_bytes() - 1);
  NodeHeader header;
  if (offset >= bytes() || in_segment < kNodeFirstByte || !Copy(offset, sizeof header, &header)) return false;
  if ((level != 0xff && header.level != level) || header.level > kTreeHeightMax) return false;
  const uint32_t size = header.level == 0 ? kLeafBytes : kInnerBytes;
  if (in_segment % size != 0 || !Copy(offset, size, out)) return false;
  auto* node = reinterpret_cast<NodeHeader*>(out);
  // Copied twice, and the file may have changed in between.
  if (node->level != header.level || BirthStamp(node->birth) != NodeRefStamp(ref) ||
      BirthEpoch(node->birth) > plan_.header.epoch)
    return false;
  const uint32_t crc = node->crc;
  SealNode(node, unit, plan_.header.store_seed);
  if (node->crc != crc) return false;
  return node->level == 0 ? CheckLeaf(*reinterpret_cast<const LeafNode*>(out))
                          : CheckInner(*reinterpret_cast<const InnerNode*>(out));
}

Status SalvageSource::ReadRecord(uint64_t offset, OwnRecord* out) {
  out->memory.reset();
  RecordHeader header;
  if (offset >= bytes() || offset % kRecordAlign != 0) return Status::kCorrupt;
  const auto segment = static_cast<uint32_t>(offset >> plan_.header.segment_bytes_log2);
  const uint64_t in_segment = offset & (segment_bytes() - 1);
  const uint64_t room = segment_bytes() - in_segment;
  if (segment < plan_.header.meta_segments || segment >= segment_count() || room < sizeof header) {
    return Status::kCorrupt;
  }
  bool read = Copy(offset, sizeof header, &header);
  const uint64_t size =
      sizeof header + ExtBytes(header.flags) + uint64_t{header.key_bytes} + uint64_t{header.value_bytes};
  if (size > room) return Status::kCorrupt;
  std::unique_ptr<uint8_t[]> memory(new (std::nothrow) uint8_t[size]);
  if (memory == nullptr) return Status::kNoMemory;
  read = Copy(offset, size, memory.get()) && read;
  if (!ParseRecord(memory.get(), size, &out->record)) return Status::kCorrupt;
  out->memory = std::move(memory);
  if (!read) return Status::kCorrupt;
  const auto holds = [&] {
    const Segment& s = segments_[segment];
    for (uint8_t i = 0; i < s.seed_count; ++i) {
      if (out->record.header->crc ==
          RecordCrc(out->memory.get(), out->record.bytes, PlaceSeed(s.seeds[i].seed, in_segment)))
        return true;
    }
    return false;
  };
  if (holds()) return Status::kOk;
  if (segments_[segment].derived) return Status::kCorrupt;
  DeriveSeeds(segment);
  return holds() ? Status::kOk : Status::kCorrupt;
}

const uint8_t* SalvageSource::LoadSegment(uint32_t segment) {
  if (buffer_ == nullptr) buffer_.reset(new (std::nothrow) uint8_t[segment_bytes()]);
  if (buffer_ == nullptr) return nullptr;
  if (buffered_ != segment) {
    static_cast<void>(Copy(uint64_t{segment} << plan_.header.segment_bytes_log2, segment_bytes(), buffer_.get()));
    buffered_ = segment;
  }
  return buffer_.get();
}

// Table entry and header of a segment may both be lost. Each record in it tells what its checksum started with if the
// record holds, and some number if not: what many agree on is the seed. Two that were damaged alike agree as well, so
// two are enough only where there is nothing better.
void SalvageSource::DeriveSeeds(uint32_t segment) {
  segments_[segment].derived = true;
  const uint8_t* base = LoadSegment(segment);
  if (base == nullptr) return;
  std::unordered_map<uint32_t, uint32_t> votes;
  uint64_t summed = 0;
  for (uint32_t at = kLogFirstFrame; at + sizeof(BatchHeader) <= segment_bytes(); at += kRecordAlign) {
    RecordHeader header;
    memcpy(&header, base + at, sizeof header);
    uint64_t size = kLineBytes;
    if (header.lsn == 0) continue;
    if (header.kind != kFrameLink) {
      Record record;
      if (!ParseRecord(base + at, segment_bytes() - at, &record)) continue;
      size = record.bytes;
    } else if (at % kLineBytes != 0) {
      continue;
    }
    summed += size;
    if (summed > kSummedFactor * segment_bytes()) return;
    const uint32_t seed = PlaceSeed(Crc32cStart(header.crc, base + at + 4, size - 4), at);
    ++votes[seed];
  }
  const Segment& s = segments_[segment];
  bool better = false;
  for (uint8_t i = 0; i < s.seed_count; ++i) better = better || votes.count(s.seeds[i].seed) != 0;
  uint32_t pairs = 0, pair = 0;
  for (const auto& [seed, count] : votes) {
    if (count >= 3) {
      better = true;
      AddSeed(segment, seed, UINT64_MAX);
    } else if (count == 2) {
      ++pairs;
      pair = seed;
    }
  }
  if (!better && pairs == 1) AddSeed(segment, pair, UINT64_MAX);
}

bool SalvageSource::ScanWith(uint32_t segment, const uint8_t* base, const std::function<void(const Met&)>& on,
                             uint64_t* met) {
  const Segment& s = segments_[segment];
  const uint64_t begin = uint64_t{segment} << plan_.header.segment_bytes_log2;
  uint64_t summed = 0;
  uint64_t newest[kSeedsMax] = {};
  uint32_t at = kLogFirstFrame;
  const auto deliver = [&](const uint8_t* from, uint64_t offset, uint32_t count, uint64_t room, uint8_t kind,
                           uint8_t flags, uint64_t lsn, bool whole) {
    for (; count != 0; --count) {
      Record record;
      if (!ParseRecord(from, room, &record)) return;
      Met m;
      m.record = &record;
      m.offset = offset;
      m.kind = kind;
      m.flags = flags;
      m.lsn = lsn;
      m.whole = whole;
      on(m);
      const uint64_t step = std::min<uint64_t>(record.FootprintBytes(), room);
      from += step;
      offset += step;
      room -= step;
    }
  };
  while (at + sizeof(BatchHeader) <= segment_bytes()) {
    const uint64_t room = segment_bytes() - at;
    const uint64_t claimed = ClaimedBytes(base + at, room);
    if (claimed == 0) {
      at += kRecordAlign;
      continue;
    }
    bool found = false;
    for (uint8_t i = 0; i < s.seed_count && !found; ++i) {
      summed += claimed;
      if (summed > kSummedFactor * segment_bytes()) return false;
      Frame frame;
      Record record;
      if (at % kLineBytes == 0 && CheckFrame(base + at, room, s.seeds[i].seed, at, &frame)) {
        found = true;
        ++*met;
        if (frame.lsn >= newest[i]) {
          newest[i] = frame.lsn;
          Met m;
          m.offset = begin + at;
          m.bytes = frame.bytes;
          m.window = frame.window;
          m.kind = frame.kind;
          m.flags = frame.flags;
          m.lsn = frame.lsn;
          if (frame.kind == kFrameLink) m.link = reinterpret_cast<const LinkFrame*>(base + at);
          on(m);
          const uint32_t head = IsBatch(frame.kind) ? sizeof(BatchHeader) : 0;
          deliver(base + at + head, begin + at + head, frame.record_count, room - head, frame.kind, frame.flags,
                  frame.lsn, true);
        }
        at += frame.bytes;
      } else if (ParseRecord(base + at, room, &record) && (record.flags & kRecordInBatch) != 0 &&
                 record.header->crc == RecordCrc(base + at, record.bytes, PlaceSeed(s.seeds[i].seed, at))) {
        found = true;
        ++*met;
        if (record.lsn >= newest[i] || (record.flags & kRecordMoved) != 0)
          deliver(base + at, begin + at, 1, room, kFrameBatch, 0, record.lsn, false);
        at += record.FootprintBytes();
      }
    }
    if (!found) at += kRecordAlign;
  }
  return true;
}

bool SalvageSource::Scan(uint32_t segment, const std::function<void(const Met&)>& on) {
  const uint8_t* base = LoadSegment(segment);
  if (base == nullptr) return false;
  Segment& s = segments_[segment];
  uint64_t met = 0;
  if (s.seed_count != 0 && !ScanWith(segment, base, on, &met)) return false;
  if (met != 0 || s.derived || IsDead(segment)) return true;
  const uint8_t before = s.seed_count;
  DeriveSeeds(segment);
  return s.seed_count == before || ScanWith(segment, base, on, &met);
}

}  // namespace sealog
