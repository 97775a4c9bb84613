#include "fuse_check.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <map>
#include <mutex>

#include "fuse_server.h"
#include "region/create.h"
#include "tap.h"

namespace sealog::test {
namespace {

// What each thread asked for, in its order.
class CallTap final : public Tap {
 public:
  CallTap() { tap = this; }
  ~CallTap() override { tap = nullptr; }
  void OnWrite(uint64_t offset, const std::vector<uint8_t>& content) override { Add({false, 0, offset, content}); }
  void OnWriteDurable(uint64_t, const std::vector<uint8_t>&) override { Add({true, 0, 0, {}}); }
  void OnSyncBegin() override {}
  void OnSyncDone() override { Add({true, 0, 0, {}}); }

  std::map<uint32_t, std::vector<Request>> calls;

 private:
  void Add(Request request) {
    request.thread = static_cast<uint32_t>(gettid());
    std::lock_guard guard(lock_);
    calls[request.thread].push_back(std::move(request));
  }
  std::mutex lock_;
};

// The kernel cuts a write at pages: pieces that join are one.
std::vector<Request> Join(const std::vector<Request>& requests) {
  std::vector<Request> out;
  for (const Request& r : requests) {
    if (!r.sync && !out.empty() && !out.back().sync && out.back().offset + out.back().content.size() == r.offset) {
      out.back().content.insert(out.back().content.end(), r.content.begin(), r.content.end());
    } else {
      out.push_back(r);
    }
  }
  return out;
}

std::string Compare(const std::map<uint32_t, std::vector<Request>>& calls, const std::vector<Request>& requests,
                    size_t* writes, size_t* syncs) {
  std::map<uint32_t, std::vector<Request>> received;
  for (const Request& r : requests) received[r.thread].push_back(r);
  if (received.size() != calls.size()) return "other threads wrote: " + std::to_string(received.size());
  for (const auto& [thread, made] : calls) {
    const std::vector<Request> want = Join(made), got = Join(received[thread]);
    for (size_t i = 0; i < std::max(want.size(), got.size()); ++i) {
      const std::string at = ", request " + std::to_string(i) + " of " + std::to_string(want.size());
      if (i >= want.size()) return "the kernel sent more than was asked for" + at;
      if (i >= got.size()) return "the kernel sent less than was asked for" + at;
      if (want[i].sync != got[i].sync || want[i].offset != got[i].offset || want[i].content != got[i].content)
        return "the kernel sent something else" + at;
      ++(want[i].sync ? *syncs : *writes);
    }
  }
  return {};
}

}  // namespace

int CheckFuse(const std::string& folder, const Options& options) {
  const std::string mounted = folder + "/fuse";
  mkdir(mounted.c_str(), 0755);
  FuseServer server;
  if (std::string why = server.Start(mounted); !why.empty()) {
    printf("SKIPPED: the FUSE server: %s\n", why.c_str());
    return 0;
  }
  alarm(120);
  domain_as = Domain::kAny;  // its own, which is disk
  CreateOptions create;
  create.segment_bytes = kSegmentBytesMin;
  create.capacity_bytes = 64 * kSegmentBytesMin;
  const std::string path = mounted + "/store.sealog";
  std::string wrong;
  std::map<uint32_t, std::vector<Request>> calls;
  size_t commits = 0;
  {
    CallTap recording;
    Failure failure = CreateStore(path, create);
    if (!failure.ok()) wrong = "create failed: " + failure.detail;
    // The driver's store commits before it is dropped, as in every run in this domain (tap.cc).
    if (wrong.empty()) {
      OpenResult opened = OpenStore(path);
      if (opened.failure.ok() && opened.store->region().domain() != Domain::kDisk) wrong = "not in the disk domain";
    }
    domain_as = Domain::kDisk;
    History history;
    Recorder recorder(options.seed, path);
    if (wrong.empty()) {
      Shape shape = options.shape;
      shape.checkpoint_bytes = 12 << 10;
      Driver driver(path, shape, &history, &recorder, options.seed);
      wrong = driver.Run(options.operations);
      recorder.SetOpen(true);
    }
    commits = history.deltas.size();
    calls = std::move(recording.calls);
  }
  const std::vector<Request> requests = server.Requests();
  server.Stop();
  alarm(0);
  size_t writes = 0, syncs = 0;
  if (wrong.empty()) wrong = Compare(calls, requests, &writes, &syncs);
  if (!wrong.empty()) {
    printf("VIOLATION: FUSE: %s\n  replay: build/disk/sealog_disk --fuse --ops %d --seed %llu\n", wrong.c_str(),
           options.operations, static_cast<unsigned long long>(options.seed));
  }
  printf("fuse: %zu commits, %zu threads; writes %zu and syncs %zu arrived as the tap saw them%s\n", commits,
         calls.size(), writes, syncs, wrong.empty() ? "" : ", and then not");
  printf("part: {\"name\":\"fuse\",\"writes\":%zu,\"syncs\":%zu,\"violations\":%d}\n", writes, syncs,
         wrong.empty() ? 0 : 1);
  return wrong.empty() ? 0 : 1;
}

}  // namespace sealog::test
