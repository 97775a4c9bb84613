// Umbrella of the base layer: no I/O, no format.
#pragma once

#include "base/crc32c.h"
#include "base/status.h"
