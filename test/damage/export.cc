#include "export.h"

#include <fstream>

namespace sealog::test {
namespace {

std::string Hex(const std::string& bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  for (unsigned char c : bytes) {
    out += kDigits[c >> 4];
    out += kDigits[c & 15];
  }
  return out;
}

void WriteState(std::ostream& out, const Model& state) {
  const char* separator = "[";
  for (const auto& [key, value] : state) {
    out << separator << "[\"" << Hex(key) << "\",\"" << Hex(value) << "\"]";
    separator = ",\n";
  }
  out << (state.empty() ? "[]" : "]");
}

}  // namespace

void Export(const Image& image, const Map& map, const std::string& folder) {
  std::ofstream(folder + "/" + image.variant + ".sealog", std::ios::binary)
      .write(reinterpret_cast<const char*>(image.bytes.data()), static_cast<std::streamsize>(image.bytes.size()));
  std::ofstream out(folder + "/" + image.variant + ".json");
  out << "{\"segmentBytes\":" << map.segment_bytes() << ",\"nextLsn\":" << map.next_lsn() << ",\n\"state\":";
  WriteState(out, map.state());
  out << ",\n\"commits\":[";
  const char* separator = "";
  for (const Commit& commit : image.commits) {
    out << separator << "[" << commit.last_lsn << ",[";
    const char* inner = "";
    for (const auto& [key, value] : commit.changes) {
      out << inner << "[\"" << Hex(key) << "\"," << (value ? "\"" + Hex(*value) + "\"" : "null") << "]";
      inner = ",";
    }
    out << "]]";
    separator = ",\n";
  }
  out << "],\n\"pieces\":[";
  separator = "";
  for (const Piece& piece : map.pieces()) {
    out << separator << "{\"begin\":" << piece.begin << ",\"end\":" << piece.end << ",\"kind\":\"" << NameOf(piece.kind)
        << "\",\"headerBytes\":" << map.HeaderBytes(piece) << ",\"keys\":[";
    const char* inner = "";
    for (uint32_t key : piece.keys) {
      out << inner << key;
      inner = ",";
    }
    out << "]";
    if (piece.kind == Kind::kTail) {
      out << ",\"segment\":" << piece.segment << ",\"successor\":" << map.Successor(piece.segment)
          << ",\"lsn\":" << piece.lsn << ",\"window\":" << piece.window;
    }
    out << "}";
    separator = ",\n";
  }
  out << "]}\n";
}

}  // namespace sealog::test
