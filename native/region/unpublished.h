// A file under a temporary name, gone unless it is given its own.
#pragma once

#include <string>

#include "platform/directory.h"

namespace sealog {

class Unpublished {
 public:
  // `directory` must outlive it.
  explicit Unpublished(const Directory* directory) : directory_(directory) {}
  ~Unpublished() {
    if (!name_.empty()) static_cast<void>(directory_->Unlink(name_));
  }
  Unpublished(const Unpublished&) = delete;
  Unpublished& operator=(const Unpublished&) = delete;

  // `.NAME.sealog-PURPOSE-<16 hex digits>`
  Failure Make(const std::string& name, const char* purpose) {
    std::string temporary;
    const std::string prefix = "." + name.substr(0, kNameBytesMax) + ".sealog-" + purpose + "-";
    Failure failure = directory_->CreateTemporary(prefix, &temporary, &file_);
    if (failure.ok()) name_ = temporary;
    return failure;
  }
  // Under its real name it is still removed if that name cannot be made durable.
  Failure Publish(const std::string& name) {
    Failure failure = directory_->RenameNew(name_, name);
    if (!failure.ok()) return failure;
    name_ = name;
    failure = directory_->Fsync();
    if (failure.ok()) name_.clear();
    return failure;
  }
  const File& file() const { return file_; }
  const std::string& name() const { return name_; }

 private:
  static constexpr size_t kNameBytesMax = 220;  // of the store's name, to stay below NAME_MAX

  const Directory* directory_;
  File file_;
  std::string name_;
};

}  // namespace sealog
