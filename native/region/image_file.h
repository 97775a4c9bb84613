// A store file that is written from an image: a backup, or what is restored from one. Under a temporary name until it
// is complete and durable; nothing is left of one that is dropped before. One thread at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "platform/directory.h"
#include "region/unpublished.h"

namespace sealog {

class ImageFile {
 public:
  // A file of `bytes` bytes, all zero. `sealed`: with blocks for all of them, to be written in full; else sparse.
  //   kExists: the path is taken. kAbsent: no such directory. kNoSpace, kPermission
  // After a crash the temporary file may be left: `.NAME.sealog-image-<16 hex digits>`, safe to delete.
  static Failure Create(const std::string& path, uint64_t bytes, bool sealed, std::unique_ptr<ImageFile>* out);

  // Zeros are not written where the file is sparse.
  Failure Write(const uint8_t* data, size_t bytes, uint64_t offset);
  Failure Sync() const { return unpublished_.file().Fsync(); }
  // Gives it its name. REQUIRES: Sync. kExists: somebody else was quicker.
  Failure Publish() { return unpublished_.Publish(name_); }

  uint64_t bytes() const { return bytes_; }
  // Where it is before it is published.
  std::string temporary_path() const { return parent_ + "/" + unpublished_.name(); }

 private:
  ImageFile() : unpublished_(&directory_) {}

  Directory directory_;
  Unpublished unpublished_;
  std::string parent_, name_;
  uint64_t bytes_ = 0;
  uint64_t unsynced_bytes_ = 0;
  bool sealed_ = false;
};

}  // namespace sealog
