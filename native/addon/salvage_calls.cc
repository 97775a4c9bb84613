// Salvage: on a thread of libuv's, from a region that it takes over into a store that it shares.
#include <cstdio>
#include <cstring>

#include "addon/cold_calls.h"
#include "addon/convert.h"
#include "addon/promise_task.h"
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

// salvageAsync(source, out, plan, progress): the source's handle is closed by it, whatever happens.
Napi::Value SalvageAsync(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  Entry* source = EntryOf(info);
  if (source == nullptr || !source->region) return Answered(env, Status::kClosed);
  std::shared_ptr<Region> region = std::move(source->region);
  Session::Of(env)->Close(env, source);
  auto out = StoreOf(info, 1);
  if (!out) return Answered(env, Status::kClosed);
  Bytes bytes;
  int64_t* progress = info.Length() < 4 ? nullptr : ProgressOf(info[3]);
  if (progress == nullptr || !GetBytes(env, info[2], &bytes)) return Answered(env, Status::kInvalid);
  auto plan = std::make_shared<SalvagePlan>();
  if (Failure failure = ParseSalvagePlan(bytes.data, bytes.size, plan.get()); !failure.ok())
    return Answered(env, failure);
  auto work = [region = std::move(region), out, plan, progress](TaskResult* result) mutable {
    SalvageReport report;
    Failure failure = SalvageStore(*region, *plan, out.get(), progress, &report);
    region.reset();  // unmapped here, not in JavaScript's thread
    if (failure.ok()) result->report = Json().Of(report);
    return failure;
  };
  return PromiseTask::Start(env, "sealog:salvage", {info[3]}, std::move(work));
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
  return Answered(info.Env(), PublishStore(TextAt(info, 0), TextAt(info, 1)));
}

}  // namespace

void DefineSalvageCalls(Napi::Env env, Napi::Object exports) {
  exports.Set("salvageAsync", Napi::Function::New(env, SalvageAsync, "salvageAsync"));
  exports.Set("guessStore", Napi::Function::New(env, Guess, "guessStore"));
  exports.Set("publishStore", Napi::Function::New(env, Publish, "publishStore"));
}

}  // namespace sealog
