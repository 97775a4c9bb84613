// An open directory: where a store file is made, named and removed. Names are single components.
#pragma once

#include <string>
#include <vector>

#include "base/status.h"
#include "platform/file.h"

namespace sealog {

class Directory {
 public:
  static Failure Open(const std::string& path, Directory* out);

  // "a/b/c" -> "a/b" and "c"; "c" -> "." and "c"; "/c" -> "/" and "c". False if there is no name at the end.
  static bool Split(const std::string& path, std::string* directory, std::string* name);

  const File& file() const { return file_; }

  // True if the name is taken, by whatever. Follows no symlink. Other failures count as "no": the call that matters
  // will tell.
  bool Has(const std::string& name) const;

  // Creates `prefix` and 16 random hex digits. `*name` gets the name, `*out` the file, open for reading and writing,
  // 0600.
  Failure CreateTemporary(const std::string& prefix, std::string* name, File* out) const;
  Failure Unlink(const std::string& name) const;

  // Gives `from` the name `to`, kExists if that is taken: atomic, and the file has one link at every instant. On a file
  // system without RENAME_NOREPLACE by link and unlink: a crash between the two leaves both names.
  Failure RenameNew(const std::string& from, const std::string& to) const;

  // Makes names durable.
  Failure Fsync() const { return file_.Fsync(); }

 private:
  File file_;
};

// The names in a directory without "." and "..", at most `count_max`; empty if it cannot be read.
std::vector<std::string> ListDirectory(const std::string& path, size_t count_max);

}  // namespace sealog
