#include "node_peer.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "support/scan.h"

namespace sealog::test {
namespace {

constexpr uint64_t kCheckpointBytes = 64 << 10;  // the least that Node's open takes

// CRC-32C over the length and bytes of each key and value in order, as digestOf() of peer.mjs. False: a scan failed.
bool DigestOf(Store& store, bool reverse, uint32_t* digest) {
  *digest = 0;
  const std::string wrong = ScanEntries(store, reverse, [digest](Bytes key, Bytes value) -> std::string {
    for (Bytes part : {key, value}) {
      const auto bytes = static_cast<uint32_t>(part.size);
      *digest = Crc32c(Crc32c(*digest, &bytes, sizeof bytes), part.data, part.size);
    }
    return {};
  });
  return wrong.empty();
}

std::string Hex(const std::vector<uint8_t>& bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  out.reserve(bytes.size() * 2);
  for (uint8_t byte : bytes) {
    out += kDigits[byte >> 4];
    out += kDigits[byte & 15];
  }
  return out;
}

// The first field that differs, from both.
std::string Difference(const std::string& node, const std::string& twin) {
  size_t at =
      static_cast<size_t>(std::mismatch(node.begin(), node.end(), twin.begin(), twin.end()).first - node.begin());
  const size_t space = node.rfind(' ', at);
  size_t from = space == std::string::npos ? 0 : space + 1;
  std::string place;
  if (node.compare(from, 5, "plan=") == 0 && at >= from + 5) {
    place = " at byte " + std::to_string((at - from - 5) / 2) + " of the plan";
    from = at - (at - from - 5) % 2;
  }
  return "Node and the twin differ" + place + ": " + node.substr(from, 120) + " | " + twin.substr(from, 120);
}

}  // namespace

NodePeer::NodePeer(const std::string& path, uint64_t bytes) : bench_(path, bytes) {
  int in[2], out[2];
  if (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0) abort();
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in[0], STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
  char program[] = "node", script[] = "test/recovery/peer.mjs";
  char* arguments[] = {program, script, nullptr};
  if (posix_spawnp(&node_, program, &actions, nullptr, arguments, environ) != 0) abort();
  posix_spawn_file_actions_destroy(&actions);
  close(in[0]);
  close(out[1]);
  to_ = in[1];
  from_ = out[0];
  signal(SIGPIPE, SIG_IGN);  // Node's death is told by Check
}

NodePeer::~NodePeer() {
  close(to_);
  close(from_);
  waitpid(node_, nullptr, 0);
}

bool NodePeer::Ask(const std::string& request, std::string* line) {
  if (write(to_, request.data(), request.size()) != static_cast<ssize_t>(request.size())) return false;
  size_t end;
  while ((end = unread_.find('\n')) == std::string::npos) {
    char part[1 << 14];
    const ssize_t n = read(from_, part, sizeof part);
    if (n <= 0) return false;
    unread_.append(part, static_cast<size_t>(n));
  }
  *line = unread_.substr(0, end);
  unread_.erase(0, end + 1);
  return true;
}

// The same line by the twin, from the file.
std::string NodePeer::Twin(Decided* out) {
  const MetaPlan meta = MetaTwin(bench_.bytes(), bench_.size(), bench_.size()).Plan(false, kCheckpointBytes);
  OpenResult opened = OpenStore(bench_.path(), {}, BestFlush(false), kCheckpointBytes, false, false);
  if (!opened.failure.ok()) return "the twin refuses: " + opened.failure.detail;
  uint32_t backward = 0;
  uint64_t count = 0;
  if (!DigestOf(*opened.store, false, &out->forward) || !DigestOf(*opened.store, true, &backward) ||
      opened.store->Count({}, &count) != Status::kOk) {
    return "the twin cannot read what it has opened";
  }
  PlanHeader plan;
  memcpy(&plan, meta.bytes.data(), sizeof plan);
  const LogReader::End& end = opened.replay.end;
  const bool torn = !opened.clean && plan.hot.segment != kSegmentNone;
  const auto torn_at =
      static_cast<long long>((uint64_t{end.position.segment} << plan.segment_bytes_log2) + end.position.offset);
  char text[512];
  snprintf(
      text, sizeof text,
      "outcome=%s jump=%d checkpoint=%llu lsn=%llu frames=%llu records=%llu bytes=%llu torn=%lld pending=%llu "
      "findings=0 count=%llu forward=%u backward=%u plan=",
      opened.clean ? "clean" : "recovered", opened.clean ? 0 : 1, static_cast<unsigned long long>(plan.slot_sequence),
      static_cast<unsigned long long>(end.next_lsn - 1), static_cast<unsigned long long>(end.frames),
      static_cast<unsigned long long>(end.records), static_cast<unsigned long long>(end.bytes), torn ? torn_at : -1,
      static_cast<unsigned long long>(end.pending), static_cast<unsigned long long>(count), out->forward, backward);
  out->line = text + Hex(meta.bytes);
  return {};
}

std::string NodePeer::Check(const uint8_t* image, uint64_t bytes) {
  bench_.Write(image, bytes);
  Decided twin;
  std::string node, wrong = Twin(&twin);
  if (!wrong.empty()) return wrong;
  bench_.Write(image, bytes);
  if (!Ask(bench_.path() + " " + std::to_string(kCheckpointBytes) + "\n", &node)) return "Node died of the image";
  if (node != twin.line) return Difference(node, twin.line);
  OpenResult again = OpenStore(bench_.path(), {}, BestFlush(false), kCheckpointBytes, false, false);
  if (!again.failure.ok()) return "closed by Node, the store does not open: " + again.failure.detail;
  if (!again.clean) return "closed by Node, the store is not clean";
  uint32_t after = 0;
  if (!DigestOf(*again.store, false, &after) || after != twin.forward)
    return "closed by Node, the store has other entries";
  return {};
}

}  // namespace sealog::test
