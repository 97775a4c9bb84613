#!/bin/bash
# Faults in the source, one at a time, in a copy of it: sealog_kill must object to each.
#   test/kill/mutants.sh [CYCLES for each, in tmpfs and on a disk] [FIRST]
# An edit that no longer applies is an error: mend the list.
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
cycles=${1:-300} first=${2:-1}
work=$(mktemp -d /tmp/sealog-kill-mutants-XXXXXX) memory=$(mktemp -d /dev/shm/sealog-kill-mutants-XXXXXX)
trap 'rm -rf "$work" "$memory"' EXIT
mkdir -p "$work/test"
cp -rp "$root/native" "$work/"
cp -rp "$root/native" "$work/unchanged"
cp -rp "$root/test/kill" "$root/test/native" "$work/test/"
cmake -S "$work/native" -B "$work/b" -DSEALOG_ADDON=OFF -DSEALOG_CAMPAIGNS=ON -DCMAKE_BUILD_TYPE=Release >/dev/null || exit 2

# name | file | sed expression
mutants='
one commit in 64 is acknowledged and not written (disk)|persist/persister.cc|s/  failure_ = WriteRanges(TakeRanges());/  auto r = TakeRanges();\n  if (counters_.syncs % 64 != 63) failure_ = WriteRanges(std::move(r)); else ++counters_.syncs;/
replay leaves removes out|store/store.cc|s/if (record.kind == kRecordChunk) return/if (record.kind != kRecordPut) return/
replay leaves the last frame out|log/log_reader.cc|s/  if (run_ == runs.size()) return false;/&\n  if (run_ + 1 == runs.size() \&\& runs[run_].frames > 4 \&\& in_run_ + 1 == runs[run_].frames) return false;/
a put is acknowledged before it is logged|store/commit.cc|s/^  uint64_t offset = log_->Append(change);/  if (log_->frames_appended() % 256 == 255) return *version = log_->last_lsn(), Status::kOk;\n&/
a retired log segment is free at once|index/node_pool.cc|s/  pins_.Retire(kSegmentThing . segment, .*/  space_->Release(segment);/
what is drained is dropped from memory first (disk)|persist/persister.cc|s/  failure_ = WriteRanges(TakeRanges());/  const Range r = ranges_.back();\n  if (counters_.syncs % 64 == 63) madvise(base_ + (r.offset \& ~4095ull), 4096, MADV_DONTNEED);\n&/;s/^#include <algorithm>/&\n#include <sys\/mman.h>/
nodes change in place after a freeze|store/checkpointer.cc|s/  pool_->set_epoch(epoch + 1);//
the slot is written before the nodes|store/checkpoint.cc|s/  for (uint64_t tagged : state.nodes.nodes) {/  persister->Copy(space.base() + kCheckpointSlotOffset[state.slot.sequence \& 1], \&state.slot, sizeof state.slot, Site::kSlot);\n  static_cast<void>(persister->Drain(Site::kSlot));\n&/
'
n=0 killed=0 survivors=""
while IFS='|' read -r name file edit; do
  [ -z "$name" ] && continue
  n=$((n + 1))
  [ "$n" -lt "$first" ] && continue
  sed -i "$edit" "$work/native/$file"
  if cmp -s "$work/unchanged/$file" "$work/native/$file"; then echo "$name: the edit does not apply"; exit 2; fi
  if ! cmake --build "$work/b" -j2 --target sealog_kill >"$work/log" 2>&1; then
    echo "$name: does not build"; grep error "$work/log" | head -3; exit 2
  fi
  found=""
  for base in "$memory" "$work"; do
    rm -rf "$base/stores" && mkdir "$base/stores"
    out=$("$work/b/sealog_kill" --dir "$base/stores" --cycles "$cycles" --seed 1 2>&1)
    [ $? -eq 0 ] || { found=$(grep -m1 FAILED <<<"$out" || echo "it ended by itself"); break; }
  done
  if [ -n "$found" ]; then
    killed=$((killed + 1)); echo "killed    $name: ${found:0:400}"
  else
    survivors="$survivors; $name"; echo "SURVIVED  $name"
  fi
  cp "$work/unchanged/$file" "$work/native/$file"
done <<<"$mutants"
echo "source mutants killed $killed / $((n - first + 1))$survivors"
[ -z "$survivors" ]
