// Values that come and go as streams: from every kind of source, whole or not at all, and without being held in memory.
import { readFileSync } from 'node:fs'
import { PassThrough, Readable } from 'node:stream'
import { buffer as bufferOf } from 'node:stream/consumers'
import { ReadableStream } from 'node:stream/web'
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, expect, it } from 'vitest'
import { type Key, open, type ReadView, type Store, type ValueSource } from '../../src/index.ts'
import { expectRefusal, expectSame, rejectionOf } from '../support/expect.ts'
import { openScratch, scratchDirectory } from '../support/scratch.ts'

/** Bytes that are not the same anywhere. */
function bytes(length: number, seed = 1): Buffer {
  const buffer = Buffer.alloc(length)
  for (let at = 0; at + 4 <= length; at += 4) buffer.writeUInt32LE(Math.imul(at + seed, 2654435761) >>> 0, at)
  return buffer
}

function* slices(value: Buffer, size: number): Generator<Buffer> {
  for (let at = 0; at < value.length; at += size) yield value.subarray(at, at + size)
}

async function read(view: ReadView, key: Key): Promise<Buffer | undefined> {
  const stream = view.getStream(key)
  return stream && bufferOf(stream)
}

/** With pieces as large as they get. */
function openLarge(capacity: string): Store {
  return openScratch({ capacity, segmentBytes: '2MiB' })
}

const pieceBytes = 522_200
const sizes = [0, 1, 100, pieceBytes - 1, pieceBytes, pieceBytes + 1, 3 * pieceBytes, 5_000_000]

