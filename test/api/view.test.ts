// Values read in place, within a callback: what it keeps, stores, throws, removes or closes harms nobody.
import { truncateSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { loadEngine } from '../../src/engine/engine.ts'
import { open, type Store } from '../../src/index.ts'
import { errorOf, expectRefusal, expectSame } from '../support/expect.ts'
import { openScratch, scratchDirectory } from '../support/scratch.ts'

/** From which size on values are shown in place, for every store that is open here. Handles: docs/boundary.md. */
function viewFrom(bytes: number): void {
  const engine = loadEngine()
  for (let generation = 1; generation < 300; generation++) {
    for (let slot = 0; slot < 8; slot++) engine.viewFrom(generation * 1024 + slot, bytes)
  }
}

function openStore(on: 'memory' | 'disk' = 'memory'): Store {
  return openScratch({ capacity: '64MiB', segmentBytes: '2MiB' }, on)
}

const value = Buffer.alloc(100_000, 'value')

const ways: readonly (readonly [name: string, from: number, on: 'memory' | 'disk'])[] = [
  ['in place', 1, 'memory'],
  ['copied', Number.MAX_SAFE_INTEGER, 'memory'],
  ['in place, on disk', 1, 'disk'],
]

describe.each(ways)('view, %s', (_name, from, on) => {
  function openWith(entries: Record<string, Buffer>): Store {
    const db = openStore(on)
    for (const [key, bytes] of Object.entries(entries)) putBytes(db, key, bytes)
    viewFrom(from)
    return db
  }
  /** As putStream would, and durable at once. */
  function putBytes(db: Store, key: string, bytes: Buffer): void {
    const ns = db.namespace<Buffer>('bytes', { encoding: 'binary' })
    ns.putSync(key, bytes)
  }
  const bytesOf = (db: Store) => db.namespace<Buffer>('bytes')

  it('shows a value of any size, and returns what the callback does', () => {
    const sizes = [0, 1, 100, 5_000, 70_000, 522_200, 522_201, 3_000_000]
    const db = openWith(Object.fromEntries(sizes.map((size) => [size, Buffer.alloc(size, `size ${size}`)])))
    for (const size of sizes) {
      for (let i = 0; i < 3; i++) {
        const seen = bytesOf(db).view(`${size}`, (bytes) => {
          expect(Object.getPrototypeOf(bytes)).toBe(Uint8Array.prototype)
          return Buffer.from(bytes)
        })
        expectSame(seen, Buffer.alloc(size, `size ${size}`))
      }
    }
    expect(bytesOf(db).view('absent', () => 'called')).toBeUndefined()
  })

  it('is over when the callback returns or throws', () => {
    const db = openWith({ key: value })
    const kept: Uint8Array[] = []
    bytesOf(db).view('key', (bytes) => kept.push(bytes, bytes.subarray(10), new Uint8Array(bytes.buffer, 5, 5)))
    const error = new Error('thrown')
    const thrown = errorOf(() => {
      bytesOf(db).view('key', (bytes) => {
        kept.push(bytes)
        throw error
      })
    })
    expect(thrown).toBe(error)
    const promise = errorOf(() => bytesOf(db).view('key', async (bytes) => Promise.resolve(kept.push(bytes))))
    expect(promise).toBeInstanceOf(TypeError)
    expect(kept.map((bytes) => bytes.length)).toEqual(kept.map(() => 0))
    expect(kept).toHaveLength(5)
  })

  it('ends with the store when the callback closes it, also within another', () => {
    const db = openWith({ key: value })
    const ns = bytesOf(db)
    const lengths = ns.view('key', (outer) =>
      ns.view('key', (inner) => {
        db.close()
        return [outer.length, inner.length]
      }),
    )
    expect(lengths).toEqual([0, 0])
    expectRefusal(
      errorOf(() => ns.view('key', () => 1)),
      'ERR_SEALOG_CLOSED',
    )
  })

  it('hands what is stored to it to nobody', () => {
    const db = openWith({ key: value, next: value })
    const ns = bytesOf(db)
    for (let i = 0; i < 3; i++) {
      ns.view('key', (bytes) => {
        bytes.fill(i)
        expectSame(ns.get('key'), value)
        ns.view('key', (again) => {
          expectSame(Buffer.from(again), value)
          again.fill(0xff)
        })
      })
      ns.view('key', (bytes) => {
        expectSame(Buffer.from(bytes), value)
      })
      expectSame(ns.get('next'), value)
    }
  })

  it('shows the value as it was, whatever the callback changes', () => {
    const db = openWith({ key: value })
    const ns = bytesOf(db)
    ns.view('key', (bytes) => {
      ns.removeSync('key')
      expect(ns.view('key', () => 1)).toBeUndefined()
      // All there is room for, twice.
      for (let i = 0; i < 400; i++) {
        try {
          ns.putSync(i % 50, Buffer.alloc(300_000, i))
        } catch (error) {
          expectRefusal(error, 'ERR_SEALOG_FULL')
          break
        }
      }
      expectSame(Buffer.from(bytes), value)
    })
    for (let i = 0; i < 400; i++) ns.putSync(i % 50, Buffer.alloc(300_000, i))
    ns.view(399 % 50, (bytes) => {
      expectSame(Buffer.from(bytes), Buffer.alloc(300_000, 399))
    })
  })

  it('shows what is not durable yet', async () => {
    const db = openWith({})
    const ns = db.namespace<Buffer>('bytes', { encoding: 'binary' })
    for (let i = 0; i < 20; i++) {
      const written = ns.put('key', Buffer.alloc(50_000, i))
      ns.view('key', (bytes) => {
        expectSame(Buffer.from(bytes), Buffer.alloc(50_000, i))
      })
      await written
      ns.view('key', (bytes) => {
        expectSame(Buffer.from(bytes), Buffer.alloc(50_000, i))
      })
    }
  })

  it('reads snapshots, released in the callback or not', () => {
    const db = openWith({ key: value })
    const ns = bytesOf(db)
    const snapshot = db.snapshot()
    ns.removeSync('key')
    const then = snapshot.namespace(ns)
    then.view('key', (bytes) => {
      snapshot.release()
      for (let i = 0; i < 30; i++) ns.putSync(i % 5, Buffer.alloc(300_000, i))
      expectSame(Buffer.from(bytes), value)
    })
    expectRefusal(
      errorOf(() => then.view('key', () => 1)),
      'ERR_SEALOG_CLOSED',
    )
    expect(db.stats().pins.snapshots).toBe(0)
  })

  it('takes keys of every kind, and refuses what is no callback', () => {
    const db = openWith({})
    const ns = db.namespace<Buffer>('bytes', { encoding: 'binary' })
    for (const key of [1, ['a', 2], 'ï¿½\uf000', Symbol.for('s'), Buffer.from('b')]) {
      ns.putSync(key, value)
      expect(ns.view(key, (bytes) => bytes.length)).toBe(value.length)
    }
    expect(errorOf(() => ns.view(1, undefined as never))).toBeInstanceOf(TypeError)
    expect(errorOf(() => ns.view({} as never, () => 1))).toBeInstanceOf(TypeError)
  })
})

it('shows zeros where the file was cut off, says so behind the callback, and the process lives', () => {
  const path = join(scratchDirectory(), 'store')
  const db = open<Buffer>(path, { capacity: '64MiB', encoding: 'binary' })
  db.putSync('key', value)
  viewFrom(1)
  let sum = -1
  const error = errorOf(() =>
    db.view('key', (bytes) => {
      truncateSync(db.path, 0)
      sum = bytes.reduce((a, b) => a + b, 0)
    }),
  )
  expect(sum).toBe(0)
  expectRefusal(error, 'ERR_SEALOG_MEDIA')
  expectRefusal(
    errorOf(() => db.view('key', () => 1)),
    'ERR_SEALOG_MEDIA',
  )
  expect(
    errorOf(() => {
      db.close()
    }),
  ).toBeDefined()
})
