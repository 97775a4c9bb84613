// Umbrella of the format layer: bytes on media, and nothing that acts.
#pragma once

#include "format/layout.h"
#include "format/log_format.h"
#include "format/meta.h"
#include "format/node_format.h"
