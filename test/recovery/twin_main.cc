// sealog_twin: reads META images from standard input, answers with what the twin and ParsePlan decide. Little-endian:
//   in:  u32 bytes, u32 read-only, u64 file bytes, u64 checkpoint bytes, then `bytes` bytes, until the end
//   out: u32 status, u32 1 if by the older checkpoint, u32 status of ParsePlan, u32 bytes, then the plan
#include <cstdio>

#include "support/meta_twin.h"

int main() {
  using namespace sealog;
  struct {
    uint32_t bytes, read_only;
    uint64_t file_bytes, checkpoint_bytes;
  } request;
  std::vector<uint8_t> image;
  while (fread(&request, sizeof request, 1, stdin) == 1) {
    image.resize(request.bytes);
    if (fread(image.data(), 1, image.size(), stdin) != image.size()) return 2;
    test::MetaTwin twin(image.data(), image.size(), request.file_bytes);
    const test::MetaPlan made = twin.Plan(request.read_only != 0, request.checkpoint_bytes);
    Failure parsed;
    if (made.status == Status::kOk) {
      Plan plan;
      parsed = ParsePlan(made.bytes.data(), made.bytes.size(), request.file_bytes, &plan);
    }
    const uint32_t answer[] = {static_cast<uint32_t>(made.status), made.older_checkpoint,
                               static_cast<uint32_t>(parsed.status), static_cast<uint32_t>(made.bytes.size())};
    if (fwrite(answer, sizeof answer, 1, stdout) != 1) return 2;
    if (fwrite(made.bytes.data(), 1, made.bytes.size(), stdout) != made.bytes.size()) return 2;
  }
  return fflush(stdout) == 0 ? 0 : 2;
}
