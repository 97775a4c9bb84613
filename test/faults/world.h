// A store under test: opened as TypeScript opens it, every change noted in the journal, every answer judged.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "journal.h"
#include "store/store.h"

namespace sealog::faults {

struct Place {
  std::string path;
  Durability durability = Durability::kSync;
};

// The geometry of every store here: many small segments, so that each kind of work crosses some.
CreateOptions SmallStore(Durability durability);

// Descriptors, mappings of the store or reserved for one, threads.
struct Footprint {
  int descriptors = 0;
  int mappings = 0;
  int threads = 0;
  static Footprint Of(const std::string& path);
  bool operator==(const Footprint&) const = default;
};

class World {
 public:
  using AfterMap = std::function<void(const Region&)>;

  World(const Place& place, Journal* journal) : place_(place), journal_(*journal) {}

  // In the order of src/recovery/recover.ts, with the seal looked at and mended if `mend`.
  bool Open(bool read_only = false, bool mend = false);
  // Called by the next Open when the file is mapped, and not read yet.
  AfterMap after_map;
  bool Create();
  // False if refused. Deferred ones are acknowledged by Commit.
  bool Put(uint16_t key, uint32_t bytes, bool deferred = false);
  bool Remove(uint16_t key, bool deferred = false);
  bool Batch(uint16_t first, uint32_t count, uint32_t bytes, bool deferred = false);
  bool Commit(bool other_thread = false);
  bool Checkpoint();
  // Everything is read, each way there is, and compared. `strict`: nothing may be refused. The moment found, or none.
  uint32_t Compare(bool strict);
  // A clean end; without it the file is left as a kill leaves it.
  bool Close();
  void Drop();

  Store* store() { return store_.get(); }
  Journal& journal() { return journal_; }
  const Place& place() const { return place_; }

 private:
  bool Answered(const char* call, Status status, int error_number = 0, const char* detail = "");
  uint32_t Begin();
  void Note(uint16_t key, bool remove, uint32_t bytes);
  bool End(const char* call, uint32_t transaction, Status status, bool deferred, bool poisoned_before);
  bool Poisoned() { return !store_->poison().ok(); }
  void Acknowledge();
  bool Read(bool strict, State* state, std::vector<uint16_t>* unread);
  bool Scan(bool reverse, bool strict, State* state);

  Place place_;
  Journal& journal_;
  std::unique_ptr<Store> store_;
};

// Opens what a faulted process left, and compares; then works with it, and compares again after a reopen. `died`: it
// did not come to its end.
void CheckAfterwards(const Place& place, Journal* journal, bool died);

inline constexpr uint32_t kNoMoment = UINT32_MAX;

}  // namespace sealog::faults
