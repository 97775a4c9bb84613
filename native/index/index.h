// Umbrella of the index layer.
#pragma once

#include "index/cursor.h"
#include "index/find_many.h"
#include "index/inner.h"
#include "index/leaf.h"
#include "index/node_pool.h"
#include "index/tree.h"
