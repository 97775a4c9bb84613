// Umbrella of the log layer.
#pragma once

#include "log/log_reader.h"
#include "log/log_writer.h"
#include "log/record.h"
