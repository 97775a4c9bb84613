// Mutations of inputs by their structure. What libFuzzer does to bytes is one of them.
#include <algorithm>
#include <cstring>
#include <random>

#include "edit.h"

// Coverage is that of the core.
#pragma clang attribute push(__attribute__((no_sanitize("coverage"))), apply_to = function)

extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t max_size);

namespace sealog::fuzz {
namespace {

using Random = std::minstd_rand;

constexpr uint64_t kNumbers[] = {0,
                                 1,
                                 2,
                                 3,
                                 7,
                                 8,
                                 15,
                                 16,
                                 31,
                                 32,
                                 47,
                                 48,
                                 49,
                                 63,
                                 64,
                                 127,
                                 128,
                                 167,
                                 168,
                                 169,
                                 255,
                                 256,
                                 511,
                                 512,
                                 1984,
                                 1985,
                                 4032,
                                 4095,
                                 4096,
                                 16383,
                                 16384,
                                 16320,
                                 0xff,
                                 0x80,
                                 32767,
                                 0xffff,
                                 0x8000,
                                 0xffffffff,
                                 0x80000000,
                                 1ull << 40,
                                 (1ull << 40) - 1,
                                 1ull << 53,
                                 1ull << 63,
                                 UINT64_MAX,
                                 UINT64_MAX - 1};

uint64_t Number(Random& random) {
  switch (random() % 4) {
    case 0:
      return random() % 64;
    case 1:
      return (uint64_t{random()} << 33) ^ random();
    case 2:
      return 1ull << (random() % 64);
    default:
      return kNumbers[random() % std::size(kNumbers)];
  }
}

// Where the fields are that matter most: near the start.
uint16_t Field(Random& random) {
  const auto n = static_cast<uint16_t>(random());
  switch (random() % 4) {
    case 0:
      return n % 24;
    case 1:
      return n % 128;
    case 2:
      return n % 512;
    default:
      return n;
  }
}

Edit NewEdit(Random& random) {
  Edit edit{};
  do {
    edit.kind = static_cast<EditKind>(random() % static_cast<uint32_t>(EditKind::kCount));
  } while (((kEditKinds >> static_cast<uint8_t>(edit.kind)) & 1) == 0);
  edit.how = static_cast<uint8_t>(random() & (kVariantMask | kAdd | kXor | kTagged));
  if (random() % 16 == 0) edit.how |= kBroken;
  edit.place = static_cast<uint16_t>(random() % (random() % 2 == 0 ? 8 : 65536));
  edit.field = Field(random);
  edit.other = static_cast<uint16_t>(random() % (random() % 2 == 0 ? 16 : 65536));
  edit.value = Number(random);
  return edit;
}

void Tweak(Random& random, Edit* edit) {
  switch (random() % 6) {
    case 0:
      edit->how = static_cast<uint8_t>(edit->how ^ (1u << (random() % 8)));
      return;
    case 1:
      edit->place = static_cast<uint16_t>(edit->place + random() % 5 - 2);
      return;
    case 2:
      edit->field = random() % 2 == 0 ? Field(random) : static_cast<uint16_t>(edit->field + random() % 17 - 8);
      return;
    case 3:
      edit->other = static_cast<uint16_t>(random() % 2 == 0 ? random() : edit->other + random() % 5 - 2);
      return;
    case 4:
      edit->value = Number(random);
      return;
    default:
      edit->value += random() % 33 - 16;
  }
}

size_t Write(const Input& input, uint8_t* data, size_t max_size) {
  const size_t edits = std::min(input.edits.size(), (max_size - sizeof input.header) / sizeof(Edit));
  memcpy(data, &input.header, sizeof input.header);
  if (edits != 0) memcpy(data + sizeof input.header, input.edits.data(), edits * sizeof(Edit));
  return sizeof input.header + edits * sizeof(Edit);
}

}  // namespace
}  // namespace sealog::fuzz

using namespace sealog::fuzz;

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size, unsigned seed) {
  Random random(seed);
  if (max_size < sizeof(InputHeader) + sizeof(Edit)) return LLVMFuzzerMutate(data, size, max_size);
  Input input = Input::Parse(data, size);
  std::vector<Edit>& edits = input.edits;
  for (uint32_t rounds = 1 + random() % 3; rounds != 0; --rounds) {
    const size_t at = edits.empty() ? 0 : random() % edits.size();
    switch (random() % 10) {
      case 0:
        input.header.seed = random();
        break;
      case 1:
        input.header.mode = static_cast<uint8_t>(input.header.mode ^ (1u << (random() % 8)));
        input.header.operations = static_cast<uint16_t>(random());
        break;
      case 2:
        // The last one, the deepest, takes longest.
        input.header.image = static_cast<uint8_t>(random() % (random() % 4 == 0 ? 6 : 5));
        break;
      case 3:
        if (edits.size() > 1) edits.erase(edits.begin() + static_cast<ptrdiff_t>(at));
        break;
      case 4:
        if (!edits.empty() && edits.size() < kEditsMax) {
          edits.push_back(edits[at]);
          Tweak(random, &edits.back());
        }
        break;
      case 5:
      case 6:
        if (!edits.empty()) Tweak(random, &edits[at]);
        break;
      case 7:
        if (!edits.empty()) LLVMFuzzerMutate(reinterpret_cast<uint8_t*>(&edits[at]), sizeof(Edit), sizeof(Edit));
        break;
      default:
        if (edits.size() < kEditsMax) edits.insert(edits.begin() + static_cast<ptrdiff_t>(at), NewEdit(random));
    }
  }
  return Write(input, data, max_size);
}

extern "C" size_t LLVMFuzzerCustomCrossOver(const uint8_t* data1, size_t size1, const uint8_t* data2, size_t size2,
                                            uint8_t* out, size_t max_size, unsigned seed) {
  Random random(seed);
  if (max_size < sizeof(InputHeader)) return 0;
  Input input = Input::Parse(data1, size1);
  for (const Edit& edit : Input::Parse(data2, size2).edits) {
    if (random() % 2 == 0 && input.edits.size() < kEditsMax) input.edits.push_back(edit);
  }
  return Write(input, out, max_size);
}

#pragma clang attribute pop
