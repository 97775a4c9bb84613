// Mutants that change nothing a crash could show, by name, with the reason.
/** @type {Readonly<Record<string, string>>} */
export const equivalentMutants = {
  'early drain segment-header':
    "the last write before it announces the second segment, and the first commit's own drain covers that before any frame there is acknowledged",
  'segments keep one seed':
    'no LSN is used twice, so no leftover frame is ever the expected one; seeds guard against lost writes, which are damage (test/damage)',
  'no epoch floor':
    'the halves that a cut-off checkpoint left are rewritten by the next one in any case; the floor matters where the newest slot is damaged (test/recovery has it)',
  'replay retires segments':
    'what it notes is looked at only when the first change is whole, by when the log has been read and the empty segments are retired',
}
