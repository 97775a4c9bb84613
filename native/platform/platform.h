// Umbrella of the platform layer: the only one that makes system calls. Include order: base before platform.
#pragma once

#include "platform/cpu.h"
#include "platform/directory.h"
#include "platform/extent_map.h"
#include "platform/file.h"
#include "platform/file_system.h"
#include "platform/fork.h"
#include "platform/guard.h"
#include "platform/lock_holder.h"
#include "platform/mapping.h"
#include "platform/syscall.h"
#include "platform/system.h"
#include "platform/thread.h"
