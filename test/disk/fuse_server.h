// A file system in memory behind /dev/fuse, in a process of its own, that keeps what the kernel sends it.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace sealog::test {

// A WRITE, or an FSYNC of the file. `thread` asked for it.
struct Request {
  bool sync;
  uint32_t thread;
  uint64_t offset;
  std::vector<uint8_t> content;
};

class FuseServer {
 public:
  // Mounts at `folder`, which exists. Empty, or the reason why it cannot.
  std::string Start(const std::string& folder);
  // Unmounts, ends the process. Once.
  void Stop();
  ~FuseServer() { Stop(); }

  std::vector<Request> Requests() const;

 private:
  std::string folder_;
  pid_t process_ = -1;
  uint8_t* log_ = nullptr;  // shared with the process
};

}  // namespace sealog::test
