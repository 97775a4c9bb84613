// Faults put into the core's source, one at a time. `from` must be in the file once: mend the list when the source moves on.
/** @typedef {{ name: string, file: string, from: string, to: string }} Mutant */

/** @type {readonly Mutant[]} */
export const sourceMutants = [
  {
    name: 'no LSN jump after an unclean end',
    file: 'store/store.cc',
    from: 'options.lsn_jump ? kSessionLsnJump : 0',
    to: '0',
  },
  {
    name: 'a clean end forgets the jump',
    file: 'store/store.cc',
    from: '      log_->SkipSession();\n',
    to: '',
  },
  {
    name: 'frames of any LSN are taken',
    file: 'log/log_reader.cc',
    from: 'for (Frame frame; FrameAt(end_.position, &frame) && frame.lsn == end_.next_lsn;) {',
    to: 'for (Frame frame; FrameAt(end_.position, &frame);) {\n    end_.next_lsn = frame.lsn;',
  },
  {
    name: 'segments keep one seed',
    file: 'log/log_writer.cc',
    from: 'return static_cast<uint32_t>(z >> 32);',
    to: 'return 12345;',
  },
  {
    name: 'a session begins without its LINK',
    file: 'log/log_writer.cc',
    from: '  session_pending_ = true;\n',
    to: '',
  },
  {
    name: 'rolls that recovery goes over are not announced again',
    file: 'store/store.cc',
    from: 'for (const LogReader::Roll& roll : reader_->rolls()) log_->Reannounce(roll.from, roll.to);',
    to: '',
  },
  {
    name: 'the slot found at open stays in the caches',
    file: 'store/store.cc',
    from: `        persister_.Flush(region_->base() + kCheckpointSlotOffset[h.slot_sequence & 1], sizeof(CheckpointSlot),
                         Site::kReplayed);
`,
    to: '',
  },
  {
    name: 'the superblock found at open stays in the caches while the other is written',
    file: 'store/grow.cc',
    from: '        persister.Flush(region_->base() + kSuperblockOffset[current], sizeof superblock, Site::kSuperblock);\n',
    to: '',
  },
  {
    name: 'superblock A stays in the caches while B is written',
    file: 'store/grow.cc',
    from: '        persister.Flush(region_->base() + kSuperblockOffset[0], sizeof superblock, Site::kSuperblock);\n',
    to: '',
  },
  {
    name: 'a torn slot stays where the next one goes',
    file: 'store/store.cc',
    from: '        WipeTornSlot();\n',
    to: '',
  },
  {
    name: 'a close takes a checkpoint in flight for done',
    file: 'store/store.cc',
    from: '!dirty_ && !in_flight_ && checkpoints_ == 0',
    to: '!dirty_ && checkpoints_ == 0',
  },
  {
    name: 'freeze without a drain of the log',
    file: 'store/checkpointer.cc',
    from: `if (!dirty_) return Status::kOk;
  Status status = Status::kMedia;
  if (!Shielded([&] { status = DrainLog(); })) return Interrupted();`,
    to: `if (!dirty_) return Status::kOk;
  Status status = Status::kOk;`,
  },
  {
    name: 'a retired log segment is free at once',
    file: 'index/node_pool.cc',
    from: '  pins_.Retire(kSegmentThing | segment, 0);',
    to: '  space_->Release(segment);',
  },
  {
    name: 'the durable checkpoint is not pinned',
    file: 'store/checkpointer.cc',
    from: '  pool_->pins().Add(epoch);\n',
    to: '  pool_->pins().Add(epoch);\n  if (checkpoint_pins_[1] != 0) pool_->pins().Remove(checkpoint_pins_[1]);\n  checkpoint_pins_[1] = 0;\n',
  },
  {
    name: 'nodes change in place after a freeze',
    file: 'store/checkpointer.cc',
    from: '  pool_->set_epoch(epoch + 1);\n',
    to: '',
  },
  {
    name: 'no epoch floor',
    file: 'store/store.cc',
    from: 'std::max(h.epoch, h.epoch_floor) + 1',
    to: 'h.epoch + 1',
  },
  {
    name: 'stale table halves stay',
    file: 'store/store.cc',
    from: 'from.stale != 0 || ',
    to: '',
  },
  {
    name: 'a slot torn between its sums keeps its checksum',
    file: 'format/meta.h',
    from: '  crc = (crc ^ crc >> 16) * 0x85ebca6bu;\n  crc = (crc ^ crc >> 13) * 0xc2b2ae35u;\n  return crc ^ crc >> 16;',
    to: '  return crc;',
  },
  {
    name: 'frames of a batch stand alone',
    file: 'log/log_writer.cc',
    from: 'more ? kBatchMore : 0',
    to: '0',
  },
  {
    name: 'the window is always one',
    file: 'log/log_writer.cc',
    from: '  EncodeRecord(change, 0, static_cast<uint32_t>(next_lsn_ - stable_lsn_), scratch_.get());',
    to: '  EncodeRecord(change, 0, 1, scratch_.get());',
  },
  {
    name: 'replay retires segments',
    file: 'store/store.cc',
    from: ' && !reader_) emptied_',
    to: ') emptied_',
  },
  {
    name: 'a check of an entry is not looked at',
    file: 'store/commit.cc',
    from: 'if (Status s = Holds(request.checks[i]); s != Status::kOk) return s;',
    to: 'static_cast<void>(i);',
  },
  {
    name: 'a check of a range takes any version',
    file: 'store/commit.cc',
    from: 'if (record.lsn > check.version || ++count > check.count)',
    to: 'if (++count > check.count)',
  },
  {
    name: 'entries with a time are not listed',
    file: 'store/commit.cc',
    from: '    AddExpiryList(&work->changes, &work->expiry_keys);\n',
    to: '    if (request.count == 0) AddExpiryList(&work->changes, &work->expiry_keys);\n',
  },
  {
    name: 'a sweep takes entries whose time is another one',
    file: 'store/commit.cc',
    from: 'found.lookup != Lookup::kFound || found.record.expires != parsed.unix_ms',
    to: 'found.lookup != Lookup::kFound',
  },
  {
    name: 'a batch that finds nothing promises nothing',
    file: 'store/commit.cc',
    from: 'this one promises that it is.\n    return deferred ? Status::kOk : DrainLog();',
    to: 'this one promises that it is.\n    return Status::kOk;',
  },
  {
    name: 'segments that are new do not count in the table',
    file: 'store/grow.cc',
    from: 'half_crc_.push_back(crc);\n      table_check_ ^= TableTerm(crc);',
    to: 'half_crc_.push_back(0 * crc);',
  },
  {
    name: 'both superblocks at once',
    file: 'store/grow.cc',
    from: 'if (Status status = persister->Drain(Site::kSuperblock); status != Status::kOk) return status;',
    to: 'if (which != 0) continue;\n    if (Status status = persister->Drain(Site::kSuperblock); status != Status::kOk) return status;',
  },
  {
    name: 'what growth has left behind the end is not settled',
    file: 'store/grow.cc',
    from: 'if (Failure failure = region_->Trim(space_->bytes()); !failure.ok()) return failure;',
    to: 'return {};',
  },
  {
    name: 'replay applies a move without a look at the version',
    file: 'store/store.cc',
    from: '(!place.found || place.record.lsn != record.lsn)) return Status::kOk;',
    to: '!place.found) return Status::kOk;',
  },
  {
    name: 'replay applies a move to an entry that is gone',
    file: 'store/store.cc',
    from: '(!place.found || place.record.lsn != record.lsn)) return Status::kOk;',
    to: 'place.found && place.record.lsn != record.lsn) return Status::kOk;',
  },
  {
    name: 'a moved entry gets a version of its own',
    file: 'store/cleaning.cc',
    from: 'entry.value, entry.expires, entry.lsn};',
    to: 'entry.value, entry.expires};',
  },
  {
    name: 'a moved entry forgets its time',
    file: 'store/cleaning.cc',
    from: '(entry.flags & (kRecordExtents | kRecordExpires)) | kRecordMoved',
    to: '(entry.flags & kRecordExtents) | kRecordMoved',
  },
  {
    name: 'what is dead is moved as well',
    file: 'store/cleaning.cc',
    from: '} else if (RecordRefOffset(found.ref) != offset) {',
    to: `} else if (RecordRefOffset(found.ref) != offset) {
    if (!VerifyRecord(*space_, offset, record)) return Status::kCorrupt;
    const auto old = static_cast<uint8_t>((record.flags & (kRecordExtents | kRecordExpires)) | kRecordMoved);
    *change = {kRecordPut, old, record.tree, record.key, record.value, record.expires, entry.lsn};
    if (old == kRecordMoved) return Status::kOk;`,
  },
  {
    name: 'a moved piece keeps its old checksum in the list',
    file: 'store/cleaning.cc',
    from: '    extent.crc = space_->At<const RecordHeader>(to)->crc;\n',
    to: '',
  },
  {
    name: 'a victim is free before its moves are durable',
    file: 'store/cleaning.cc',
    from: '  RetireEmptied();\n  if (status == Status::kFull) return Slice::kNoRoom;',
    to: `  for (uint32_t i : emptied_) {
    const Segment& s = space_->segment(i);
    if (s.type != SegmentType::kLog || s.live != 0 || s.pending != 0 || log_->Uses(i)) continue;
    space_->Retire(i);
    space_->Release(i);
  }
  emptied_.clear();
  if (status == Status::kFull) return Slice::kNoRoom;`,
  },
  {
    name: 'no LINK leads to the cold head',
    file: 'log/log_writer.cc',
    from: 'WriteLink(&hot, kLinkCold, Site::kLink, next_lsn_ + 1, first, kLogFirstFrame);',
    to: 'At(Head::kCold).position = {first.segment, kLogFirstFrame, first.log_sequence, first.seed, 0};',
  },
  {
    name: 'the cleaner takes segments with pending pieces',
    file: 'store/cleaner.cc',
    from: ' || s.pending != 0',
    to: '',
  },
  {
    name: 'the cleaner takes the segments that the log is in',
    file: 'store/cleaner.cc',
    from: ' || log_->Uses(i)',
    to: '',
  },
  {
    name: 'segments with pending pieces are retired',
    file: 'store/store.cc',
    from: 's.live != 0 || s.pending != 0 || log_->Uses(segment)',
    to: 's.live != 0 || log_->Uses(segment)',
  },
  {
    name: 'a checkpoint forgets that pieces are pending',
    file: 'store/checkpointer.cc',
    from: 's.pending != 0 ? kHalfPending : 0',
    to: '0',
  },
]
