// Backup, restore and verify: pinned states, images of them, and the files that images are written to. Each call on
// another thread does one slice; TypeScript asks for the next.
#include "addon/cold_calls.h"
#include "addon/convert.h"
#include "addon/promise_task.h"
#include "platform/system.h"
#include "region/image_file.h"
#include "store/copier.h"
#include "store/image.h"
#include "store/verify.h"

namespace sealog {
namespace {

constexpr uint64_t kVerifySliceBytes = 32 << 20;

Napi::Value PinState(const Napi::CallbackInfo& info) {
  auto store = StoreOf(info);
  if (!store) return Answered(info.Env(), Status::kClosed);
  uint64_t id = 0;
  Status status = store->PinState(&id);
  if (status != Status::kOk) {
    Failure failure = store->poison();
    failure.status = status;
    return Answered(info.Env(), failure);
  }
  EntryOf(info)->pins.insert(id);
  return Napi::Number::New(info.Env(), static_cast<double>(id));
}

Napi::Value Unpin(const Napi::CallbackInfo& info) {
  auto store = StoreOf(info);
  if (!store) return Answered(info.Env(), Status::kClosed);
  const uint64_t id = CountAt(info, 1);
  if (EntryOf(info)->pins.erase(id) != 0) store->Unpin(id);
  return Napi::Number::New(info.Env(), 0);
}

// Something native that JavaScript holds, and drops when it is done or forgets it.
template <class T>
Napi::Value Hold(Napi::Env env, std::shared_ptr<T> thing) {
  auto* held = new std::shared_ptr<T>(std::move(thing));
  auto external =
      Napi::External<std::shared_ptr<T>>::New(env, held, [](Napi::Env, std::shared_ptr<T>* p) { delete p; });
  external.TypeTag(&T::kTag);
  return external;
}
template <class T>
std::shared_ptr<T> HeldAt(const Napi::CallbackInfo& info, size_t i) {
  if (info.Length() <= i || !info[i].IsExternal()) return nullptr;
  auto external = info[i].As<Napi::External<std::shared_ptr<T>>>();
  return external.CheckTypeTag(&T::kTag) ? *external.Data() : nullptr;
}

// A pinned state that something is made of.
struct Pinned {
  std::shared_ptr<Store> store;
  uint64_t id = 0;

