#include "check.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>

#include "log/log_reader.h"
#include "node_peer.h"
#include "support/verify_store.h"

namespace sealog::test {

Anatomy::Anatomy(uint8_t* image, uint64_t bytes) : image_(image), bytes_(bytes) {
  const Superblock* superblock = nullptr;
  for (uint64_t offset : kSuperblockOffset) {
    const auto* s = reinterpret_cast<const Superblock*>(image + offset);
    Superblock without = *s;
    without.crc = 0;
    if (s->magic != kSuperblockMagic || Crc32c(0, &without, sizeof without) != s->crc) continue;
    if (superblock == nullptr || s->sequence > superblock->sequence) superblock = s;
  }
  whole_ = superblock != nullptr && superblock->region_bytes <= bytes;
  if (!whole_) return;
  segment_bytes_ = 1u << superblock->segment_bytes_log2;
  count_ = superblock->segment_count;
  seed_ = StoreSeed(superblock->uuid);
  for (uint64_t offset : kCheckpointSlotOffset) {
    auto* s = reinterpret_cast<const CheckpointSlot*>(image + offset);
    if (s->magic == kSlotMagic && MetaCrc(*s, seed_) == s->crc && (slot_ == nullptr || s->sequence > slot_->sequence))
      slot_ = s;
  }
  in_log_.resize(count_);
  if (slot_ != nullptr && slot_->hot.segment != kSegmentNone) WalkLog();
}

const SegmentHalf* Anatomy::Half(uint32_t segment) const {
  const SegmentHalf* best = nullptr;
  auto* halves =
      reinterpret_cast<const SegmentHalf*>(image_ + kSegmentTableOffset + uint64_t{segment} * kSegmentEntryBytes);
  for (int k = 0; k < 2; ++k) {
    if (MetaCrc(halves[k], seed_ ^ segment) != halves[k].crc || halves[k].epoch > slot_->epoch) continue;
    if (best == nullptr || halves[k].epoch > best->epoch) best = &halves[k];
  }
  return best;
}

void Anatomy::WalkLog() {
  LogPosition heads[2] = {slot_->hot, slot_->cold};
  uint64_t lsn = slot_->lsn + 1;
  struct Roll {
    uint64_t lsn;
    LogPosition from;
    LinkFrame link;
  };
  std::vector<Roll> rolls;
  uint64_t known = 0;  // durable, as some frame knew
  const auto next_at = [&](const LogPosition& at, Frame* frame) {
    if (at.segment == kSegmentNone || at.offset > segment_bytes_) return false;
    return CheckFrame(image_ + uint64_t{at.segment} * segment_bytes_ + at.offset, segment_bytes_ - at.offset, at.seed,
                      at.offset, frame) &&
           frame->lsn == lsn;
  };
  for (const LogPosition& head : heads) {
    if (head.segment != kSegmentNone) in_log_[head.segment] = true;
  }
  for (Frame frame;;) {
    LogPosition* at = next_at(heads[0], &frame) ? &heads[0] : next_at(heads[1], &frame) ? &heads[1] : nullptr;
    if (at == nullptr) break;
    known = std::max(known, frame.lsn - frame.window);
    if (frame.kind != kFrameLink) {
      at->offset += frame.bytes;
      ++lsn;
      continue;
    }
    LinkFrame link;
    memcpy(&link, image_ + uint64_t{at->segment} * segment_bytes_ + at->offset, sizeof link);
    if (link.segment >= count_) break;
    const LogPosition to{link.segment, link.offset, link.log_sequence, link.seed, 0};
    if ((link.flags & kLinkCold) != 0) {
      at->offset += frame.bytes;
      heads[1] = to;
    } else {
      if (link.segment != at->segment) rolls.push_back({lsn, *at, link});
      *at = to;
    }
    lsn = link.next_lsn;
    in_log_[to.segment] = true;
  }
  // The next ones: frames in flight may lie there already, and they are looked at.
  LogSuccessor next;
  for (const LogPosition& head : heads) {
    if (head.segment == kSegmentNone) continue;
    memcpy(&next, image_ + uint64_t{head.segment} * segment_bytes_ + kLineBytes, sizeof next);
    if (MetaCrc(next, head.seed) == next.crc && next.segment < count_) in_log_[next.segment] = true;
  }
  for (const Roll& roll : rolls) {
    if (roll.lsn > known) continue;
    memcpy(&next, image_ + uint64_t{roll.from.segment} * segment_bytes_ + kLineBytes, sizeof next);
    if (MetaCrc(next, roll.from.seed) != next.crc || next.segment != roll.link.segment || next.seed != roll.link.seed) {
      log_wrong_ = "segment " + std::to_string(roll.from.segment) + " was left behind durably, and does not announce " +
                   std::to_string(roll.link.segment);
    }
  }
}

std::string Anatomy::Check() const {
  if (!whole_) return "no superblock holds, or the file is shorter than it says";
  if (slot_ == nullptr) return "no checkpoint slot holds";
  for (uint32_t i = 0; i < slot_->segment_count; ++i) {
    const SegmentHalf* half = Half(i);
    std::string name = "segment " + std::to_string(i);
    if (half == nullptr) return "no table half holds of " + name;
    const uint8_t* at = image_ + uint64_t{i} * segment_bytes_;
    if (half->live == 0 && (half->flags & kHalfPending) == 0 && i != slot_->hot.segment) continue;
    if (half->type == static_cast<uint8_t>(SegmentType::kLog)) {
      LogSegmentHeader header;
      memcpy(&header, at, sizeof header);
      if (MetaCrc(header, seed_) != header.crc || header.seed != half->check || header.log_sequence != half->sequence) {
        return "the log header does not hold of " + name;
      }
    } else if (half->type == static_cast<uint8_t>(SegmentType::kLeaf) ||
               half->type == static_cast<uint8_t>(SegmentType::kInner)) {
      const uint8_t* bitmap = at + kBitmapOffset[half->flags & kHalfBitmapB];
      if (Crc32c(seed_ ^ i, bitmap, kBitmapBytes) != half->check) return "the bitmap does not hold of " + name;
    }
  }
  return log_wrong_;
}

void Anatomy::FillGarbage(Random* random) {
  if (slot_ == nullptr) return;
  Random& r = *random;
  const uint64_t style = r() % 3;
  auto fill = [&](uint64_t offset, uint64_t bytes) {
    uint8_t* to = image_ + offset;
    if (style == 0) {  // anything
      for (uint64_t i = 0; i < bytes; i += 8) {
        uint64_t word = r();
        memcpy(to + i, &word, 8);
      }
    } else if (style == 1) {
      memset(to, 0xff, bytes);
    } else {  // something that is valid elsewhere
      memmove(to, image_ + r() % (bytes_ / bytes) * bytes, bytes);
    }
  };
  for (uint32_t i = 0; i < count_; ++i) {
    const SegmentHalf* half = Half(i);
    const uint64_t offset = uint64_t{i} * segment_bytes_;
    if (half == nullptr || in_log_[i] || half->type == static_cast<uint8_t>(SegmentType::kMeta)) continue;
    // Pieces that nothing refers to yet: the tail may.
    if (half->live == 0 && (half->flags & kHalfPending) == 0) {
      if (r() % 2 == 0) fill(offset, segment_bytes_);
      continue;
    }
    if (half->type == static_cast<uint8_t>(SegmentType::kLog)) continue;
    const uint32_t unit = half->type == static_cast<uint8_t>(SegmentType::kLeaf) ? kLeafBytes : kInnerBytes;
    const bool b = (half->flags & kHalfBitmapB) != 0;
    const uint8_t* bitmap = image_ + offset + kBitmapOffset[b ? 1 : 0];
    for (uint32_t u = kNodeFirstByte / unit; u < segment_bytes_ / unit; ++u) {
      if ((bitmap[u / 8] >> (u % 8) & 1) == 0) fill(offset + uint64_t{u} * unit, unit);
    }
    fill(offset + kBitmapOffset[b ? 0 : 1], kBitmapBytes);
  }
}

Bench::Bench(std::string path, uint64_t bytes_max) : path_(std::move(path)), bytes_max_(bytes_max), size_(bytes_max) {
  file_ = open(path_.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (file_ < 0 || ftruncate(file_, static_cast<off_t>(bytes_max)) != 0) abort();
  void* p = mmap(nullptr, bytes_max, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, file_, 0);
  if (p == MAP_FAILED) abort();
  bytes_ = static_cast<uint8_t*>(p);
}

Bench::~Bench() {
  munmap(bytes_, bytes_max_);
  close(file_);
  unlink(path_.c_str());
}

void Bench::Write(const uint8_t* content, uint64_t bytes) {
  // A store may have changed the length since.
  struct stat now;
  const auto length = static_cast<off_t>(bytes);
  if (bytes > bytes_max_ || fstat(file_, &now) != 0) abort();
  if (now.st_size != length && ftruncate(file_, length) != 0) abort();
  size_ = bytes;
  memcpy(bytes_, content, bytes);
}

void Bench::Write(const std::vector<uint8_t>& durable, const Image& image) {
  Write(durable.data(), image.length != 0 ? image.length : durable.size());
  for (const auto& [line, content] : image.lines) memcpy(bytes_ + line * 64, content.data(), 64);
}

namespace {

// Both ways, counted, and one key in eight asked for.
std::string Contents(Store& store, Content* out) {
  Content backward;
  std::string wrong = Scan(store, false, 8, out);
  if (wrong.empty()) wrong = Scan(store, true, 64, &backward);
  if (!wrong.empty()) return wrong;
  if (backward.hash != out->hash) return "forward and reverse scans differ";
  for (uint32_t tree : {kTreeUser, kTreeSpaces, kTreeExpiry}) {
    uint64_t count = 0;
    if (store.Count(0, tree, {}, &count) != Status::kOk || count != out->counts[tree]) return "the count differs";
  }
  return {};
}

uint64_t EntriesOf(Store& store) {
  StoreStats stats;
  store.Stats(&stats);
  return static_cast<uint64_t>(stats.entries);
}

}  // namespace

std::string Recover(Bench* bench, const Shape& shape, const Bounds& bounds, bool read_only,
                    std::unique_ptr<Store>* store, size_t* state) {
  RegionOptions options;
  options.read_only = read_only;
  OpenResult result = OpenStore(bench->path(), options, shape.flush, shape.checkpoint_bytes, false, false);
  if (!result.failure.ok()) {
    return "open refused: " + result.failure.detail + " at " + std::to_string(result.failure.offset);
  }
  Content found;
  std::string wrong = Contents(*result.store, &found);
  if (!wrong.empty()) return wrong;
  const std::vector<uint64_t>& hashes = bounds.history->hashes;
  const std::vector<uint64_t>& counts = bounds.history->counts;
  *store = std::move(result.store);
  const uint64_t entries = EntriesOf(**store);
  for (*state = bounds.issued + 1; (*state)-- > bounds.acked;) {
    if (hashes[*state] == found.hash && counts[*state] == entries) return {};
  }
  std::string right = std::to_string(bounds.acked) + " to " + std::to_string(bounds.issued) + " are right";
  for (size_t i = 0; i < hashes.size(); ++i) {
    if (hashes[i] == found.hash && counts[i] == entries) return "state " + std::to_string(i) + " was found; " + right;
  }
  return "no state that ever was; " + right;
}

Model StateOf(const Bounds& bounds, size_t state) {
  Model model = *bounds.at_acked;
  size_t at = bounds.acked;
  bounds.history->Advance(state, &at, &model);
  return model;
}

namespace {

// Takes a random amount of address space, so that each recovery finds the file somewhere else.
class Elsewhere {
 public:
  explicit Elsewhere(uint64_t random) : bytes_((1 + random % 31) << 21) {
    at_ = mmap(nullptr, bytes_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  }
  ~Elsewhere() {
    if (at_ != MAP_FAILED) munmap(at_, bytes_);
  }
  Elsewhere(const Elsewhere&) = delete;
  Elsewhere& operator=(const Elsewhere&) = delete;

 private:
  size_t bytes_;
  void* at_;
};

}  // namespace

std::string CheckImage(Bench* bench, const Shape& shape, const Bounds& bounds, NodePeer* peer, Random* random,
                       uint32_t use_in) {
  Random& r = *random;
  Anatomy anatomy(bench->bytes(), bench->size());
  std::string wrong = anatomy.Check();
  if (!wrong.empty()) return wrong;
  if (r() % 3 == 0) anatomy.FillGarbage(random);
  if (peer != nullptr) wrong = peer->Check(bench->bytes(), bench->size());
  if (!wrong.empty()) return wrong;
  const bool use = r() % use_in == 0;
  Elsewhere elsewhere(r());
  std::unique_ptr<Store> store;
  size_t state = 0;
  wrong = Recover(bench, shape, bounds, !use && r() % 4 != 0, &store, &state);
  if (!wrong.empty()) return wrong;
  // Of one that is used further a checkpoint would hide what comes of having none.
  if (!use) return VerifyStore(store.get());

  History more;
  more.start = StateOf(bounds, state);
  Driver driver(bench->path(), shape, &more, nullptr, r());
  driver.Adopt(std::move(store));
  for (uint64_t sessions = 1 + r() % 3; sessions != 0 && wrong.empty(); --sessions) {
    // Often none: a session that only opens and closes must leave what the next one relies on.
    wrong = driver.RunSome(static_cast<int>(r() % 3 == 0 ? r() % 3 : r() % 12));
    if (wrong.empty() && r() % 2 == 0) {
      wrong = driver.Close();
    } else if (wrong.empty()) {
      wrong = driver.Kill();
    }
    if (wrong.empty()) wrong = driver.Open();
    if (!wrong.empty()) break;
    Content found;
    wrong = Contents(driver.store(), &found);
    if (wrong.empty() && found.hash != HashModel(driver.model())) wrong = "the content differs";
    if (wrong.empty() && EntriesOf(driver.store()) != RootCount(driver.model())) wrong = "the root's count differs";
  }
  if (wrong.empty()) wrong = VerifyStore(&driver.store());
  return wrong.empty() ? "" : "after " + std::to_string(more.deltas.size()) + " more operations: " + wrong;
}

}  // namespace sealog::test
