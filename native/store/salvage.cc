#include "store/salvage.h"

#include <cstring>
#include <unordered_map>

#include "base/crc32c.h"
#include "store/salvager.h"

namespace sealog {

Failure ParseSalvagePlan(const void* data, size_t bytes, SalvagePlan* out) {
  SalvagePlanHeader& h = out->header;
  if (bytes < sizeof h) return Refusal(Status::kInvalid, "the plan is too short");
  memcpy(&h, data, sizeof h);
  if (h.version != kSalvagePlanVersion) return Refusal(Status::kInvalid, "the plan has another version");
  if (h.segment_bytes_log2 > 21 || (1u << h.segment_bytes_log2) < kSegmentBytesMin || h.has_slot > 1 ||
      h.meta_segments > h.segment_count || h.segment_count > kRegionBytesMax >> h.segment_bytes_log2)
    return Refusal(Status::kInvalid, "the plan's numbers make no sense");
  if (bytes - sizeof h != uint64_t{h.segment_count} * 2 * sizeof(SalvageHalf)) {
    return Refusal(Status::kInvalid, "the plan has another length than its segment count asks for");
  }
  if (h.has_slot != 0 && h.hot.segment != kSegmentNone &&
      (h.hot.segment >= h.segment_count || h.hot.offset > 1u << h.segment_bytes_log2))
    return Refusal(Status::kInvalid, "the plan's log position is outside of the region");
  out->halves.resize(size_t{h.segment_count} * 2);
  memcpy(out->halves.data(), static_cast<const uint8_t*>(data) + sizeof h, out->halves.size() * sizeof(SalvageHalf));
  return {};
}

Failure SalvageStore(const Region& source, const SalvagePlan& plan, Store* out, int64_t* progress,
                     SalvageReport* report) {
  Salvager salvager(source, plan, out, progress, report);
  return salvager.Run();
}

bool GuessStore(const Region& source, SalvageGuess* out) {
  SalvagePlan plan{};
  SalvageSource reader(source, plan);
  std::unordered_map<uint64_t, uint32_t> votes;
  for (uint64_t at = kSegmentBytesMin; at + sizeof(LogSegmentHeader) <= source.bytes(); at += kSegmentBytesMin) {
    LogSegmentHeader header;
    if (!reader.Copy(at, sizeof header, &header) || header.magic != kLogSegmentMagic || header.segment == 0) continue;
    const uint64_t size = at / header.segment;
    if (size * header.segment != at || size < kSegmentBytesMin || size > kSegmentBytesMax || (size & (size - 1)) != 0)
      continue;
    const uint32_t seed = Crc32cStart(header.crc, reinterpret_cast<const uint8_t*>(&header) + 4, sizeof header - 4);
    const uint32_t count = ++votes[size << 32 | seed];
    if (count > out->headers) *out = {static_cast<uint32_t>(size), seed, count};
  }
  return out->headers >= 2;
}

}  // namespace sealog
