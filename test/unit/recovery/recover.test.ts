import { describe, expect, it } from 'vitest'
import { Status } from '../../../src/engine/status.ts'
import { type OpenOptions, resolveOptions } from '../../../src/options.ts'
import { openStore } from '../../../src/recovery/recover.ts'
import { fakeEngine, type FakeState, testInfo, testProbe, testReplay } from '../../support/fake-engine.ts'
import { encodeMeta, testSlot, testSuperblock } from '../../support/meta-bytes.ts'

function open(given: Partial<FakeState> = {}, options: OpenOptions = {}) {
  const { engine, state } = fakeEngine(given)
  let error: unknown
  try {
    return { state, store: openStore(engine, '/store', resolveOptions(options)), error }
  } catch (caught) {
    error = caught
  }
  return { state, store: undefined, error }
}

const cleanSlot = { ...testSlot, flags: 1, clean: true }
const failure = (status: number) => ({ status, errno: 5, syscall: 'pread', offset: 77, detail: 'broken' })

describe('opening a store', () => {
  it('that is being read comes again', () => {
    const { engine } = fakeEngine()
    const openRegion = engine.openRegion.bind(engine)
    let attempts = 0
    engine.openRegion = (path, options) => (++attempts < 4 ? -Status.BeingRead : openRegion(path, options))
    expect(openStore(engine, '/store', resolveOptions({}))).toMatchObject({ handle: 7 })
    expect(attempts).toBe(4)
  })

  const grown = { ...testSuperblock, sequence: 2, segmentCount: 20, regionBytes: 20 * 65536 }

  it('whose growth was cut off between the superblocks makes them alike', () => {
    const info = { ...testInfo, fileBytes: grown.regionBytes }
    const { store, state } = open({ file: encodeMeta({ superblocks: [testSuperblock, grown] }), info })
    expect(state.settled).toBe(1)
    expect(store!.superblock.segmentCount).toBe(20)
    expect(store!.recovery).toMatchObject({ usedFallback: false, findings: [expect.stringContaining('growth to')] })
  })

  it('whose growth was cut off before the superblocks takes it back, unless it is read-only', () => {
    const info = { ...testInfo, fileBytes: grown.regionBytes }
    const { store, state } = open({ info })
    expect(state.settled).toBe(0)
    expect(store!.superblock.segmentCount).toBe(16)
    expect(store!.recovery.findings).toEqual([expect.stringContaining('bytes behind')])
    expect(open({ info }, { readOnly: true }).state.settled).toBeUndefined()
  })

  it('that was closed properly serves it without a jump', () => {
    const { store, state } = open({ file: encodeMeta({ slots: [cleanSlot] }) })
    expect(state.calls).toEqual([
      'openRegion',
      'regionInfo',
      'readRegion',
      'readRegion',
      'startStore',
      'replay',
      'probeSeal',
      'readRegion',
      'setGrowth',
      'serve',
      'shareStore',
    ])
    expect(state.served).toEqual({ lsnJump: 0, populate: true, asCheckpointed: false })
    expect(store).toMatchObject({ handle: 7, keys: 'ordered', encoding: 'msgpack' })
    expect(store!.recovery).toMatchObject({
      outcome: 'clean',
      tornAt: null,
      usedFallback: false,
      lsn: 1000,
      checkpoint: 4,
    })
    expect(store!.seal).toMatchObject({
      level: 'sealed',
      verified: 'unchanged',
      digest: 'fedcba9876543210',
      reasons: [],
    })
  })

  it('that was killed replays its log and jumps', () => {
    const replay = { ...testReplay, frames: 5, records: 9, bytes: 640, lastLsn: 1005, offset: 896, pending: 2 }
    const { store, state } = open({ replay })
    expect(state.served!.lsnJump).toBe(1)
    expect(store!.recovery).toMatchObject({
      outcome: 'recovered',
      framesReplayed: 5,
      recordsReplayed: 9,
      bytesReplayed: 640,
      discardedRecords: 2,
      tornAt: 3 * 65536 + 896,
      lsn: 1005,
    })
  })

  it('that has no log yet replays nothing', () => {
    const { store, state } = open({ file: encodeMeta({ slots: [{ ...cleanSlot, hot: undefined }] }) })
    expect(state.calls).not.toContain('replay')
    expect(store!.recovery).toMatchObject({ outcome: 'clean', lsn: 1000 })
  })

  it('that is not there creates it', () => {
    const { store, state } = open({ file: undefined }, { keys: 'utf8', capacity: '64MiB' })
    expect(store).toBeUndefined() // the fake's new store has ordered keys
    expect(state.created).toMatchObject({ capacityBytes: 64 * 2 ** 20, keyCodec: 2, valueCodec: 1 })
    expect(open({ file: undefined }).store!.recovery.outcome).toBe('created')
  })

  it('that is not there is refused where it may not be created', () => {
    expect(open({ file: undefined }, { createIfMissing: false }).error).toMatchObject({
      code: 'ERR_SEALOG_ABSENT',
      path: '/store',
    })
    expect(open({ file: undefined }, { readOnly: true }).error).toMatchObject({ code: 'ERR_SEALOG_ABSENT' })
  })

  it('that must not be there is refused by the creation', () => {
    const { error, state } = open({ failing: { createStore: failure(Status.Exists) } }, { errorIfExists: true })
    expect(error).toMatchObject({ code: 'ERR_SEALOG_EXISTS' })
    expect(state.calls).toEqual(['createStore'])
  })

  it('read-only writes nothing: the seal is looked at, not mended, and not populated', () => {
    const { store, state } = open({ probe: { ...testProbe, digestLo: 1 } }, { readOnly: true })
    expect(state.repaired).toBeUndefined()
    expect(state.served).toMatchObject({ populate: false })
    expect(store!.seal).toMatchObject({ verified: 'unverified', reasons: ['blocks were moved'] })
  })
})

