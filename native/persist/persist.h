// Umbrella of the persist layer: the only one that issues CLWB, SFENCE and non-temporal stores.
#pragma once

#include "persist/flush.h"
#include "persist/persister.h"
#include "persist/trace.h"
