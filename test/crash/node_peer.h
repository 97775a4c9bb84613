// The product's own open, beside the native twin: the same image goes through a Node process (test/recovery/peer.mjs).
#pragma once

#include <sys/types.h>

#include <string>

#include "check.h"

namespace sealog::test {

class NodePeer {
 public:
  // Starts Node. REQUIRES: the working folder is the repository, dist/ and the addon are built; the stores' keys and
  // values are encoded as 'binary'. `path`: a file for images, beside the bench's.
  NodePeer(const std::string& path, uint64_t bytes);
  ~NodePeer();
  NodePeer(const NodePeer&) = delete;
  NodePeer& operator=(const NodePeer&) = delete;

  // Empty: Node and the twin make the same plan of this image, replay the same, find the same entries both ways; and
  // what Node has closed is clean, and has them too. The image itself is left alone.
  std::string Check(const uint8_t* image, uint64_t bytes);

 private:
  struct Decided {
    std::string line;
    uint32_t forward = 0;  // digest
  };
  std::string Twin(Decided* out);
  bool Ask(const std::string& request, std::string* line);

  Bench bench_;
  pid_t node_ = -1;
  int to_ = -1, from_ = -1;
  std::string unread_;
};

}  // namespace sealog::test
