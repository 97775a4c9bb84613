#include "platform/fork.h"

#include <pthread.h>

#include <mutex>
#include <new>

namespace sealog {

struct ForkWatches {
  std::mutex mutex;
  ForkWatch* first = nullptr;
  uint32_t generation = 0;

  static ForkWatches& All();

  void Add(ForkWatch* watch) {
    std::lock_guard<std::mutex> guard(mutex);
    watch->next_ = first;
    if (first != nullptr) first->previous_ = watch;
    first = watch;
  }
  void Remove(ForkWatch* watch) {
    std::lock_guard<std::mutex> guard(mutex);
    (watch->previous_ != nullptr ? watch->previous_->next_ : first) = watch->next_;
    if (watch->next_ != nullptr) watch->next_->previous_ = watch->previous_;
  }
  // The list is whole in the child: nobody changes it while the process is copied.
  void InChild() {
    new (&mutex) std::mutex;
    ++generation;
    for (ForkWatch* watch = first; watch != nullptr; watch = watch->next_) watch->handler_(watch->context_);
  }
};

// Never destroyed: watches may outlive static objects.
ForkWatches& ForkWatches::All() {
  static ForkWatches& all = *[] {
    auto* made = new ForkWatches;
    // Without memory for it, forks are not seen.
    static_cast<void>(
        pthread_atfork([] { All().mutex.lock(); }, [] { All().mutex.unlock(); }, [] { All().InChild(); }));
    return made;
  }();
  return all;
}

ForkWatch::ForkWatch(Handler handler, void* context) : handler_(handler), context_(context) {
  ForkWatches::All().Add(this);
}

ForkWatch::~ForkWatch() { ForkWatches::All().Remove(this); }

uint32_t ForkGeneration() { return ForkWatches::All().generation; }

}  // namespace sealog
