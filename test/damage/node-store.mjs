// A store file as sealog_damage --export gives it, and what is known of it: which bytes are what, and the state behind each commit.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

const compare = Buffer.compare

export class ExportedStore {
  constructor(folder, variant) {
    this.bytes = readFileSync(join(folder, `${variant}.sealog`))
    const known = JSON.parse(readFileSync(join(folder, `${variant}.json`), 'utf8'))
    this.segmentBytes = known.segmentBytes
    this.nextLsn = known.nextLsn
    this.pieces = known.pieces
    this.commits = known.commits
    this.state = known.state.map(([key, value]) => [Buffer.from(key, 'hex'), Buffer.from(value, 'hex')])
    this.tail = this.pieces.filter((piece) => piece.kind === 'log tail')
  }

  /** The structure that a byte belongs to; undefined: free. */
  pieceAt(offset) {
    let low = 0
    let high = this.pieces.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.pieces[middle].end <= offset) low = middle + 1
      else high = middle
    }
    const piece = this.pieces[low]
    return piece !== undefined && piece.begin <= offset ? piece : undefined
  }

  isHeader(offset) {
    const piece = this.pieceAt(offset)
    return piece !== undefined && offset - piece.begin < piece.headerBytes
  }

  /** What is in the store if the log ends behind `lsn`, in key order. */
  stateAt(lsn) {
    const state = new Map()
    for (const [last, changes] of this.commits) {
      if (last > lsn) break
      for (const [key, value] of changes) {
        if (value === null) state.delete(key)
        else state.set(key, value)
      }
    }
    return [...state]
      .map(([key, value]) => [Buffer.from(key, 'hex'), Buffer.from(value, 'hex')])
      .sort(([a], [b]) => compare(a, b))
  }

  /** Whether a frame that is whole proves that the one of `lsn`, which is damaged, is missing. */
  isProvedMissing(lsn) {
    return this.tail.some((frame) => frame.lsn > lsn && frame.lsn - frame.window >= lsn)
  }
}
