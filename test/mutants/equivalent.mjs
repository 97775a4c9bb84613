// Mutants that change nothing a crash could show, by name, with the reason.
/** @type {Readonly<Record<string, string>>} */
export const equivalentMutants = {
  'early drain segment-header':
    "the last write before it announces the second segment, and the first commit's own drain covers that before any frame there is acknowledged",
  'segments keep one seed':
    'no LSN is used twice, so no leftover frame is ever the expected one; seeds guard against lost writes, which are damage (test/damage)',
  'no epoch floor':
    'the halves that a cut-off checkpoint left are rewritten by the next one in any case; the floor matters where the newest slot is damaged (test/recovery has it)',
  'replay applies a move without a look at the version':
    'a move is logged under the lock, behind the entry that it moves and before any later one, and replay keeps the order of the log: the entry has that version then',
  'replay applies a move to an entry that is gone': 'likewise: the entry is there when its move is replayed',
  'the cleaner takes segments with pending pieces':
    "the pieces are nobody's and stay where they are, and a segment with pending bytes is not retired: it would only be looked at in vain",
  'the cleaner takes the segments that the log is in':
    'what is alive is moved from where it is, and a segment that the log uses is not retired: it would only be looked at in vain',
  'replay retires segments':
    'what it notes is looked at only when the first change is whole, by when the log has been read and the empty segments are retired',
}