describe('putStream', () => {
  it.each(sizes)('stores %i bytes as they came, however they were cut', async (size) => {
    const db = openLarge('64MiB')
    const value = bytes(size)
    for (const chunk of [size + 1, 65_536, pieceBytes]) {
      await db.putStream('key', slices(value, chunk))
      expectSame(db.getBinary('key'), value)
      expectSame(await read(db, 'key'), value)
    }
  })

  const value = bytes(1_200_000)
  const sources: Record<string, () => ValueSource> = {
    'a Readable': () => Readable.from(slices(value, 65_536)),
    'a web stream': () => ReadableStream.from(slices(value, 65_536)),
    'an async iterable': async function* () {
      for (const slice of slices(value, 65_536)) {
        await nextTurn()
        yield slice
      }
    },
    'an array': () => [value],
    'its own stream': () => {
      throw new Error('replaced below')
    },
  }
  it.each(Object.keys(sources))('takes %s', async (name) => {
    const db = openLarge('64MiB')
    await db.putStream('from', [value])
    const source = name === 'its own stream' ? db.getStream('from') : sources[name]?.()
    await db.putStream('to', source as ValueSource)
    expectSame(db.getBinary('to'), value)
  })

  it('takes strings as UTF-8, in namespaces, too, and keys of every kind', async () => {
    const db = openLarge('64MiB')
    const ns = db.namespace('ns', { encoding: 'string' })
    await ns.putStream(['a', 1], ['grüß ', Buffer.from('dich')])
    expect(ns.get(['a', 1])).toBe('grüß dich')
    await ns.putStream(2, [value])
    expectSame(ns.getBinary(2), value)
    expectSame(await read(ns, 2), value)
    expect(db.has(2)).toBe(false)
  })

  it('is visible only as a whole', async () => {
    const db = openLarge('64MiB')
    db.putSync('key', 'old')
    const source = new PassThrough()
    const written = db.putStream('key', source)
    for (const slice of slices(value, 100_000)) {
      source.write(slice)
      await nextTurn()
      expect(db.get('key')).toBe('old')
      db.putSync('other', slice.length)
    }
    source.end()
    await written
    expectSame(db.getBinary('key'), value)
  })

  it('is there after a reopen, and after two at a time', async () => {
    const path = `${scratchDirectory()}/store`
    const a = bytes(3_000_000, 1)
    const b = bytes(2_500_000, 2)
    {
      using db = open(path, { capacity: '64MiB', encoding: 'binary' })
      await Promise.all([
        db.putStream('a', Readable.from(slices(a, 10_000))),
        db.putStream('b', Readable.from(slices(b, 11_000))),
      ])
    }
    using db = open<Buffer>(path)
    expectSame(db.get('a'), a)
    expectSame(db.get('b'), b)
  })

  it('keeps to conditions as they are at its end, and to times to live', async () => {
    const db = openLarge('64MiB')
    expect(await db.putStream('key', [value], { ifNoExists: true })).toBe(true)
    expect(await db.putStream('key', [bytes(2_000_000)], { ifNoExists: true })).toBe(false)
    expectSame(db.getBinary('key'), value)
    const stream = db.getStream('key')
    stream?.destroy()
    db.putSync('v', 1)
    const { version } = db.getEntry('v') as { version: number }
    const late = new PassThrough()
    const written = db.putStream('v', late, { ifVersion: version })
    late.write(value)
    await nextTurn()
    db.putSync('v', 2)
    late.end()
    expect(await written).toBe(false)
    expect(db.get('v')).toBe(2)
    await db.putStream('ttl', [value], { ttl: 60 })
    await db.putStream('small', ['x'], { ttl: 60 })
    expect([db.has('ttl'), db.has('small')]).toEqual([true, true])
    await sleep(80)
    expect([db.has('ttl'), db.getStream('ttl'), db.has('small')]).toEqual([false, undefined, false])
  })

  it('tells its progress', async () => {
    const db = openLarge('64MiB')
    const told: number[] = []
    await db.putStream('key', slices(value, 65_536), { onProgress: (done) => told.push(done) })
    expect(told).toEqual([pieceBytes, 2 * pieceBytes])
    const error = new Error('enough')
    const onProgress = (): void => {
      throw error
    }
    expect(await rejectionOf(() => db.putStream('other', slices(value, 65_536), { onProgress }))).toBe(error)
    expect(db.has('other')).toBe(false)
  })

  it('leaves nothing when the source fails, and passes its error on', async () => {
    const db = openLarge('32MiB')
    await db.putStream('key', [value])
    const error = new Error('the source failed')
    const live = db.stats().log.liveBytes
    // Many times what the store can hold.
    for (let i = 0; i < 20; i++) {
      const source = (async function* () {
        yield bytes(4_000_000, i)
        await nextTurn()
        throw error
      })()
      expect(await rejectionOf(() => db.putStream('key', source))).toBe(error)
    }
    expect(db.stats().log.liveBytes).toBe(live)
    expectSame(db.getBinary('key'), value)
    await db.putStream('key', [bytes(4_000_000)])
  })

  it('refuses what does not fit, and stays usable', async () => {
    const db = openLarge('18MiB')
    db.putSync('key', 'old')
    let ended = false
    const source = (function* () {
      try {
        for (let i = 0; i < 100; i++) yield bytes(1_000_000, i)
      } finally {
        ended = true
      }
    })()
    expectRefusal(await rejectionOf(() => db.putStream('key', source)), 'ERR_SEALOG_FULL')
    expect(ended).toBe(true)
    expect(db.get('key')).toBe('old')
    await db.putStream('key', [value])
    expectSame(db.getBinary('key'), value)
  })

  it('stops at once when its signal is aborted, also while it waits', async () => {
    const db = openLarge('64MiB')
    db.putSync('key', 'old')
    const reason = new Error('no more')
    const readable = new PassThrough()
    let cancelled: unknown
    const web = new ReadableStream({
      start: (controller) => { controller.enqueue(value) },
      cancel: (why) => { cancelled = why },
    }) // prettier-ignore
    for (const source of [
      readable,
      web,
      (async function* () {
        yield value
        await new Promise(() => undefined)
      })(),
    ]) {
      // prettier-ignore
      const controller = new AbortController()
      const written = rejectionOf(() => db.putStream('key', source, { signal: controller.signal }))
      if (source === readable) readable.write(value)
      await sleep(5)
      controller.abort(reason)
      expect(expectRefusal(await written, 'ERR_SEALOG_ABORTED').cause).toBe(reason)
      expect(db.get('key')).toBe('old')
    }
    expect(readable.destroyed).toBe(true)
    expect(cancelled).toMatchObject({ code: 'ERR_SEALOG_ABORTED' })
    const aborted = AbortSignal.abort(reason)
    expectRefusal(await rejectionOf(() => db.putStream('key', [value], { signal: aborted })), 'ERR_SEALOG_ABORTED')
  })

  it('rejects when the store is closed or the namespace cleared or dropped meanwhile', async () => {
    const db = openLarge('64MiB')
    const cases = [
      [db.namespace('cleared'), 'ERR_SEALOG_CONFLICT'],
      [db.namespace('dropped'), 'ERR_SEALOG_CLOSED'],
      [db, 'ERR_SEALOG_CLOSED'],
    ] as const
    for (const [table, code] of cases) {
      const source = new PassThrough()
      const written = rejectionOf(() => table.putStream('key', source))
      source.write(value)
      await sleep(5)
      if (table === db) db.close()
      else if (code === 'ERR_SEALOG_CONFLICT') table.clearSync()
      else (table as { drop(): void }).drop()
      source.end(value)
      expectRefusal(await written, code)
      expect(source.destroyed).toBe(true)
    }
    expectRefusal(await rejectionOf(() => db.putStream('key', [])), 'ERR_SEALOG_CLOSED')
  })

  it('refuses what is no source, chunk, key or option', async () => {
    const db = openLarge('64MiB')
    const put = db.putStream.bind(db) as (...all: unknown[]) => Promise<unknown>
    for (const source of [undefined, null, 1, 'text', Buffer.from('x'), {}, [1], [undefined], [new Uint16Array(1)]])
      expect(await rejectionOf(() => put('key', source))).toBeInstanceOf(TypeError)
    for (const options of [null, { unknown: 1 }, { signal: 1 }, { onProgress: 1 }, { ttl: '1' }, { ifNoExists: 1 }])
      expect(await rejectionOf(() => put('key', [], options))).toBeInstanceOf(TypeError)
    expect(await rejectionOf(() => put({}, []))).toBeInstanceOf(TypeError)
    expectRefusal(await rejectionOf(() => put('k'.repeat(2000), [])), 'ERR_SEALOG_KEY_TOO_LARGE')
    expectRefusal(await rejectionOf(() => put('k'.repeat(1980), [], { ttl: 1 })), 'ERR_SEALOG_KEY_TOO_LARGE')
    expect(db.has('key')).toBe(false)
    await db.transaction(async () => {
      expectRefusal(await rejectionOf(() => db.putStream('key', [])), 'ERR_SEALOG_TRANSACTION')
    })
  })

  it('is told to watchers, with the bytes where they are no value', async () => {
    const db = openLarge('64MiB')
    const changes = db.watch({ key: 'key' })
    await db.putStream('key', [value])
    db.putSync('key', 'new')
    const first = await changes.next()
    expectSame((first.value as { value: unknown }).value, value)
    expect((await changes.next()).value).toMatchObject({ type: 'put', value: 'new' })
    await changes.return?.()
  })
})

