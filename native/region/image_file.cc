#include "region/image_file.h"

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>

#include "format/layout.h"
#include "platform/file_system.h"
#include "platform/syscall.h"
#include "region/create.h"
#include "region/extender.h"

namespace sealog {
namespace {

constexpr size_t kPageBytes = 4096;

bool IsZero(const uint8_t* data, size_t bytes) {
  return bytes == 0 || (data[0] == 0 && memcmp(data, data + 1, bytes - 1) == 0);
}

}  // namespace

Failure ImageFile::Create(const std::string& path, uint64_t bytes, bool sealed, std::unique_ptr<ImageFile>* out) {
  auto image = std::unique_ptr<ImageFile>(new ImageFile());
  if (bytes == 0 || bytes > kRegionBytesMax) return {Status::kInvalid, 0, "", 0, "no store has this size"};
  if (!Directory::Split(path, &image->parent_, &image->name_))
    return {Status::kInvalid, 0, "", 0, "the path ends in no file name"};
  Failure failure = Directory::Open(image->parent_, &image->directory_);
  if (!failure.ok()) return failure;
  if (image->directory_.Has(image->name_)) return SystemFailure("open", EEXIST);  // early; Publish is what decides
  failure = image->unpublished_.Make(image->name_, "image");
  const File& file = image->unpublished_.file();
  FileSystem file_system;
  if (failure.ok()) failure = ReadFileSystem(file, &file_system);
  if (failure.ok() && sealed) {
    // Known to be hopeless: tmpfs would first take all the memory there is.
    if (bytes > file_system.root_free_bytes) return SystemFailure("fallocate", ENOSPC);
    PrepareForAllocation(file, file_system);
    // In slices that are aligned on ext4 as those of a new store (region/create.cc).
    for (uint64_t at = 0; at < bytes && failure.ok();) {
      const uint64_t slice = std::min(kAllocationBytes, std::bit_floor(bytes - at));
      failure = file.Fallocate(0, at, slice);
      at += slice;
    }
    if (failure.status == Status::kUnsupported) failure = {};
  }
  if (failure.ok()) failure = file.Truncate(bytes);
  if (!failure.ok()) return failure;
  image->bytes_ = bytes;
  // On tmpfs the blocks are all there is to it.
  image->sealed_ = sealed && !file_system.memory;
  *out = std::move(image);
  return {};
}

Failure ImageFile::Write(const uint8_t* data, size_t bytes, uint64_t offset) {
  const File& file = unpublished_.file();
  if (offset > bytes_ || bytes > bytes_ - offset) return {Status::kInvalid, 0, "", offset, "outside of the file"};
  Failure failure;
  for (size_t at = 0; at < bytes && failure.ok();) {
    // Runs of pages that are zeros, and of others.
    size_t end = at;
    bool zero = false;
    while (end < bytes) {
      const size_t page = std::min(kPageBytes, bytes - end);
      const bool blank = !sealed_ && IsZero(data + end, page);
      if (end == at) zero = blank;
      if (blank != zero) break;
      end += page;
    }
    if (!zero) {
      failure = file.Pwrite(data + at, end - at, offset + at);
      unsynced_bytes_ += end - at;
    }
    at = end;
  }
  if (failure.ok() && unsynced_bytes_ >= kSyncEveryBytes) {
    unsynced_bytes_ = 0;
    failure = file.Fdatasync();
  }
  return failure;
}

}  // namespace sealog
