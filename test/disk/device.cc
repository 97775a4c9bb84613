#include "device.h"

#include <algorithm>
#include <cstring>

#include "recording.h"

namespace sealog::test {
namespace {

// The checkpointer's events have odd owners.
bool Hits(Forgotten forgotten, const Event& e) {
  const bool checkpoint = e.owner % 2 != 0;
  if (e.site == kWriteDurable) return forgotten == (checkpoint ? Forgotten::kCheckpointDsync : Forgotten::kWriterDsync);
  if (e.site == kSyncDone) return forgotten == (checkpoint ? Forgotten::kCheckpointSync : Forgotten::kWriterSync);
  return false;
}

}  // namespace

Device::Device(std::vector<uint8_t> durable, Domain domain)
    : domain_(domain), durable_(std::move(durable)), cache_(durable_) {
  for (uint64_t line = 0; line < durable_.size() / 64; ++line) hash_ += HashLine(line, durable_.data() + line * 64);
}

void Device::Extend(uint64_t bytes) {
  for (uint64_t line = durable_.size() / 64; line < bytes / 64; ++line) hash_ += HashLine(line, Line{}.data());
  durable_.resize(bytes);
  cache_.resize(bytes);
}

void Device::Orphan() {
  for (auto& [sector, versions] : pending_) {
    for (Version& v : versions) v.owner = kOrphan;
  }
}

void Device::Write(const Event& event) {
  ++writes_;
  memcpy(cache_.data() + event.offset, event.content.data(), event.content.size());
  const uint64_t end = event.offset + event.content.size();
  for (uint64_t sector = event.offset / kSectorBytes; sector * kSectorBytes < end; ++sector) {
    Version version{{}, event.owner, writes_};
    memcpy(version.content.data(), cache_.data() + sector * kSectorBytes, kSectorBytes);
    auto it = pending_.find(sector);
    if (it == pending_.end()) {
      if (memcmp(durable_.data() + sector * kSectorBytes, version.content.data(), kSectorBytes) == 0) continue;
      pending_[sector].push_back(version);
    } else {
      it->second.push_back(version);
    }
  }
}

// Makes the newest covered version durable. Moves on.
template <class Covered>
void Device::Settle(std::map<uint64_t, std::vector<Version>>::iterator* it, Covered&& covered) {
  auto& [sector, versions] = **it;
  size_t keep = versions.size();
  while (keep > 0 && !covered(versions[keep - 1])) --keep;
  if (keep > 0) {
    uint8_t* at = durable_.data() + sector * kSectorBytes;
    const uint8_t* now = versions[keep - 1].content.data();
    for (uint64_t i = 0; i < kSectorBytes; i += 64) {
      const uint64_t line = (sector * kSectorBytes + i) / 64;
      hash_ += HashLine(line, now + i) - HashLine(line, at + i);
    }
    memcpy(at, now, kSectorBytes);
    versions.erase(versions.begin(), versions.begin() + static_cast<std::ptrdiff_t>(keep));
  }
  *it = versions.empty() ? pending_.erase(*it) : std::next(*it);
}

void Device::Apply(const Event& event, Forgotten forgotten) {
  // The file keeps its length here: nothing grows.
  const bool says_nothing =
      event.kind == EventKind::kMark || event.kind == EventKind::kLength || event.kind == EventKind::kSync;
  if (says_nothing || Hits(forgotten, event)) return;
  if (event.kind == EventKind::kDrain) {
    if (event.site == kSyncBegin) begun_[event.owner] = writes_;
    if (event.site != kSyncDone) return;
    const uint64_t begun = begun_[event.owner];
    // A sync is for all that was written before it, by anybody. In the disk domain a thread must not rely on another's.
    auto covered = [&](const Version& v) {
      return v.write <= begun && (domain_ == Domain::kOs || v.owner == event.owner || v.owner == kOrphan);
    };
    for (auto it = pending_.begin(); it != pending_.end();) Settle(&it, covered);
  } else if (event.site == kWriteDurable) {
    // These bytes are durable, and with them the rest of their sectors; not the rest of their pages.
    const uint64_t end = event.offset + event.content.size();
    auto it = pending_.lower_bound(event.offset / kSectorBytes);
    auto covered = [&](const Version& v) { return v.owner == event.owner; };
    while (it != pending_.end() && it->first * kSectorBytes < end) Settle(&it, covered);
  } else {
    Write(event);
  }
}

std::vector<Device::Choice> Device::Choices(bool torn) const {
  const uint64_t unit = torn ? 1 : kPageBytes / kSectorBytes;
  std::vector<Choice> out;
  for (const auto& [sector, versions] : pending_) {
    if (out.empty() || sector >= out.back().first_sector + unit) out.push_back({sector / unit * unit, unit, {0}});
    for (const Version& v : versions) out.back().times.push_back(v.write);
  }
  for (Choice& c : out) {
    std::sort(c.times.begin(), c.times.end());
    c.times.erase(std::unique(c.times.begin(), c.times.end()), c.times.end());
  }
  return out;
}

size_t Device::ImageCount(const std::vector<Choice>& choices, size_t cap, bool* all) {
  size_t product = 1;
  for (const Choice& c : choices) {
    product *= c.times.size();
    if (product > cap) break;
  }
  *all = product <= cap;
  return *all ? product : std::min(cap, 2 + 2 * choices.size() + 64);
}

void Device::AddLines(uint64_t sector, const Sector& content, Image* image) const {
  const uint8_t* at = durable_.data() + sector * kSectorBytes;
  for (uint64_t i = 0; i < kSectorBytes; i += 64) {
    if (memcmp(at + i, content.data() + i, 64) == 0) continue;
    const uint64_t line = (sector * kSectorBytes + i) / 64;
    image->hash += HashLine(line, content.data() + i) - HashLine(line, at + i);
    Line copy;
    memcpy(copy.data(), content.data() + i, 64);
    image->lines.emplace_back(line, copy);
  }
}

Image Device::MakeImage(const std::vector<Choice>& choices, bool all, size_t k, Random* random) const {
  Image image;
  image.hash = hash_;
  Random& r = *random;
  const size_t n = choices.size();
  const uint64_t style = r() % 5;
  const size_t one = n == 0 ? 0 : r() % n;
  const uint64_t density = 1 + r() % 15;
  size_t rest = k;
  for (size_t i = 0; i < n; ++i) {
    const size_t count = choices[i].times.size();
    size_t chosen = 0;
    if (all) {
      chosen = rest % count;
      rest /= count;
    } else if (k < 2) {
      chosen = k == 0 ? 0 : count - 1;
    } else if (style == 0) {
      chosen = i == one ? 1 + r() % (count - 1) : 0;
    } else if (style == 1) {
      chosen = i == one ? r() % (count - 1) : count - 1;
    } else if (style == 2) {
      chosen = i <= one ? count - 1 : 0;
    } else {
      chosen = r() % 16 < density ? 1 + r() % (count - 1) : 0;
    }
    if (chosen == 0) continue;
    const uint64_t time = choices[i].times[chosen];
    const uint64_t end = choices[i].first_sector + choices[i].sectors;
    for (auto it = pending_.lower_bound(choices[i].first_sector); it != pending_.end() && it->first < end; ++it) {
      const Version* last = nullptr;
      for (const Version& v : it->second) {
        if (v.write <= time) last = &v;
      }
      if (last != nullptr) AddLines(it->first, last->content, &image);
    }
  }
  return image;
}

Image Device::CacheImage() const {
  Image image;
  image.hash = hash_;
  for (const auto& [sector, versions] : pending_) AddLines(sector, versions.back().content, &image);
  return image;
}

}  // namespace sealog::test
