// Several keys at once: they go down the tree side by side, so that what one of them waits for in memory comes while
// the others are looked at (group prefetching: Chen, Gibbons and Mowry, SIGMOD 2001).
#pragma once

#include <cstdint>

#include "index/tree.h"

namespace sealog {

// About as many as a core can have misses of under way.
inline constexpr uint32_t kSideBySide = 16;

// As Find, for each of `count` keys. REQUIRES: count <= kSideBySide.
void FindMany(NodePool& pool, const Space& space, Root root, const Bytes* keys, uint32_t count, Found* found);

// Brings into the cache what a Locate of each of `count` keys, and the change behind it, will read. Says nothing about
// whether it holds: Locate does. REQUIRES: count <= kSideBySide.
void FetchMany(NodePool& pool, const Space& space, Root root, const Bytes* keys, uint32_t count);

}  // namespace sealog
