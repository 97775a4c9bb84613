// Figures of an open store, in the order in which storeStats hands them to TypeScript (src/engine/stats.ts).
#pragma once

#include <cstdint>

namespace sealog {

struct StoreStats {
  double fences = 0;             // drains since open, of the writer and the checkpointer
  double lines = 0;              // written back
  double bytes = 0;              // made durable
  double syncs = 0;              // of the device
  double checkpoint_fences = 0;  // of the above, the checkpointer's
  double checkpoint_lines = 0;
  double entries = 0;  // keys in the user's tree
  double lsn = 0;      // of the last commit
  double durable_lsn = 0;
  double log_bytes = 0;  // appended since open
  double log_frames = 0;
  double live_bytes = 0;  // in log segments
  double segments = 0;
  double free_segments = 0;
  double log_segments = 0;
  double leaf_segments = 0;
  double inner_segments = 0;
  double leaves = 0;  // live nodes
  double inners = 0;
  double nodes_made = 0;  // since open
  double nodes_copied = 0;
  double checkpoints = 0;       // since open
  double checkpoint_nodes = 0;  // written by them
  double epoch = 0;
  double oldest_pin = 0;  // epoch; 0: none
  double waiting = 0;     // nodes and segments that are retired and pinned
  double snapshots = 0;
  double tail_bytes = 0;  // of the log, since the last freeze: what a reopen would replay at least
  double populated_bytes = 0;
  double populate_complete = 0;
  double minor_faults = 0;  // of the process
  double major_faults = 0;
  double tree_height = 0;
  double oldest_snapshot_lsn = 0;  // 0: none
  double oldest_snapshot_ms = 0;   // how long it has been there
  double cold_bytes = 0;           // of log_bytes, the cleaner's
  double cleaned_segments = 0;     // that the cleaner has emptied
  double cleaned_records = 0;      // that it has moved
  double cleaned_bytes = 0;        // of these, as they count in live_bytes
  double retired_segments = 0;     // free with the next checkpoints, if no snapshot holds them
  double cleanable = 0;            // 1: the store's format has cleaning
  double checkpoint_sequence = 0;  // of the newest durable checkpoint
  double checkpoint_bytes = 0;     // in lines that the finished ones wrote back, since open
  double checkpoint_ms = 0;        // that writing them took
  double checkpoint_due = 0;       // 1: something is in no durable checkpoint yet
  double reader_pins = 0;          // older checkpoints that reader processes had when last looked
  double oldest_reader_pin = 0;    // sequence of the oldest of these; 0: none
};
inline constexpr uint32_t kStatsCount = sizeof(StoreStats) / sizeof(double);

}  // namespace sealog
