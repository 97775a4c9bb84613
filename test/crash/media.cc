#include "media.h"

#include <algorithm>
#include <cstring>

namespace sealog::test {

uint64_t Mix(uint64_t a, uint64_t b) {
  uint64_t z = (a ^ (b + 0x9e3779b97f4a7c15ull + (a << 6) + (a >> 2))) * 0xbf58476d1ce4e5b9ull;
  z = (z ^ (z >> 29)) * 0x94d049bb133111ebull;
  return z ^ (z >> 32);
}

uint64_t HashLine(uint64_t line, const uint8_t* content) {
  uint64_t h = line;
  for (int i = 0; i < 8; ++i) {
    uint64_t word;
    memcpy(&word, content + i * 8, 8);
    h = Mix(h, word);
  }
  return h;
}

uint64_t HashLines(const std::vector<uint8_t>& image) {
  uint64_t hash = 0;
  for (uint64_t line = 0; line < image.size() / 64; ++line) hash += HashLine(line, image.data() + line * 64);
  return hash;
}

void Media::Settle(uint64_t line, const Line& content) {
  uint8_t* at = durable_.data() + line * 64;
  hash_ -= HashLine(line, at);
  memcpy(at, content.data(), 64);
  hash_ += HashLine(line, at);
}

// Bytes that come with a greater length are zero.
void Media::SetLength(const Event& event) {
  if (event.kind == EventKind::kLength) {
    if (lengths_.back() != event.offset) lengths_.push_back(event.offset);
    if (durable_.size() < event.offset) durable_.resize(event.offset);
    return;
  }
  lengths_ = {event.offset};
  for (uint64_t line = event.offset / 64; line < durable_.size() / 64; ++line) Settle(line, {});
  pending_.erase(pending_.lower_bound(event.offset / 64), pending_.end());
  durable_.resize(event.offset);
}

void Media::Apply(const Event& event, const Mutant& mutant) {
  if (event.kind == EventKind::kMark) return;
  if (event.kind == EventKind::kLength || event.kind == EventKind::kSync) return SetLength(event);
  const bool hit = mutant.Hits(event);
  if (event.kind != EventKind::kDrain) {
    last_write_[event.owner] = ++writes_;
    for (size_t at = 0; at < event.content.size(); at += 64) {
      uint64_t line = (event.offset + at) / 64;
      Version version;
      memcpy(version.content.data(), event.content.data() + at, 64);
      version.owner = hit ? -1 : event.owner;
      version.write = writes_;
      auto it = pending_.find(line);
      if (it == pending_.end()) {
        if (memcmp(durable_.data() + line * 64, version.content.data(), 64) != 0) pending_[line].push_back(version);
      } else if (std::vector<Version>& versions = it->second;
                 versions.back().content == version.content &&
                 (versions.back().owner == version.owner || version.owner == -1)) {
        // As it is.
      } else {
        versions.push_back(version);
      }
    }
    return;
  }
  if (hit && !mutant.early) return;
  const uint64_t uncovered = hit ? last_write_[event.owner] : UINT64_MAX;
  for (auto it = pending_.begin(); it != pending_.end();) {
    std::vector<Version>& versions = it->second;
    size_t keep = versions.size();
    while (keep > 0 && (versions[keep - 1].owner != event.owner || versions[keep - 1].write >= uncovered)) --keep;
    if (keep > 0) {
      Settle(it->first, versions[keep - 1].content);
      versions.erase(versions.begin(), versions.begin() + static_cast<std::ptrdiff_t>(keep));
    }
    it = versions.empty() ? pending_.erase(it) : std::next(it);
  }
}

Media::Choices Media::Undrained() const {
  Choices out;
  for (uint64_t length : lengths_) {
    if (std::find(out.lengths.begin(), out.lengths.end(), length) == out.lengths.end()) out.lengths.push_back(length);
  }
  for (const auto& [line, versions] : pending_) {
    Choice choice{line, {}};
    choice.contents.resize(1);
    memcpy(choice.contents[0].data(), durable_.data() + line * 64, 64);
    for (const Version& v : versions) {
      auto& c = choice.contents;
      // The newest stays last.
      if (auto same = std::find(c.begin() + 1, c.end(), v.content); same != c.end()) c.erase(same);
      if (v.content != c[0]) c.push_back(v.content);
    }
    if (choice.contents.size() > 1) out.lines.push_back(std::move(choice));
  }
  return out;
}

namespace {

// Numbers below n, in bits.
size_t BitsFor(size_t n) {
  size_t bits = 0;
  while ((size_t{1} << bits) < n) ++bits;
  return bits;
}

}  // namespace

size_t ImageCount(const Media::Choices& undrained, size_t cap, bool words, bool* all) {
  const auto& choices = undrained.lines;
  size_t product = undrained.lengths.size();
  for (const auto& c : choices) {
    product *= c.contents.size();
    if (product > cap) break;
  }
  *all = product <= cap && (!words || choices.empty());
  if (*all) return product;
  return std::min(cap, 2 + 2 * choices.size() + 64);
}

Image MakeImage(const Media& media, const Media::Choices& undrained, bool all, bool words, size_t k, Random* random) {
  const auto& choices = undrained.lines;
  Image image;
  Random& r = *random;
  const size_t lengths = undrained.lengths.size();
  size_t rest = k;
  image.length = undrained.lengths[all ? rest % lengths : lengths == 1 ? 0 : r() % lengths];
  if (all) rest /= lengths;
  image.hash = media.hash() + Mix(image.length, 1);
  const size_t n = choices.size();
  uint64_t style = r() % 6;
  const size_t one = n == 0 ? 0 : r() % n;
  const uint64_t density = 1 + r() % 15;
  // All pairs: lines that differ in a bit of their number differ in the image of that bit, either way round, and are
  // alike in the images of none and of all. 2 + 2 log2(n) images, if there is room for as many.
  const size_t bits = BitsFor(n);
  size_t row = bits == 0 ? 0 : r() % (2 * bits);
  if (k >= 2 && k < 2 + 2 * bits) {
    style = 5;
    row = k - 2;
  } else if (bits == 0 && style == 5) {
    style = 4;
  }
  for (size_t i = 0; i < n; ++i) {
    if (choices[i].line * 64 >= image.length) break;
    const auto& c = choices[i].contents;
    size_t chosen = 0;
    if (all) {
      chosen = rest % c.size();
      rest /= c.size();
    } else if (k < 2) {
      chosen = k == 0 ? 0 : c.size() - 1;
    } else if (style == 0) {
      chosen = i == one ? 1 + r() % (c.size() - 1) : 0;
    } else if (style == 1) {
      chosen = i == one ? r() % (c.size() - 1) : c.size() - 1;
    } else if (style == 2) {  // a prefix in place
      chosen = i <= one ? c.size() - 1 : 0;
    } else if (style == 5) {
      chosen = (i >> (row / 2) & 1) != row % 2 ? 1 + r() % (c.size() - 1) : 0;
    } else {
      chosen = r() % 16 < density ? 1 + r() % (c.size() - 1) : 0;
    }
    Line content = c[chosen];
    if (words && chosen != 0 && (i == one || r() % 4 == 0)) {
      uint64_t mask = r();
      for (size_t w = 0; w < 8; ++w) {
        if ((mask >> w & 1) != 0) memcpy(content.data() + w * 8, c[chosen - 1].data() + w * 8, 8);
      }
    }
    if (content == c[0]) continue;
    image.hash += HashLine(choices[i].line, content.data()) - HashLine(choices[i].line, c[0].data());
    image.lines.emplace_back(choices[i].line, content);
  }
  return image;
}

}  // namespace sealog::test