describe('getStream', () => {
  const value = bytes(4 * pieceBytes + 17)

  it('is undefined where there is nothing, and pins nothing then', () => {
    const db = openLarge('64MiB')
    expect(db.getStream('absent')).toBeUndefined()
    expect(db.stats().pins.snapshots).toBe(0)
  })

  it('reads what was there when it was asked for, whatever comes', async () => {
    const db = openLarge('32MiB')
    await db.putStream('key', [value])
    const stream = db.getStream('key')!
    const parts: Buffer[] = []
    for await (const part of stream) {
      parts.push(part as Buffer)
      db.removeSync('key')
      for (let i = 0; i < 20; i++) await db.putStream('other', [bytes(600_000, i)]).catch(() => undefined)
    }
    expectSame(Buffer.concat(parts), value)
    expect(parts.length).toBe(5)
    expect(db.stats().pins.snapshots).toBe(0)
  })

  it('lets go of its state at its end, when it is destroyed, and when it is forgotten', async () => {
    const db = openLarge('64MiB')
    await db.putStream('key', [value])
    const streams = Array.from({ length: 3 }, () => db.getStream('key')!)
    expect(db.stats().pins.snapshots).toBe(3)
    await bufferOf(streams[0]!)
    expect(db.stats().pins.snapshots).toBe(2)
    streams[1]?.destroy()
    await nextTurn()
    expect(db.stats().pins.snapshots).toBe(1)
    for await (const part of streams[2]!) {
      expect(part).toHaveLength(pieceBytes)
      break
    }
    expect(db.stats().pins.snapshots).toBe(0)
  })

  it('lets go of its state when nobody has it any more', async () => {
    const db = openLarge('64MiB')
    await db.putStream('key', [value])
    for (let i = 0; i < 5; i++) db.getStream('key')?.once('error', () => undefined)
    expect(db.stats().pins.snapshots).toBe(5)
    setFlagsFromString('--expose-gc')
    const collect = runInNewContext('gc') as () => void
    for (let i = 0; i < 50 && db.stats().pins.snapshots > 0; i++) {
      await sleep(10)
      collect()
    }
    expect(db.stats().pins.snapshots).toBe(0)
  })

  it('reads a snapshot until it is released', async () => {
    const db = openLarge('64MiB')
    await db.putStream('key', [value])
    const snapshot = db.snapshot()
    db.removeSync('key')
    expectSame(await read(snapshot, 'key'), value)
    const stream = snapshot.getStream('key')!
    snapshot.release()
    expectRefusal(await rejectionOf(() => bufferOf(stream)), 'ERR_SEALOG_CLOSED')
    expectRefusal(await rejectionOf(() => read(snapshot, 'key')), 'ERR_SEALOG_CLOSED')
  })

  it('fails when the store is closed', async () => {
    const db = openLarge('64MiB')
    await db.putStream('key', [value])
    const stream = db.getStream('key')!
    db.close()
    expectRefusal(await rejectionOf(() => bufferOf(stream)), 'ERR_SEALOG_CLOSED')
  })

  it('keeps to a namespace as it was', async () => {
    const db = openLarge('64MiB')
    const ns = db.namespace('ns')
    await ns.putStream('key', [value])
    const stream = ns.getStream('key')!
    ns.clearSync()
    await ns.putStream('key', [bytes(100)])
    expectSame(await bufferOf(stream), value)
  })
})

/** Bytes that belong to the process alone: not those of mapped files. */
function anonymousBytes(): number {
  return Number(/RssAnon:\s+(\d+) kB/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]) * 1024
}

describe('a value of 256 MiB', () => {
  it('goes in and out without being held in memory', { timeout: 120_000 }, async () => {
    const db: Store = openLarge('400MiB')
    const mib = 2 ** 20
    const chunk = bytes(mib)
    let most = 0
    const before = anonymousBytes()
    const look = (): void => {
      most = Math.max(most, anonymousBytes() - before)
    }
    const source = (function* () {
      for (let i = 0; i < 256; i++) {
        chunk.writeUInt32LE(i)
        yield chunk
      }
    })()
    await db.putStream('key', source, { onProgress: look })
    let at = 0
    for await (const part of db.getStream('key')!) {
      const got = part as Buffer
      for (let i = Math.ceil(at / mib); i * mib + 4 <= at + got.length; i++)
        expect(got.readUInt32LE(i * mib - at)).toBe(i)
      at += got.length
      if (at % 64 === 0) look()
    }
    look()
    expect(at).toBe(256 * mib)
    expect(most).toBeLessThan(128 * mib)
  })
})
