import { describe, expect, it } from 'vitest'
import { advise } from '../../../src/cli/advice.ts'
import type { BlockMap, DirectoryReport, ReadableStore } from '../../../src/cli/report.ts'

const probeBytes = 8 * 2 ** 20

function blockMap(changes: Partial<BlockMap> = {}): BlockMap {
  return {
    method: 'fiemap',
    level: 'sealed',
    extents: 1,
    unwrittenBytes: 0,
    alignedBytes: probeBytes,
    sharedBytes: 0,
    holeBytes: 0,
    otherBytes: 0,
    ...changes,
  }
}

interface Changes {
  fileSystem?: Partial<DirectoryReport['fileSystem']>
  dax?: Partial<DirectoryReport['dax']>
  cpu?: Partial<DirectoryReport['cpu']>
  sealing?: Partial<BlockMap>
  persistence?: DirectoryReport['persistence']
}

/** ext4 on a disk, but for the changes. */
function facts({ fileSystem, dax, cpu, sealing, persistence }: Changes = {}): DirectoryReport {
  const afterSealing = blockMap(sealing)
  return {
    fileSystem: {
      name: 'ext4',
      local: true,
      mountOptions: ['rw'],
      blockBytes: 4096,
      freeBytes: 2 ** 40,
      overwritesInPlace: true,
      fallocate: true,
      writeLease: true,
      ...fileSystem,
    },
    kernel: '6.12.0',
    dax: { attribute: false, mapSync: false, mapSyncError: 'EOPNOTSUPP', ...dax },
    cpu: { flush: 'clwb', eadr: false, ...cpu },
    probe: {
      bytes: probeBytes,
      afterFallocate: blockMap({ level: 'allocated', unwrittenBytes: probeBytes }),
      afterSealing,
    },
    seal: afterSealing.level,
    persistence: persistence ?? { sync: 'disk', relaxed: 'os' },
  }
}

const pmem = {
  dax: { attribute: true, mapSync: true, mapSyncError: null },
  persistence: { sync: 'pmem', relaxed: 'pmem' },
} as const
const memory = {
  fileSystem: { name: 'tmpfs', overwritesInPlace: false },
  sealing: { level: 'allocated', method: 'blocks', extents: 0, alignedBytes: 0 },
  persistence: { sync: 'memory', relaxed: 'memory' },
} as const

const ids = (changes?: Changes) => advise(facts(changes), null).map((advice) => advice.id)
const textOf = (id: string, changes?: Changes) =>
  advise(facts(changes), null).find((advice) => advice.id === id)?.text ?? ''

