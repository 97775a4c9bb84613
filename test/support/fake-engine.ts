import type {
  Engine,
  NativeCreateOptions,
  RegionInfo,
  ReplayResult,
  SealProbe,
  ServeOptions,
} from '../../src/engine/engine.ts'
import { type Failure, Status } from '../../src/engine/status.ts'
import { encodeMeta, testSeal, testSlot } from './meta-bytes.ts'

export const testProbe: SealProbe = {
  method: 'fiemap',
  level: 2,
  extents: testSeal.extents,
  digestHi: 0xfedcba98,
  digestLo: 0x76543210,
  alignedBytes: 0,
  unwrittenBytes: 0,
  sharedBytes: 0,
  holeBytes: 0,
  otherBytes: 0,
  device: testSeal.device,
  inode: testSeal.inode,
  generation: testSeal.generation,
  immutable: false,
}

export const testInfo: RegionInfo = {
  path: '/store',
  fileBytes: testSeal.regionBytes,
  domain: 'disk',
  mapSync: false,
  dax: false,
  flush: 'clwb',
  eadr: false,
  fsName: 'ext4',
  fsUuid: testSeal.fsUuid,
  device: testSeal.device,
  inode: testSeal.inode,
  blockBytes: 4096,
  readOnly: false,
  besideWriter: false,
}

export const testReplay: ReplayResult = {
  answer: 0,
  frames: 0,
  records: 0,
  bytes: 0,
  lastLsn: testSlot.lsn,
  segment: 3,
  offset: 256,
  pending: 0,
  later: null,
}

export interface FakeState {
  /** Calls in order, by name. */
  calls: string[]
  /** undefined: no file. */
  file: Buffer | undefined
  info: RegionInfo
  probe: SealProbe
  probeAfterRepair: SealProbe
  replay: ReplayResult
  /** What these calls answer instead of their own answer. */
  failing: Partial<Record<keyof Engine, Failure>>
  plan: Uint8Array | undefined
  served: ServeOptions | undefined
  created: NativeCreateOptions | undefined
  repaired: number | undefined
  /** The superblock that the other one was made like. */
  settled: number | undefined
}

/** Just enough of the native engine for recovery, over a file that is META alone. */
export function fakeEngine(given: Partial<FakeState> = {}): { engine: Engine; state: FakeState } {
  const state: FakeState = {
    calls: [],
    file: encodeMeta(),
    info: testInfo,
    probe: testProbe,
    probeAfterRepair: testProbe,
    replay: testReplay,
    failing: {},
    plan: undefined,
    served: undefined,
    created: undefined,
    repaired: undefined,
    settled: undefined,
    ...given,
  }
  let failure: Failure | null = null
  const call = <T>(name: keyof Engine, answer: () => T): T | number => {
    state.calls.push(name)
    failure = state.failing[name] ?? null
    return failure ? -failure.status : answer()
  }
  const engine: Partial<Engine> = {
    lastError: () => failure,
    openRegion: (_, options) => {
      const handle = call('openRegion', () => 7)
      state.info = { ...state.info, readOnly: options.readOnly }
      if (handle < 0 || state.file) return handle
      failure = { status: Status.Absent, errno: 2, syscall: 'open', offset: 0, detail: '' }
      return -Status.Absent
    },
    createStore: (_, options) =>
      call('createStore', () => {
        state.created = options
        state.file = encodeMeta({ slots: [{ ...testSlot, flags: 1, clean: true }] })
        return 0
      }),
    // Nobody else has it open.
    sharedFacts: () => null,
    shareStore: () => call('shareStore', () => 0),
    pinCheckpoint: () => call('pinCheckpoint', () => 0),
    unlockRegion: () => call('unlockRegion', () => 0),
    regionInfo: () => call('regionInfo', () => state.info),
    readRegion: (_, offset, buffer) =>
      call('readRegion', () => state.file!.copy(buffer, 0, offset, offset + buffer.length)),
    probeSeal: () => call('probeSeal', () => (state.repaired === undefined ? state.probe : state.probeAfterRepair)),
    repairSeal: (_, __, sequence) =>
      call('repairSeal', () => {
        state.repaired = sequence
        return 0
      }),
    startStore: (_, plan) =>
      call('startStore', () => {
        state.plan = plan
        return 0
      }),
    replay: () => call('replay', () => state.replay),
    settleStore: (_, current) =>
      call('settleStore', () => {
        state.settled = current
        return 0
      }),
    setGrowth: () => call('setGrowth', () => 0),
    serve: (_, options) =>
      call('serve', () => {
        state.served = options
        return 0
      }),
    closeRegion: () => call('closeRegion', () => 0),
  }
  return { engine: engine as Engine, state }
}
