// A batch is packed while code of the caller's runs: its generator, its toJSON, its encode function. That code may write, too.
import { describe, expect, it } from 'vitest'
import type { BatchOperation, Store } from '../../src/index.ts'
import { openScratch } from '../support/scratch.ts'

const inner: BatchOperation<string>[] = [
  { type: 'put', key: 'x', value: 'X' },
  { type: 'put', key: 'y', value: 'Y' },
]
const all = ['a', 'b', 'x', 'y']

describe('a batch that is begun while another is packed', () => {
  it('loses nothing of the outer one when its generator writes a batch', () => {
    const db = openScratch<string>()
    function* operations(): Iterable<BatchOperation<string>> {
      yield { type: 'put', key: 'a', value: 'A' }
      db.batchSync(inner)
      yield { type: 'put', key: 'b', value: 'B' }
    }
    db.batchSync(operations())
    expect([...db.keys()]).toEqual(all)
  })

  it('loses nothing when the promise form is used', async () => {
    const db = openScratch<string>()
    let pending: Promise<boolean> | undefined
    function* operations(): Iterable<BatchOperation<string>> {
      yield { type: 'put', key: 'a', value: 'A' }
      pending = db.batch(inner)
      yield { type: 'put', key: 'b', value: 'B' }
    }
    await db.batch(operations())
    await pending
    expect([...db.keys()]).toEqual(all)
  })

  it('loses nothing when the toJSON of a value writes a batch', () => {
    const db = openScratch()
    class Value {
      toJSON(): object {
        db.batchSync(inner)
        return { b: 'B' }
      }
    }
    db.batchSync([
      { type: 'put', key: 'a', value: { a: 'A' } },
      { type: 'put', key: 'b', value: new Value() },
    ])
    expect([...db.range()]).toEqual([
      { key: 'a', value: { a: 'A' } },
      { key: 'b', value: { b: 'B' } },
      { key: 'x', value: 'X' },
      { key: 'y', value: 'Y' },
    ])
  })

  it('loses nothing when a custom encode function writes a batch, which grows what it is packed into', () => {
    const db: Store<string> = openScratch<string>({
      encoding: {
        encode(value) {
          if (value === 'B')
            db.batchSync([
              { type: 'put', key: 'x', value: 'X'.repeat(10_000) },
              { type: 'put', key: 'y', value: 'Y'.repeat(10_000) },
            ])
          return Buffer.from(value)
        },
        decode: (bytes) => Buffer.from(bytes).toString(),
      },
    })
    db.batchSync([
      { type: 'put', key: 'a', value: 'A' },
      { type: 'put', key: 'b', value: 'B' },
    ])
    expect([...db.range()]).toEqual([
      { key: 'a', value: 'A' },
      { key: 'b', value: 'B' },
      { key: 'x', value: 'X'.repeat(10_000) },
      { key: 'y', value: 'Y'.repeat(10_000) },
    ])
  })
})