describe('damage', () => {
  it('inside the log is refused with its place, and the region closed without a write', () => {
    const later = { segment: 4, offset: 512, lsn: 1003, window: 1 }
    const { error, state } = open({ replay: { ...testReplay, later } })
    expect(error).toMatchObject({
      code: 'ERR_SEALOG_CORRUPT',
      path: '/store',
      offset: 3 * 65536 + 256,
      report: { kind: 'damaged', laterOffset: 4 * 65536 + 512 },
    })
    expect(state.calls.slice(-2)).toEqual(['replay', 'closeRegion'])
    expect(state.calls).not.toContain('repairSeal')
  })

  it('of META is refused likewise', () => {
    const meta = encodeMeta()
    meta[32768 + 3 * 64 + 33]! ^= 1
    const { error, state } = open({ file: meta })
    expect(error).toMatchObject({ code: 'ERR_SEALOG_CORRUPT' })
    expect(state.calls.at(-1)).toBe('closeRegion')
    expect(state.calls).not.toContain('startStore')
  })

  it('of one copy of META is reported', () => {
    const meta = encodeMeta({ slots: [testSlot, { ...testSlot, sequence: 3, epoch: 9 }] })
    meta[8192 + 50]! ^= 4
    expect(open({ file: meta }).store!.recovery).toMatchObject({
      usedFallback: true,
      checkpoint: 3,
      findings: [/slot 0/],
    })
  })

  it('met by native calls closes the region and names the call', () => {
    for (const name of ['regionInfo', 'readRegion', 'startStore', 'replay', 'serve'] as const) {
      const { error, state } = open({ failing: { [name]: failure(Status.Io) } })
      expect(error).toMatchObject({ code: 'ERR_SEALOG_IO', errno: -5, syscall: 'pread', offset: 77 })
      expect(state.calls.at(-1)).toBe('closeRegion')
    }
    expect(open({ replay: { ...testReplay, answer: -Status.Corrupt } }).error).toMatchObject({
      code: 'ERR_SEALOG_CORRUPT',
    })
  })

  it('of a truncated file, another version and no store have codes of their own', () => {
    expect(open({ info: { ...testInfo, fileBytes: 65536 } }).error).toMatchObject({ code: 'ERR_SEALOG_TRUNCATED' })
    expect(open({ file: encodeMeta({ superblocks: [{ ...testSuperblock, formatVersion: 3 }] }) }).error).toMatchObject({
      code: 'ERR_SEALOG_VERSION',
    })
    expect(open({ file: Buffer.from('hello') }).error).toMatchObject({ code: 'ERR_SEALOG_NOT_A_STORE' })
  })
})

describe('encodings', () => {
  it('come from the store, and options must agree', () => {
    const file = encodeMeta({ superblocks: [{ ...testSuperblock, keyCodec: 3, valueCodec: 2 }] })
    expect(open({ file }).store).toMatchObject({ keys: 'binary', encoding: 'json' })
    expect(open({ file }, { keys: 'ordered' }).error).toBeInstanceOf(TypeError)
    expect(open({ file }, { encoding: 'msgpack' }).error).toBeInstanceOf(TypeError)
    const custom = { encode: () => new Uint8Array(0), decode: () => 1 }
    expect(open({ file }, { encoding: custom }).error).toBeInstanceOf(TypeError)
    const customFile = encodeMeta({ superblocks: [{ ...testSuperblock, valueCodec: 255 }] })
    expect(open({ file: customFile }).error).toBeInstanceOf(TypeError)
    expect(open({ file: customFile }, { encoding: custom }).store!.encoding).toBe(custom)
  })
})

describe('the seal', () => {
  it('is recorded anew where blocks moved', () => {
    const moved = { ...testProbe, digestLo: 1 }
    const { store, state } = open({ probe: moved, probeAfterRepair: moved })
    expect(state.repaired).toBe(4)
    expect(store!.seal).toMatchObject({ verified: 'resealed', digest: 'fedcba9800000001' })
  })

  it('is repaired where the map is broken', () => {
    const { store } = open({ probe: { ...testProbe, level: 0, holeBytes: 4096 } })
    expect(store!.seal).toMatchObject({ level: 'sealed', verified: 'repaired' })
  })

  it('that cannot be kept is reported, and the store is served', () => {
    const broken = { ...testProbe, level: 0, holeBytes: 4096 }
    const failed = open({ probe: broken, failing: { repairSeal: failure(Status.NoSpace) } })
    expect(failed.store!.seal).toMatchObject({ level: 'sparse', verified: 'unverified', reasons: [/holes/, /no room/] })
    const stubborn = open({ probe: broken, probeAfterRepair: broken })
    expect(stubborn.store!.seal).toMatchObject({ level: 'sparse', verified: 'unverified' })
    const blind = open({ failing: { probeSeal: failure(Status.Io) } })
    expect(blind.store!.seal).toMatchObject({ method: 'none', verified: 'unverified', digest: '' })
    expect(blind.state.served).toBeDefined()
  })
})
