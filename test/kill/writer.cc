#include "writer.h"

#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <map>
#include <thread>
#include <utility>

#include "support/recovery_twin.h"

namespace sealog::test {
namespace {

class Writer {
 public:
  Writer(const Job& job, Model model, Acknowledgements* told)
      : job_(job), model_(std::move(model)), told_(told), random_(Mix(job.seed ^ 3, job.first)) {}

  [[noreturn]] void Run() {
    if (job_.creates) Create();
    Open();
    told_->stage = Stage::kWriting;
    for (uint32_t i = 0; i < job_.operations; ++i) {
      Issue(i);
      NoteCheckpoint();
      Look();
    }
    if (!job_.closes) {
      for (;;) pause();
    }
    if (grower_.joinable()) grower_.join();
    told_->stage = Stage::kClosing;
    Require(store_->Close(), "close");
    store_.reset();
    told_->stage = Stage::kClosed;
    _exit(0);
  }

 private:
  [[noreturn]] void Complain(const std::string& what) {
    snprintf(told_->complaint, sizeof told_->complaint, "%s", what.c_str());
    _exit(kComplains);
  }

  void Require(Status status, const char* what) {
    if (status == Status::kOk) return;
    Complain(std::string(what) + " failed: status " + std::to_string(static_cast<int>(status)) + " " +
             store_->poison().detail + ", damaged at " + std::to_string(store_->damaged_offset()));
  }

  void Create() {
    told_->stage = Stage::kCreating;
    CreateOptions options;
    options.capacity_bytes = job_.shape->capacity_bytes;
    options.segment_bytes = job_.shape->segment_bytes;
    options.durability = job_.durability;
    if (Failure failure = CreateStore(job_.path, options); !failure.ok()) {
      Complain("creation failed: status " + std::to_string(static_cast<int>(failure.status)) + " " + failure.detail);
    }
  }

  void Open() {
    told_->stage = Stage::kOpening;
    RegionOptions options;
    options.durability = job_.durability;
    OpenResult opened = OpenStore(job_.path, options, job_.flush, job_.shape->checkpoint_bytes, job_.populates);
    if (!opened.failure.ok()) {
      Complain("open failed: status " + std::to_string(static_cast<int>(opened.failure.status)) + " " +
               opened.failure.detail + " at " + std::to_string(opened.failure.offset));
    }
    store_ = std::move(opened.store);
    StoreStats stats;
    store_->Stats(&stats);
    epoch_ = stats.epoch;
    checkpoints_ = stats.checkpoints;
  }

  void Issue(uint32_t i) {
    const uint64_t n = job_.first + i;
    const Operation operation = OperationOf(job_.seed, *job_.shape, n);
    std::vector<std::string> values;
    for (uint32_t e = 0; e < operation.edits.size(); ++e) {
      values.push_back(operation.edits[e].removes ? "" : ValueOf(job_.seed, {n, e}));
    }
    told_->issued = i + 1;
    if (operation.kind == Kind::kClean) told_->cleaning = true;
    const Status status = Perform(operation, n, values);
    if (status == Status::kFull) {
      told_->outcomes[i] = Outcome::kRefused;
      return;
    }
    const bool durable = operation.kind == Kind::kCommit || operation.kind == Kind::kCheckpoint || !operation.deferred;
    if (status == Status::kOk) told_->outcomes[i] = durable ? Outcome::kDurable : Outcome::kDeferred;
    Require(status, "a write");
    Apply(operation, n, &model_);
    LookAhead(n);
  }

  // Streams begin some operations before the one that they are, and other commits lie between their pieces.
  void LookAhead(uint64_t n) {
    const Operation ahead = OperationOf(job_.seed, *job_.shape, n + kAhead);
    if (ahead.kind == Kind::kStream) Begin(ahead, n + kAhead);
    for (auto& [of, incoming] : incoming_) Append(&incoming, 1 + incoming.value.size() / kAhead);
    told_->streaming = static_cast<uint32_t>(incoming_.size());
  }

