// Salvage: on a thread of libuv's, from a region that it takes over into a store that it shares.
#include <cstdio>
#include <cstring>

#include "addon/async_task.h"
#include "addon/cold_calls.h"
#include "addon/convert.h"
#include "store/salvage.h"

namespace sealog {
namespace {

// As JSON, so that one call hands it over: an environment that is on its way out refuses calls. Texts are our own, and
// have nothing to escape; keys are hexadecimal.
class Json {
 public:
  std::string Of(const SalvageReport& r) {
    text_ = "{";
    Number("byIndex", r.by_index);
    Number("fromTail", r.from_tail);
    Number("fromScan", r.from_scan);
    Number("bytes", r.bytes);
    Number("lostEntries", r.lost_entries);
    Number("losses", r.losses);
    Number("unknown", r.unknown ? 1 : 0);
    Number("framesBehindDamage", r.frames_behind_damage);
    Number("lastLsn", r.last_lsn);
    Name("spaces");
    text_ += "[";
    for (size_t i = 0; i < r.spaces.size(); ++i) text_ += (i == 0 ? "" : ",") + std::to_string(r.spaces[i]);
    text_ += "]";
    Name("listed");
    text_ += "[";
    for (size_t i = 0; i < r.listed.size(); ++i) {
      text_ += i == 0 ? "{" : ",{";
      Add(r.listed[i]);
      text_ += "}";
    }
    return text_ + "]}";
  }

 private:
  void Name(const char* name) {
    if (text_.back() != '{') text_ += ",";
    text_ += std::string("\"") + name + "\":";
  }
  void Number(const char* name, uint64_t value) {
    Name(name);
    text_ += std::to_string(value);
  }
  void Text(const char* name, const std::string& value) {
    Name(name);
    text_ += "\"" + value + "\"";
  }
  void Hex(const char* name, const std::string& bytes) {
    constexpr char kDigits[] = "0123456789abcdef";
    std::string hex;
    for (const char c : bytes) {
      hex += kDigits[static_cast<uint8_t>(c) >> 4];
      hex += kDigits[c & 15];
    }
    Text(name, hex);
  }
  void Add(const SalvageLoss& loss) {
    Text("what", loss.what);
    Number("where", loss.where);
    Number("tree", loss.tree);
    Number("entries", loss.entries);
    Text("detail", loss.detail);
    if (loss.has_key) Hex("key", loss.key);
    if (loss.is_range) Hex("low", loss.low);
    if (loss.is_range && loss.has_high) Hex("high", loss.high);
    if (loss.lsn != 0) Number("lsn", loss.lsn);
    if (loss.lsn != 0) Number("lsnLast", loss.lsn_last);
  }

  std::string text_;
};

class SalvageTask : public AsyncTask {
 public:
  SalvageTask(napi_env env, napi_deferred deferred, std::unique_ptr<Region> source, std::shared_ptr<Store> out,
              SalvagePlan plan, const Napi::BigInt64Array& progress)
      : env_(env),
        deferred_(deferred),
        source_(std::move(source)),
        out_(std::move(out)),
        plan_(std::move(plan)),
        progress_(const_cast<Napi::BigInt64Array&>(progress).Data()) {
    napi_create_reference(env, progress, 1, &keep_);
  }
  ~SalvageTask() override {
    if (keep_ != nullptr) napi_delete_reference(env_, keep_);
  }
  void Execute() override {
    SalvageReport report;
    failure_ = SalvageStore(*source_, plan_, out_.get(), progress_, &report);
    source_.reset();
    if (failure_.ok()) report_ = Json().Of(report);
  }
  void Complete(napi_env env) override {
    napi_value result = nullptr, answer = nullptr, error = nullptr, report = nullptr;
    if (napi_create_object(env, &result) != napi_ok ||
        napi_create_int32(env, Answer(failure_.status), &answer) != napi_ok || napi_get_null(env, &error) != napi_ok ||
        napi_create_string_utf8(env, report_.data(), report_.size(), &report) != napi_ok) {
      return;
    }
    if (!failure_.ok() && !RawFailure(env, failure_, &error)) return;
    if (napi_set_named_property(env, result, "answer", answer) != napi_ok ||
        napi_set_named_property(env, result, "error", error) != napi_ok ||
        napi_set_named_property(env, result, "report", report) != napi_ok) {
      return;
    }
    static_cast<void>(napi_resolve_deferred(env, deferred_, result));
  }

 private:
  napi_env env_;
  napi_deferred deferred_;
  napi_ref keep_ = nullptr;
  std::unique_ptr<Region> source_;
  std::shared_ptr<Store> out_;
  SalvagePlan plan_;
  int64_t* progress_;
  Failure failure_;
  std::string report_;
};

// salvageAsync(source, out, plan, progress): the source's handle is closed by it, whatever happens.
Napi::Value SalvageAsync(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  Session* session = Session::Of(env);
  Entry* source = EntryOf(info);
  if (source == nullptr || !source->region) return Answered(env, Status::kClosed);
  std::unique_ptr<Region> region = std::move(source->region);
  session->Close(env, source);
  Entry* out =
      info.Length() > 1 && info[1].IsNumber() ? session->Find(info[1].As<Napi::Number>().Int32Value()) : nullptr;
  if (out == nullptr || !out->store) return Answered(env, Status::kClosed);
  Bytes bytes;
  if (info.Length() < 4 || !GetBytes(env, info[2], &bytes) || !info[3].IsTypedArray() ||
      info[3].As<Napi::TypedArray>().TypedArrayType() != napi_bigint64_array ||
      info[3].As<Napi::TypedArray>().ElementLength() < 3) {
    return Answered(env, Status::kInvalid);
  }
  SalvagePlan plan;
  if (Failure failure = ParseSalvagePlan(bytes.data, bytes.size, &plan); !failure.ok()) return Answered(env, failure);
  napi_deferred deferred = nullptr;
  napi_value promise = nullptr;
  if (napi_create_promise(env, &deferred, &promise) != napi_ok) return Answered(env, Status::kNoMemory);
  auto* task =
      new SalvageTask(env, deferred, std::move(region), out->store, std::move(plan), info[3].As<Napi::BigInt64Array>());
  if (!AsyncTask::Queue(env, "sealog:salvage", task)) return Answered(env, Status::kNoMemory);
  return Napi::Value(env, promise);
}

// guessStore(handle): null if nothing can be told.
Napi::Value Guess(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  Entry* entry = EntryOf(info);
  if (entry == nullptr || !entry->region) return Answered(env, Status::kClosed);
  SalvageGuess guess;
  if (!GuessStore(*entry->region, &guess)) return env.Null();
  Napi::Object o = Napi::Object::New(env);
  o.Set("segmentBytes", guess.segment_bytes);
  o.Set("storeSeed", guess.store_seed);
  o.Set("headers", guess.headers);
  return o;
}

Napi::Value Publish(const Napi::CallbackInfo& info) {
  const auto text = [&info](size_t i) {
    return info.Length() > i && info[i].IsString() ? info[i].As<Napi::String>().Utf8Value() : std::string();
  };
  return Answered(info.Env(), PublishStore(text(0), text(1)));
}

}  // namespace

void DefineSalvageCalls(Napi::Env env, Napi::Object exports) {
  exports.Set("salvageAsync", Napi::Function::New(env, SalvageAsync, "salvageAsync"));
  exports.Set("guessStore", Napi::Function::New(env, Guess, "guessStore"));
  exports.Set("publishStore", Napi::Function::New(env, Publish, "publishStore"));
}

}  // namespace sealog
