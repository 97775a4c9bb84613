let warned = false

/** Tells, once in a process, that something was left to garbage collection that holds superseded space until then. */
export function warnOfLeak(what: string): void {
  if (warned) return
  warned = true
  process.emitWarning(`${what}; it held superseded space until it was garbage collected`, {
    type: 'SealogWarning',
    code: 'SEALOG_LEAK',
  })
}