  struct Incoming {
    uint64_t id = 0;
    std::string value;
    size_t at = 0;
    Status status = Status::kOk;
  };

  Incoming* Begin(const Operation& operation, uint64_t n) {
    Incoming& incoming = incoming_[n];
    incoming.value = ValueOf(job_.seed, {n, 0});
    Require(store_->BeginValue(kTreeUser, BytesOf(operation.edits[0].key), &incoming.id), "the beginning of a stream");
    return &incoming;
  }

  void Append(Incoming* incoming, size_t bytes) {
    const size_t end = std::min(incoming->value.size(), incoming->at + bytes);
    while (incoming->at < end && incoming->status == Status::kOk) {
      const size_t piece = std::min<size_t>(end - incoming->at, store_->piece_bytes_max());
      incoming->status = store_->AppendValue(
          incoming->id, {reinterpret_cast<const uint8_t*>(incoming->value.data()) + incoming->at, piece});
      incoming->at += piece;
    }
    if (incoming->status != Status::kFull) Require(incoming->status, "a piece");
  }

  Status Stream(const Operation& operation, uint64_t n) {
    const auto it = incoming_.find(n);
    Incoming* incoming = it == incoming_.end() ? Begin(operation, n) : &it->second;
    Append(incoming, incoming->value.size());
    uint64_t version = 0;
    Status status = incoming->status;
    if (status != Status::kOk || incoming->value.empty()) {
      store_->AbortValue(incoming->id);
      // A stream has at least a byte.
      if (status == Status::kOk)
        status = store_->Put(kTreeUser, BytesOf(operation.edits[0].key), {}, operation.deferred, &version);
    } else {
      status = store_->FinishValue(incoming->id, {}, operation.deferred, &version);
    }
    incoming_.erase(n);
    return status;
  }

  // Beside the operations that follow.
  void Grow() {
    if (told_->growing) return;
    if (grower_.joinable()) grower_.join();
    GrowthReport now;
    store_->Growth(&now);
    const uint64_t bytes = now.bytes + (1 + random_.Below(4)) * job_.shape->segment_bytes;
    if (bytes > job_.shape->bytes_max) return;
    told_->growing = true;
    grower_ = std::thread([this, bytes] {
      const Failure failure = store_->Grow(bytes, nullptr);
      if (!failure.ok()) Complain("growth failed: " + failure.detail);
      told_->growing = false;
    });
  }

  Status Perform(const Operation& operation, uint64_t n, const std::vector<std::string>& values) {
    uint64_t version = 0;
    switch (operation.kind) {
      case Kind::kStream:
        return Stream(operation, n);
      case Kind::kClean:
        return store_->CleanSome(static_cast<uint32_t>(1 + random_.Below(64)));
      case Kind::kGrow:
        Grow();
        return Status::kOk;
      case Kind::kPut:
        return store_->Put(kTreeUser, BytesOf(operation.edits[0].key), BytesOf(values[0]), operation.deferred,
                           &version);
      case Kind::kRemove: {
        const std::string& key = operation.edits[0].key;
        Status status = store_->Remove(kTreeUser, BytesOf(key), operation.deferred, &version);
        if (status == Status::kOk && (version != 0) != (model_.count(key) != 0)) {
          Complain("a remove of " + key + " found another state than the model");
        }
        return status;
      }
      case Kind::kBatch: {
        std::vector<Change> changes;
        for (size_t i = 0; i < values.size(); ++i) {
          const Edit& edit = operation.edits[i];
          changes.push_back({static_cast<uint8_t>(edit.removes ? kRecordDel : kRecordPut), 0, kTreeUser,
                             BytesOf(edit.key), BytesOf(values[i])});
        }
        return store_->Batch(changes.data(), static_cast<uint32_t>(changes.size()), operation.deferred, &version);
      }
      case Kind::kCommit:
        return store_->Commit();
      case Kind::kCheckpoint:
        told_->checkpointing = true;
        return store_->Checkpoint();
    }
    __builtin_unreachable();
  }