describe('advice', () => {
  it('tells ext4 and xfs on a disk how to get pmem, and what relaxed gives', () => {
    expect(ids()).toEqual(['disk-no-dax', 'relaxed'])
    expect(textOf('disk-no-dax')).toContain('mount it with -o dax=always')
    expect(textOf('disk-no-dax')).toContain('ndctl create-namespace -m fsdax')
    expect(textOf('relaxed')).toContain('a consistent prefix')
    expect(ids({ fileSystem: { name: 'xfs' } })).toEqual(['disk-no-dax', 'relaxed'])
  })

  it('says nothing more where everything is had', () => {
    expect(ids(pmem)).toEqual(['pmem'])
  })

  it('warns that memory is not durable over a reboot, and does not offer to seal it', () => {
    expect(advise(facts(memory), null).map(({ id, kind }) => [id, kind])).toEqual([
      ['memory-not-durable', 'warning'],
      ['no-block-map', 'note'],
    ])
    expect(textOf('memory-not-durable', memory)).toContain('not a reboot')
  })

  it('does not take a DAX attribute for MAP_SYNC', () => {
    expect(ids({ dax: { attribute: true } })).toEqual(['disk-dax-no-map-sync', 'relaxed'])
    expect(textOf('disk-dax-no-map-sync', { dax: { attribute: true } })).toContain('EOPNOTSUPP')
  })

  it('names blocks that are too small for DAX', () => {
    expect(ids({ fileSystem: { blockBytes: 1024 } })).toContain('disk-block-bytes')
    expect(ids({ fileSystem: { name: 'vfat', blockBytes: 1024 } })).not.toContain('disk-block-bytes')
  })

  it('says that btrfs cannot be sealed', () => {
    const btrfs = { fileSystem: { name: 'btrfs', overwritesInPlace: false }, sealing: { level: 'allocated' } } as const
    expect(ids(btrfs)).toEqual(['disk-no-dax', 'relaxed', 'never-sealed'])
    expect(textOf('never-sealed', btrfs)).toContain('(btrfs) cannot be sealed')
    expect(textOf('disk-no-dax', btrfs)).toContain('Only ext4 and xfs')
  })

  it('says why a probe file was not sealed where it could have been', () => {
    const shared = { sealing: { level: 'allocated', sharedBytes: 4096 } } as const
    expect(textOf('not-sealed', shared)).toContain('4096 shared')
    expect(textOf('not-sealed', { ...shared, fileSystem: { fallocate: false } })).toContain('no fallocate')
  })

  it('has xfs on DAX made with aligned stripes', () => {
    const unaligned = { ...pmem, fileSystem: { name: 'xfs' }, sealing: { alignedBytes: 0 } }
    expect(ids(unaligned)).toEqual(['pmem', 'xfs-alignment'])
    expect(textOf('xfs-alignment', unaligned)).toContain('mkfs.xfs -d su=2m,sw=1')
    expect(ids({ ...unaligned, fileSystem: { name: 'ext4' } })).toEqual(['pmem', 'alignment'])
    // Without DAX pages are the page cache's: alignment means nothing.
    expect(ids({ fileSystem: { name: 'xfs' }, sealing: { alignedBytes: 0 } })).toEqual(['disk-no-dax', 'relaxed'])
  })

  it('names a CPU without CLWB only where lines are written back', () => {
    expect(ids({ ...pmem, cpu: { flush: 'clflushopt' } })).toEqual(['pmem', 'no-clwb'])
    expect(textOf('no-clwb', { ...memory, cpu: { flush: 'clflush' } })).toContain('waits for each one')
    expect(ids({ cpu: { flush: 'clflush' } })).not.toContain('no-clwb')
    expect(ids({ ...pmem, cpu: { flush: 'cvap' } })).toEqual(['pmem'])
    expect(ids({ ...pmem, cpu: { flush: 'none', eadr: true } })).toEqual(['pmem', 'eadr'])
  })

  it('warns of what is not local, and of an overlay', () => {
    expect(ids({ fileSystem: { name: 'nfs', local: false } })).toEqual(['relaxed', 'not-local'])
    expect(ids({ fileSystem: { name: 'overlay' } })).toContain('overlay')
  })

  it('looks at the free space and at fallocate', () => {
    expect(textOf('free-space', { fileSystem: { freeBytes: 2 ** 20 } })).toContain('1 MiB are free')
    expect(ids({ fileSystem: { freeBytes: null } })).not.toContain('free-space')
    expect(ids({ fileSystem: { fallocate: false } })).toContain('no-fallocate')
  })
})

describe('advice about a store', () => {
  const store: ReadableStore = {
    path: '/s.sealog',
    state: 'clean',
    bytes: 2 ** 25,
    entries: 3,
    persistence: 'disk',
    seal: { level: 'sealed', verified: 'unchanged', reasons: [], extents: 1, alignedBytes: 2 ** 25 },
    recordsToReplay: 0,
    lsn: 3,
    checkpoint: 2,
    findings: [],
  }
  const storeIds = (changes: Partial<ReadableStore>) =>
    advise(facts(), { ...store, ...changes })
      .map((advice) => advice.id)
      .filter((id) => id.startsWith('store-'))

  it('has none for a store in order, nor for one that cannot be read', () => {
    expect(storeIds({})).toEqual([])
    expect(advise(facts(), { path: '/s.sealog', state: 'absent' })).toEqual(advise(facts(), null))
  })

  it('says what an open for writing will do', () => {
    expect(storeIds({ state: 'unclean', recordsToReplay: 7 })).toEqual(['store-unclean'])
    expect(storeIds({ seal: { ...store.seal, verified: 'unverified', reasons: ['blocks were moved'] } })).toEqual([
      'store-seal',
    ])
    expect(storeIds({ seal: { ...store.seal, level: 'allocated' } })).toEqual(['store-seal'])
    expect(storeIds({ findings: ['superblock A is damaged'] })).toEqual(['store-findings'])
  })
})
