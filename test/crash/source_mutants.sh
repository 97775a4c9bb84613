#!/bin/bash
# Faults in the source, one at a time, in a copy of it: sealog_crash must object to each.
#   test/crash/source_mutants.sh [SECONDS for each] [FOLDER] [FIRST]
# An edit that no longer applies is an error: mend the list.
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
each=${1:-20} work=${2:-$(mktemp -d /tmp/sealog-mutants-XXXXXX)} first=${3:-1}
mkdir -p "$work/test"
cp -rup "$root/native" "$work/"
cp -rup "$root/test/crash" "$root/test/native" "$work/test/"
cmake -S "$work/native" -B "$work/b" -DSEALOG_ADDON=OFF -DSEALOG_TRACE=ON -DCMAKE_BUILD_TYPE=RelWithDebInfo >/dev/null || exit 2

# name | file | sed expression
mutants='
no LSN jump after an unclean end|store/store.cc|s/options.lsn_jump ? kSessionLsnJump : 0/0/
frames of any LSN are taken|log/log_reader.cc|s/ \&\& frame.lsn == end_.next_lsn;)/;) if (end_.next_lsn = frame.lsn; true)/
segments keep one seed|log/log_writer.cc|s/return static_cast<uint32_t>(z >> 32);/return 12345;/
freeze without a drain of the log|store/checkpointer.cc|s/status = DrainLog();/status = Status::kOk;/
a retired log segment is free at once|index/node_pool.cc|s/  pins_.Retire(kSegmentThing . segment, 0);/  space_->Release(segment);/
the durable checkpoint is not pinned|store/checkpointer.cc|s/  pool_->pins().Add(epoch);/&\n  if (checkpoint_pins_[1] != 0) pool_->pins().Remove(checkpoint_pins_[1]);\n  checkpoint_pins_[1] = 0;/
nodes change in place after a freeze|store/checkpointer.cc|s/  pool_->set_epoch(epoch + 1);//
no epoch floor|store/store.cc|s/std::max(h.epoch, h.epoch_floor) + 1/h.epoch + 1/
stale table halves stay|store/store.cc|s/from.stale != 0 || //
frames of a batch stand alone|log/log_writer.cc|s/more ? kBatchMore : 0/0/
the window is always one|log/log_writer.cc|s/static_cast<uint32_t>(next_lsn_ - stable_lsn_)/1/
a clean end forgets the jump|store/store.cc|s/^ *log_->SkipSession();//
replay retires segments|store/store.cc|s/ \&\& !reader_) emptied_/) emptied_/
'
n=0 killed=0 survivors=""
while IFS='|' read -r name file edit1 edit2 edit3; do
  [ -z "$name" ] && continue
  n=$((n + 1))
  [ "$n" -lt "$first" ] && continue
  edit="$edit1${edit2:+|$edit2}${edit3:+|$edit3}"
  [ "$name" = "stale table halves stay" ] && edit='s/from.stale != 0 || //'
  sed -i "$edit" "$work/native/$file"
  if cmp -s "$root/native/$file" "$work/native/$file"; then echo "$name: the edit does not apply"; exit 2; fi
  if ! cmake --build "$work/b" -j2 --target sealog_crash >"$work/log" 2>&1; then
    echo "$name: does not build"; grep error "$work/log" | head -3
  else
    out=$("$work/b/sealog_crash" --ops 300 --seed 1 --seconds "$each" --per-drain 16 --per-point 4)
    if [ $? -eq 1 ]; then
      killed=$((killed + 1)); echo "killed    $name: $(grep -m1 VIOLATION <<<"$out")"
    else
      survivors="$survivors; $name"; echo "SURVIVED  $name: $(grep 'images checked' <<<"$out")"
    fi
  fi
  cp "$root/native/$file" "$work/native/$file"
done <<<"$mutants"
echo "source mutants killed $killed / $((n - first + 1))$survivors"
[ -z "$survivors" ]
