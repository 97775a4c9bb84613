// verify: says nothing of a store that is well, however it was used, and finds damage of every kind.
import { copyFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { open, type ProblemKind, type Store, type VerifyReport } from '../../src/index.ts'
import { rejectionOf } from '../support/expect.ts'
import { PlantedStore } from '../support/planted.ts'
import { openScratch, scratchDirectory } from '../support/scratch.ts'

const hourMs = 3_600_000

/** Something of everything: three levels of nodes, a large value, namespaces, entries that expire, dead records. */
function fill(db: Store): void {
  for (let i = 0; i < 6_000; i++) void db.put(`key ${String(i).padStart(6, '0')}`, { i, text: 'x'.repeat(i % 50) })
  for (let i = 0; i < 6_000; i += 5) db.remove(`key ${String(i).padStart(6, '0')}`).catch(() => undefined)
  const sessions = db.namespace<string>('sessions', { ttl: hourMs })
  for (let i = 0; i < 300; i++) sessions.putSync(i, `session ${i}`)
  db.namespace('utf8', { keys: 'utf8' }).putSync('ключ', 1)
  db.putSync('large', Buffer.alloc(150_000, 3))
}

/** A closed store with all that; its file. */
function filledStore(): string {
  const path = join(scratchDirectory(), 'store')
  const db = open(path, { capacity: '8MiB', segmentBytes: '64KiB' })
  fill(db)
  db.close()
  return `${path}.sealog`
}

async function verifyFile(path: string): Promise<VerifyReport> {
  const db = open(path, { readOnly: true })
  try {
    return await db.verify()
  } finally {
    db.close()
  }
}

describe('verify', () => {
  it('finds nothing wrong in a store that is written to, in one that was closed, and in one that was not', async () => {
    const directory = scratchDirectory()
    const db = open(join(directory, 'store'), { capacity: '8MiB', segmentBytes: '64KiB' })
    fill(db)
    const running = db.verify()
    for (let i = 0; i < 3_000; i++) void db.put(`key ${String(i).padStart(6, '0')}`, 'again')
    const report = await running
    expect(report.problems).toEqual([])
    expect(report.ok).toBe(true)
    // All that the call found there, the lists of the store's own included, and nothing that came later.
    expect(report.entries).toBeGreaterThan(4_800 + 600 + 2)
    expect(report.bytes).toBeGreaterThan(300_000)
    await db.flush()
    copyFileSync(db.path, join(directory, 'killed.sealog'))
    expect((await verifyFile(join(directory, 'killed.sealog'))).problems).toEqual([])
    db.close()
    expect((await verifyFile(db.path)).problems).toEqual([])
  })

  it('finds nothing wrong in an empty store', async () => {
    const report = await openScratch().verify()
    expect(report).toMatchObject({ ok: true, entries: 0, nodes: 0, problems: [] })
  })

  it('reports progress, and stops at a signal, letting go of what it held', async () => {
    const db = openScratch({ capacity: '16MiB' })
    fill(db)
    const seen: number[] = []
    await db.verify({ onProgress: (done, total) => seen.push(done / total) })
    expect(seen.at(-1)).toBe(1)
    const controller = new AbortController()
    controller.abort('enough')
    const error = await rejectionOf(() => db.verify({ signal: controller.signal }))
    expect(error).toMatchObject({ code: 'ERR_SEALOG_ABORTED', cause: 'enough' })
    db.putSync('a', 1)
    expect(db.stats().pins.waiting).toBeLessThan(1_000)
  })

  it('refuses options that are none, and a closed store', async () => {
    const db = openScratch()
    expect(await rejectionOf(() => db.verify({ progress: 1 } as never))).toBeInstanceOf(TypeError)
    expect(await rejectionOf(() => db.verify({ onProgress: 1 as never }))).toBeInstanceOf(TypeError)
    db.close()
    expect(await rejectionOf(() => db.verify())).toMatchObject({ code: 'ERR_SEALOG_CLOSED' })
  })

  it('ends with the store when that is closed meanwhile', async () => {
    const db = openScratch({ capacity: '16MiB' })
    fill(db)
    const running = rejectionOf(() => db.verify())
    db.close()
    expect(await running).toMatchObject({ code: 'ERR_SEALOG_CLOSED' })
  })
})

describe('verify finds', () => {
  const first = <T>(list: readonly T[]): T => {
    if (list[0] === undefined) throw new Error('there is none')
    return list[0]
  }
  const find = (store: PlantedStore, text: string): number => {
    const at = store.bytes.lastIndexOf(text)
    if (at < 0) throw new Error(`${text} is not there`)
    return at
  }
  const flip = (store: PlantedStore, at: number): void => {
    store.bytes.writeUInt8(store.bytes.readUInt8(at) ^ 1, at)
  }
  /** An inner node with children enough; `level` 1 as a rule. */
  const inner = (store: PlantedStore) =>
    first(store.nodes('Inner').filter(({ offset }) => store.bytes.readUInt8(offset + 5) > 3))

  const cases: readonly [what: string, kind: ProblemKind, plant: (store: PlantedStore) => void, at?: string][] = [
    [
      'a bit of a leaf',
      'node',
      (store) => {
        flip(store, first(store.nodes('Leaf')).offset + 100)
      },
    ],
    [
      'a bit of an inner node',
      'node',
      (store) => {
        flip(store, inner(store).offset + 70)
      },
    ],
    [
      'another stamp',
      'node',
      (store) => {
        store.changeNode(first(store.nodes('Leaf')).offset, (node) => {
          flip(store, node.byteOffset - store.bytes.byteOffset + 15)
        })
      },
    ],
    [
      'a separator above keys of its child',
      'order',
      (store) => {
        store.changeNode(inner(store).offset, (node) => {
          node.writeBigUInt64LE(node.readBigUInt64LE(64 + 48) - 1n, 64 + 24)
        })
      },
    ],
    [
      'a wrong count',
      'count',
      (store) => {
        store.changeNode(inner(store).offset, (node) => {
          node.writeUInt32LE(node.readUInt32LE(64 + 16) + 1, 64 + 16)
        })
      },
    ],
    [
      'a wrong count of a root',
      'count',
      (store) => {
        store.changeSlot((slot) => {
          slot.writeUInt8(slot.readUInt8(88) ^ 1, 88)
        })
      },
    ],
    [
      'a wrong fingerprint',
      'fingerprint',
      (store) => {
        store.changeNode(first(store.nodes('Leaf')).offset, (node) => {
          node.writeUInt8(node.readUInt8(16) ^ 1, 16)
        })
      },
    ],
    [
      'a bit of a value',
      'record',
      (store) => {
        flip(store, find(store, 'session 123') + 8)
      },
      'sessions',
    ],
    [
      'a bit of a piece of a large value',
      'value',
      (store) => {
        flip(store, find(store, '\x03'.repeat(500)) + 100)
      },
      'large',
    ],
    [
      'entries that expire without a line',
      'expiry',
      (store) => {
        store.changeSlot((slot) => slot.fill(0, 152, 176))
      },
    ],
    [
      'wrong live bytes',
      'live',
      (store) => {
        store.changeSegment(first(store.ofType('Log')), (half) => {
          half.writeUInt32LE(half.readUInt32LE(24) + 16, 24)
        })
      },
    ],
    [
      'wrong live units',
      'live',
      (store) => {
        store.changeSegment(first(store.ofType('Leaf')), (half) => {
          half.writeUInt32LE(half.readUInt32LE(24) - 1, 24)
        })
      },
    ],
    [
      'a bit of a bitmap',
      'bitmap',
      (store) => {
        const bitmap = store.bitmapOf(first(store.ofType('Leaf')))
        flip(store, bitmap.byteOffset - store.bytes.byteOffset + 20)
      },
    ],
    [
      'a node that is marked free',
      'bitmap',
      (store) => {
        const { segment, unit } = first(store.nodes('Leaf'))
        store.changeBit(segment, unit, false)
      },
    ],
    [
      'a unit in use that nothing reaches',
      'leak',
      (store) => {
        const { segment, unit } = first(store.nodes('Leaf', false))
        store.changeBit(segment, unit, true)
      },
    ],
    [
      'a bit of a log header',
      'log',
      (store) => {
        flip(store, first(store.ofType('Log')).offset + 16)
      },
    ],
    [
      'a bit of the second superblock',
      'meta',
      (store) => {
        flip(store, 4096 + 100)
      },
    ],
    [
      'a bit of the older slot',
      'meta',
      (store) => {
        flip(store, (store.slotOffset === 8192 ? 12288 : 8192) + 20)
      },
    ],
    [
      'a namespace that makes no sense',
      'system',
      (store) => {
        const at = find(store, 'namespace/utf8')
        const header = store.bytes.lastIndexOf(Buffer.from([1, 0x81]), at) - 4
        store.changeRecord(header, () => {
          store.bytes.write('?', at + 'namespace/utf8'.length)
        })
      },
    ],
  ]

  it.each(cases)('%s', async (_, kind, plant, where) => {
    const path = filledStore()
    const store = new PlantedStore(path)
    plant(store)
    store.save(path)
    const report = await verifyFile(path)
    expect(report.ok).toBe(false)
    expect(report.problems.map((each) => each.kind)).toContain(kind)
    const problem = report.problems.find((each) => each.kind === kind)
    if (where === 'large') expect(problem?.key).toBe('large')
    if (where === 'sessions') expect(problem).toMatchObject({ namespace: 'sessions', key: 123 })
  })

  it('a thousand problems at most, and counts the others', async () => {
    const path = filledStore()
    const store = new PlantedStore(path)
    for (const { offset } of store.nodes('Leaf')) {
      store.changeNode(offset, (node) => {
        for (let i = 0; i < 48; i++) node.writeUInt8(node.readUInt8(16 + i) ^ 1, 16 + i)
      })
    }
    store.save(path)
    const report = await verifyFile(path)
    expect(report.problems).toHaveLength(1_000)
    expect(report.problemCount).toBeGreaterThan(4_000)
  })
})