  // Each freeze begins an epoch, and so does a snapshot after a change.
  void NoteCheckpoint() {
    StoreStats stats;
    store_->Stats(&stats);
    told_->checkpointing = stats.epoch - epoch_ > stats.checkpoints - checkpoints_;
    told_->cleaning = stats.cleaned_records != cleaned_;
    cleaned_ = stats.cleaned_records;
  }

  // Now and then a short range, whose snapshot may stay open for a while.
  void Look() {
    if (random_.Below(24) != 0) return;
    const bool reverse = random_.Below(2) == 0;
    const std::string bound = KeyOf(static_cast<uint32_t>(random_.Below(job_.shape->keys)));
    RangeRequest request;
    request.reverse = reverse;
    request.limit = 4;
    request.out = block_.data();
    request.out_bytes = block_.size();
    if (reverse) {
      request.range.high = BytesOf(bound);
      request.range.has_high = true;
    } else {
      request.range.low = BytesOf(bound);
    }
    StoreStats before, after;
    store_->Stats(&before);
    const RangeResult result = store_->FillRange(request);
    store_->Stats(&after);
    epoch_ += after.epoch - before.epoch;
    Require(result.status, "a range");
    auto expected = model_.lower_bound(bound);
    size_t at = 0;
    for (uint32_t i = 0; i < result.entries; ++i) {
      if (reverse ? expected == model_.begin() : expected == model_.end()) Complain("a range is too long");
      if (reverse) --expected;
      RangeEntry entry;
      memcpy(&entry, block_.data() + at, sizeof entry);
      const char* key = reinterpret_cast<char*>(block_.data() + at + sizeof entry);
      if (std::string(key, entry.key_bytes) != expected->first) Complain("a range has another key than the model");
      if (std::string(key + entry.key_bytes, entry.value_bytes) != ValueOf(job_.seed, expected->second)) {
        Complain("a range has another value of " + expected->first + " than the model");
      }
      at += RoundUp(sizeof entry + entry.key_bytes + entry.value_bytes, 8);
      if (!reverse) ++expected;
    }
    if (result.snapshot != 0) snapshots_.push_back(result.snapshot);
    while (snapshots_.size() > random_.Below(3)) {
      store_->ReleaseSnapshot(snapshots_.back());
      snapshots_.pop_back();
    }
  }

  const Job& job_;
  Model model_;
  Acknowledgements* told_;
  Random random_;
  std::unique_ptr<Store> store_;
  static constexpr uint64_t kAhead = 4;
  std::map<uint64_t, Incoming> incoming_;  // by operation
  std::thread grower_;
  double epoch_ = 0, checkpoints_ = 0, cleaned_ = 0;
  std::vector<uint64_t> snapshots_;
  std::vector<uint8_t> block_ = std::vector<uint8_t>(1 << 20);
};

}  // namespace

void Acknowledgements::Clear() {
  stage = Stage::kStarting;
  checkpointing = false;
  cleaning = false;
  growing = false;
  streaming = 0;
  issued = 0;
  for (auto& outcome : outcomes) outcome = Outcome::kUnknown;
  complaint[0] = '\0';
}

void Apply(const Operation& operation, uint64_t n, Model* model) {
  for (uint32_t i = 0; i < operation.edits.size(); ++i) {
    const Edit& edit = operation.edits[i];
    if (edit.removes) {
      model->erase(edit.key);
    } else {
      (*model)[edit.key] = {n, i};
    }
  }
}

void Write(const Job& job, Model model, Acknowledgements* acknowledgements) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  Writer(job, std::move(model), acknowledgements).Run();
}

}  // namespace sealog::test
