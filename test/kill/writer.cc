#include "writer.h"

#include <sys/prctl.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstring>
#include <utility>

#include "support/recovery_twin.h"

namespace sealog::test {
namespace {

class Writer {
 public:
  Writer(const Job& job, Model model, Acknowledgements* told)
      : job_(job), model_(std::move(model)), told_(told), random_(Mix(job.seed ^ 3, job.first)) {}

  void Run() {
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
    told_->stage = Stage::kClosing;
    Require(store_->Close(), "close");
    store_.reset();
    told_->stage = Stage::kClosed;
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
    const Status status = Perform(operation, values);
    if (status == Status::kFull) {
      told_->outcomes[i] = Outcome::kRefused;
      return;
    }
    const bool durable = operation.kind == Kind::kCommit || operation.kind == Kind::kCheckpoint || !operation.deferred;
    if (status == Status::kOk) told_->outcomes[i] = durable ? Outcome::kDurable : Outcome::kDeferred;
    Require(status, "a write");
    Apply(operation, n, &model_);
  }

  Status Perform(const Operation& operation, const std::vector<std::string>& values) {
    uint64_t version = 0;
    switch (operation.kind) {
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
  double epoch_ = 0, checkpoints_ = 0;
  std::vector<uint64_t> snapshots_;
  std::vector<uint8_t> block_ = std::vector<uint8_t>(1 << 20);
};

}  // namespace

void Acknowledgements::Clear() {
  stage = Stage::kStarting;
  checkpointing = false;
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
  _exit(0);
}

}  // namespace sealog::test
