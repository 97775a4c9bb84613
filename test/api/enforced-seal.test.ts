// The enforced seal where it would not hold: refused, and the store is none the worse. Where it does is test/dax's to show.
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { open } from '../../src/index.ts'
import { errorOf, expectRefusal } from '../support/expect.ts'
import { scratchDirectory, small } from '../support/scratch.ts'

describe.each(['memory', 'disk'] as const)('an enforced seal in/on the %s', (place) => {
  it('is refused, and the store works without', () => {
    const path = join(scratchDirectory(place), 'store')
    const db = open(path, small)
    expect(db.seal.enforced).toBe(false)
    if (db.persistence === 'pmem') return
    db.putSync('a', 1)
    db.close()
    expectRefusal(
      errorOf(() => open(path, { seal: { immutable: true } })),
      'ERR_SEALOG_UNSUPPORTED',
    )
    const again = open(path, { seal: { immutable: false } })
    expect(again.get('a')).toBe(1)
    again.close()
  })
})