  // Waits until the state is durable, then runs work(state).
  template <class Work>
  Status WhenDurable(Work work) const {
    const Status status = store->AwaitPinned(id);
    return status == Status::kOk ? store->WithPinned(id, work) : status;
  }
  // With what made the store refuse writes, if it does.
  Failure FailureOf(Status status) const {
    Failure failure = status == Status::kPoisoned ? store->poison() : Failure{};
    failure.status = status;
    return failure;
  }
};

// (handle, pin)
template <class T>
Napi::Value HoldPinned(const Napi::CallbackInfo& info) {
  auto store = StoreOf(info);
  if (!store) return Answered(info.Env(), Status::kClosed);
  auto held = std::make_shared<T>();
  held->store = std::move(store);
  held->id = CountAt(info, 1);
  return Hold(info.Env(), std::move(held));
}

// --- images

struct HeldImage : Pinned {
  static constexpr napi_type_tag kTag{0x7365616c6f672d69ull, 1};
  std::shared_ptr<const PinnedState> state;  // what the image refers to, also when it is not pinned any more
  std::unique_ptr<Image> image;
};

// Waits until the pinned state is durable, and answers with the length of its image. The image itself is made there as
// well: it takes a checksum for each segment.
Napi::Value OpenImage(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  auto held = HeldAt<HeldImage>(info, 0);
  if (!held) return Answered(env, Status::kInvalid);
  return PromiseTask::Start(env, "sealog:image", {info[0]}, [held](TaskResult* result) -> Failure {
    const Status status = held->WhenDurable([&](const PinnedState& state) {
      held->state = state.shared_from_this();
      held->image = std::make_unique<Image>(&state);
      result->answer = static_cast<double>(held->image->bytes());
    });
    return held->FailureOf(status);
  });
}

// Fills the buffer with what is at `offset`; answers with the bytes there were.
Napi::Value ReadImage(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  auto held = HeldAt<HeldImage>(info, 0);
  const uint64_t offset = CountAt(info, 1);
  Bytes out;
  if (!held || !held->image || info.Length() < 3 || !GetBytes(env, info[2], &out) || offset % Image::kGrain != 0 ||
      out.size % Image::kGrain != 0 || offset > held->image->bytes())
    return Answered(env, Status::kInvalid);
  return PromiseTask::Start(
      env, "sealog:image", {info[0], info[2]}, [held, offset, out](TaskResult* result) -> Failure {
        const auto bytes = static_cast<size_t>(std::min<uint64_t>(out.size, held->image->bytes() - offset));
        result->answer = static_cast<double>(bytes);
        const Status status = held->store->WithPinned(
            held->id, [&](const PinnedState&) { held->image->Read(offset, const_cast<uint8_t*>(out.data), bytes); });
        return {status, 0, "", status == Status::kMedia ? offset : 0, ""};
      });
}

// --- image files

struct HeldFile {
  static constexpr napi_type_tag kTag{0x7365616c6f672d66ull, 2};
  std::unique_ptr<ImageFile> file;
};

// Argument 0, once it was created; null for anything else.
std::shared_ptr<HeldFile> MadeFileOf(const Napi::CallbackInfo& info) {
  auto held = HeldAt<HeldFile>(info, 0);
  return held && held->file ? held : nullptr;
}

Napi::Value MakeImageFile(const Napi::CallbackInfo& info) { return Hold(info.Env(), std::make_shared<HeldFile>()); }

Napi::Value CreateImageFile(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  auto held = HeldAt<HeldFile>(info, 0);
  if (!held || held->file || info.Length() < 4 || !info[1].IsString()) return Answered(env, Status::kInvalid);
  const std::string path = info[1].As<Napi::String>().Utf8Value();
  const uint64_t bytes = CountAt(info, 2);
  const bool sealed = info[3].ToBoolean().Value();
  return PromiseTask::Start(env, "sealog:image", {info[0]}, [held, path, bytes, sealed](TaskResult*) {
    return ImageFile::Create(path, bytes, sealed, &held->file);
  });
}

Napi::Value WriteImageFile(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  auto held = MadeFileOf(info);
  Bytes bytes;
  if (!held || info.Length() < 3 || !GetBytes(env, info[2], &bytes)) return Answered(env, Status::kInvalid);
  const uint64_t offset = CountAt(info, 1);
  return PromiseTask::Start(env, "sealog:image", {info[0], info[2]}, [held, offset, bytes](TaskResult*) {
    return held->file->Write(bytes.data, bytes.size, offset);
  });
}

// Durable under its temporary name.
Napi::Value SyncImageFile(const Napi::CallbackInfo& info) {
  auto held = MadeFileOf(info);
  if (!held) return Answered(info.Env(), Status::kInvalid);
  return PromiseTask::Start(info.Env(), "sealog:image", {info[0]}, [held](TaskResult*) { return held->file->Sync(); });
}

Napi::Value PublishImageFile(const Napi::CallbackInfo& info) {
  auto held = MadeFileOf(info);
  if (!held) return Answered(info.Env(), Status::kInvalid);
  return PromiseTask::Start(info.Env(), "sealog:image", {info[0]},
                            [held](TaskResult*) { return held->file->Publish(); });
}

Napi::Value ImageFilePath(const Napi::CallbackInfo& info) {
  auto held = MadeFileOf(info);
  if (!held) return Answered(info.Env(), Status::kInvalid);
  return Napi::String::New(info.Env(), held->file->temporary_path());
}

// Nothing is left of one that was not published.
Napi::Value DropImageFile(const Napi::CallbackInfo& info) {
  auto held = HeldAt<HeldFile>(info, 0);
  if (!held) return Answered(info.Env(), Status::kInvalid);
  held->file.reset();
  return Napi::Number::New(info.Env(), 0);
}

// --- verify

struct HeldVerifier : Pinned {
  static constexpr napi_type_tag kTag{0x7365616c6f672d76ull, 3};
  std::shared_ptr<const PinnedState> state;
  std::unique_ptr<Verifier> verifier;
};

// Checks a slice; answers with 1 when all is done.
Napi::Value StepVerifier(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  auto held = HeldAt<HeldVerifier>(info, 0);
  if (!held) return Answered(env, Status::kInvalid);
  return PromiseTask::Start(env, "sealog:verify", {info[0]}, [held](TaskResult* result) -> Failure {
    Status status = Status::kOk;
    if (!held->verifier) {
      status = held->WhenDurable([&](const PinnedState& state) {
        held->state = state.shared_from_this();
        held->verifier = std::make_unique<Verifier>(&state);
      });
    }
    if (status == Status::kOk) {
      status = held->store->WithPinned(held->id, [&](const PinnedState&) { held->verifier->Step(kVerifySliceBytes); });
      if (status == Status::kMedia) {
        held->verifier->Faulted();
        status = Status::kOk;
      }
      result->answer = held->verifier->done() ? 1 : 0;
    }
    return held->FailureOf(status);
  });
}

// REQUIRES (of TypeScript): no step under way.
Napi::Value VerifierReport(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  auto held = HeldAt<HeldVerifier>(info, 0);
  if (!held || !held->verifier) return Answered(env, Status::kInvalid);
  const Verifier& v = *held->verifier;
  Napi::Object o = Napi::Object::New(env);
  o.Set("entries", static_cast<double>(v.figures().entries));
  o.Set("nodes", static_cast<double>(v.figures().nodes));
  o.Set("records", static_cast<double>(v.figures().records));
  o.Set("bytes", static_cast<double>(v.figures().bytes));
  o.Set("bytesExpected", static_cast<double>(v.bytes_expected()));
  o.Set("problemCount", static_cast<double>(v.figures().problems));
  Napi::Array problems = Napi::Array::New(env);
  for (const Problem& problem : v.problems()) {
    Napi::Object each = Napi::Object::New(env);
    each.Set("kind", ProblemName(problem.kind));
    each.Set("offset", static_cast<double>(problem.offset));
    each.Set("detail", problem.detail);
    each.Set("tree", problem.tree);
    if (!problem.key.empty())
      each.Set("key", Napi::Buffer<uint8_t>::Copy(env, reinterpret_cast<const uint8_t*>(problem.key.data()),
                                                  problem.key.size()));
    problems.Set(problems.Length(), each);
  }
  o.Set("problems", problems);
  return o;
}

// --- copies

constexpr uint64_t kCopySliceBytes = 4 << 20;

struct HeldCopier : Pinned {
  static constexpr napi_type_tag kTag{0x7365616c6f672d63ull, 4};
  std::unique_ptr<Copier> copier;
};

// (copier, handle of the store to copy into): copies a slice; answers with 0 when all is done.
Napi::Value StepCopier(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  auto held = HeldAt<HeldCopier>(info, 0);
  auto target = StoreOf(info, 1);
  if (!held || !target || target == held->store) return Answered(env, Status::kInvalid);
  return PromiseTask::Start(env, "sealog:copy", {info[0]}, [held, target](TaskResult* result) -> Failure {
    Status status = Status::kOk;
    if (!held->copier) {
      status = held->WhenDurable([&](const PinnedState& state) {
        held->copier = std::make_unique<Copier>(state.shared_from_this(), UnixMillis());
      });
      if (status != Status::kOk) return {status, 0, "", 0, ""};
    }
    Copier& copier = *held->copier;
    if (!copier.ready()) return {Status::kNoMemory, 0, "", 0, ""};
    const uint64_t end = copier.bytes() + kCopySliceBytes;
    while (copier.bytes() < end && !copier.done()) {
      Status read = Status::kOk;
      status = held->store->WithPinned(held->id, [&](const PinnedState&) { read = copier.Read(); });
      if (status == Status::kOk) status = read;
      if (status != Status::kOk) return {status, 0, "", copier.damaged_offset(), ""};
      status = copier.Write(target.get());
      if (status != Status::kOk) return {status, 0, "", 0, "the copy could not be written"};
    }
    result->answer = copier.done() ? 0 : 1;
    return {};
  });
}

}  // namespace

void DefinePinCalls(Napi::Env env, Napi::Object exports) {
  exports.Set("pinState", Napi::Function::New(env, PinState, "pinState"));
  exports.Set("unpin", Napi::Function::New(env, Unpin, "unpin"));
  exports.Set("makeImage", Napi::Function::New(env, HoldPinned<HeldImage>, "makeImage"));
  exports.Set("openImage", Napi::Function::New(env, OpenImage, "openImage"));
  exports.Set("readImage", Napi::Function::New(env, ReadImage, "readImage"));
  exports.Set("makeImageFile", Napi::Function::New(env, MakeImageFile, "makeImageFile"));
  exports.Set("createImageFile", Napi::Function::New(env, CreateImageFile, "createImageFile"));
  exports.Set("writeImageFile", Napi::Function::New(env, WriteImageFile, "writeImageFile"));
  exports.Set("syncImageFile", Napi::Function::New(env, SyncImageFile, "syncImageFile"));
  exports.Set("publishImageFile", Napi::Function::New(env, PublishImageFile, "publishImageFile"));
  exports.Set("imageFilePath", Napi::Function::New(env, ImageFilePath, "imageFilePath"));
  exports.Set("dropImageFile", Napi::Function::New(env, DropImageFile, "dropImageFile"));
  exports.Set("makeCopier", Napi::Function::New(env, HoldPinned<HeldCopier>, "makeCopier"));
  exports.Set("stepCopier", Napi::Function::New(env, StepCopier, "stepCopier"));
  exports.Set("makeVerifier", Napi::Function::New(env, HoldPinned<HeldVerifier>, "makeVerifier"));
  exports.Set("stepVerifier", Napi::Function::New(env, StepVerifier, "stepVerifier"));
  exports.Set("verifierReport", Napi::Function::New(env, VerifierReport, "verifierReport"));
}

}  // namespace sealog
