// The seal: what the file system's block map is after creation, and what happens to a store whose map was changed behind its back.
import { copyFileSync, existsSync, readdirSync, readFileSync, statfsSync, unlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { type Entry, open, openAsync, SealogError, type Store } from '../../src/index.ts'
import { errorOf, expectRefusal, expectRefusedUntouched, rejectionOf } from '../support/expect.ts'
import { punchHole } from '../support/file-range.ts'
import { run } from '../../scripts/loop-mount.mjs'
import { type DiskFileSystem, mountLoop, whyNoMounts } from '../support/mounts.ts'
import { scratchDirectory } from '../support/scratch.ts'

const options = { capacity: '8MiB', segmentBytes: '64KiB' } as const
const fileSystems: DiskFileSystem[] = ['ext4', 'xfs']
const entries: Entry<string>[] = Array.from({ length: 200 }, (_, i) => ({ key: i, value: `${i} `.repeat(200) }))
const why = whyNoMounts('losetup', 'fallocate')

/** What filefrag sees; it does not go through Sealog. */
function flagsOf(file: string): string {
  return run('filefrag', '-s', '-v', file)
}

function sealedStore(directory: string): string {
  const db = open<string>(join(directory, 'store'), options)
  expect(db.persistence).toBe('disk')
  expect(db.seal).toMatchObject({ method: 'fiemap', verified: 'unchanged', reasons: [] })
  expect(['sealed', 'populated']).toContain(db.seal.level)
  for (const { key, value } of entries) db.putSync(key, value)
  db.close()
  return db.path
}

/** Opens it and checks every entry. @returns the seal, as it was found */
function sealOf(path: string, readOnly = false): Store['seal'] {
  const db = open<string>(path, { readOnly })
  expect([...db.range()]).toEqual(entries)
  const { seal } = db
  db.close()
  return seal
}

/** Where in the file no entry is: at its end, in segments that were never used. */
function freePart(path: string): number {
  const bytes = readFileSync(path)
  let end = bytes.length
  while (bytes[end - 1] === 0) end--
  const free = Math.ceil(end / 65_536) * 65_536 + 65_536
  expect(free).toBeLessThan(bytes.length - 65_536)
  return free
}

describe.skipIf(why).each(fileSystems)('a store on %s', (type) => {
  it('is sealed at creation, and found unchanged when it is opened again', () => {
    const path = sealedStore(mountLoop(type))
    expect(flagsOf(path)).not.toMatch(/unwritten|shared|delalloc|unknown/)
    const first = sealOf(path)
    expect(first).toMatchObject({ level: 'sealed', verified: 'unchanged', reasons: [] })
    expect(first.digest).toMatch(/^[0-9a-f]{16}$/)
    expect(sealOf(path, true)).toMatchObject({ verified: 'unchanged', digest: first.digest })
    expect(sealOf(path)).toMatchObject({ verified: 'unchanged', digest: first.digest, extents: first.extents })
  })

  it('is mended where a hole was punched into free space', () => {
    const path = sealedStore(mountLoop(type))
    punchHole(path, freePart(path), 65_536)
    const found = sealOf(path, true)
    expect(found).toMatchObject({ level: 'sparse', verified: 'unverified' })
    expect(found.reasons.join()).toContain('65536 bytes are holes')
    const mended = sealOf(path)
    expect(mended).toMatchObject({ level: 'sealed', verified: 'repaired' })
    expect(mended.reasons.join()).toContain('65536 bytes are holes')
    expect(flagsOf(path)).not.toMatch(/unwritten|shared|delalloc|unknown/)
    expect(sealOf(path)).toMatchObject({ level: 'sealed', verified: 'unchanged', digest: mended.digest })
  })

  it('gives no wrong data where a hole was punched into live data', () => {
    const path = sealedStore(mountLoop(type))
    const victim = entries[100]!
    const at = readFileSync(path).indexOf(victim.value.slice(0, 100))
    expect(at).toBeGreaterThan(0)
    const bytes = 4096
    punchHole(path, Math.floor(at / bytes) * bytes, bytes)
    const db = open<string>(path)
    onTestFinished(() => {
      db.close()
    })
    expect(db.seal).toMatchObject({ level: 'sealed', verified: 'repaired' })
    expect(db.seal.reasons.join()).toContain('4096 bytes are holes')
    const lost = new Set<unknown>()
    for (const { key, value } of entries) {
      try {
        expect(db.get(key)).toBe(value)
        expect(db.has(key)).toBe(true)
      } catch (error) {
        if (!(error instanceof SealogError)) throw error
        expectRefusal(error, 'ERR_SEALOG_CORRUPT')
        lost.add(key)
      }
    }
    expect(lost).toContain(victim.key)
    // An entry is about a fifth of what was lost.
    expect(lost.size).toBeLessThan(15)

    // A range gives what is before, right, and then says what is wrong.
    const given: unknown[] = []
    const error = errorOf(() => {
      for (const entry of db.range()) given.push(entry)
    })
    expectRefusal(error, 'ERR_SEALOG_CORRUPT')
    expect(given).toEqual(entries.slice(0, given.length))
    expect(db.stats().pins.snapshots).toBe(0)
    db.putSync('another', 'A')
    expect(db.get('another')).toBe('A')
  })

  it('is resealed after it was copied away and back', () => {
    const directory = mountLoop(type)
    const path = sealedStore(directory)
    const before = sealOf(path)
    const away = join(scratchDirectory('disk'), 'away')
    copyFileSync(path, away)
    writeFileSync(join(directory, 'in the way'), Buffer.alloc(1 << 20))
    unlinkSync(path)
    run('cp', '--sparse=never', '--reflink=never', away, path)
    const seal = sealOf(path)
    expect(['resealed', 'repaired']).toContain(seal.verified)
    expect(seal.level).toBe('sealed')
    expect(seal.reasons).not.toEqual([])
    expect(before.verified).toBe('unchanged')
    expect(sealOf(path)).toMatchObject({ verified: 'unchanged', digest: seal.digest })
  })

  it('is mended after it was copied with holes', () => {
    const path = sealedStore(mountLoop(type))
    run('cp', '--sparse=always', '--reflink=never', path, `${path}.new`)
    run('mv', `${path}.new`, path)
    expect(sealOf(path)).toMatchObject({ level: 'sealed', verified: 'repaired' })
    expect(sealOf(path)).toMatchObject({ level: 'sealed', verified: 'unchanged', reasons: [] })
  })

  it('is not created where there is no room, and nothing is left', async () => {
    const directory = mountLoop(type)
    const { bavail, bsize } = statfsSync(directory)
    const path = join(directory, 'store.sealog')
    const tooLarge = { ...options, capacity: bavail * bsize + 2 ** 20 }
    expectRefusedUntouched(path, () => open(path, tooLarge), 'ERR_SEALOG_NO_SPACE')
    expectRefusal(await rejectionOf(() => openAsync(path, tooLarge)), 'ERR_SEALOG_NO_SPACE')
    expect(existsSync(path)).toBe(false)
    expect(readdirSync(directory).filter((name) => name !== 'lost+found')).toEqual([])
    expect(statfsSync(directory).bavail).toBeGreaterThan(bavail * 0.95)
    sealedStore(directory)
  })

  it('opens read-only, and only so, where the file system is read-only', () => {
    const directory = mountLoop(type)
    const path = sealedStore(directory)
    run('mount', '-o', 'remount,ro', directory)
    expectRefusedUntouched(path, () => open(path), 'ERR_SEALOG_PERMISSION')
    expectRefusedUntouched(path, () => open(join(directory, 'new'), options), 'ERR_SEALOG_PERMISSION')
    expect(sealOf(path, true)).toMatchObject({ level: 'sealed', verified: 'unchanged' })
    run('mount', '-o', 'remount,rw', directory)
    expect(sealOf(path)).toMatchObject({ verified: 'unchanged' })
  })
})

describe.skipIf(why)('a store on xfs that was cloned', () => {
  it('has its extents for itself again when it is opened, and so has the clone', () => {
    const path = sealedStore(mountLoop('xfs'))
    const clone = path.replace('store.sealog', 'clone.sealog')
    run('cp', '--reflink=always', path, clone)
    expect(flagsOf(path)).toContain('shared')

    const found = sealOf(path, true)
    expect(found.verified).toBe('unverified')
    expect(found.reasons.join()).toContain('bytes are shared')
    const mended = sealOf(path)
    expect(mended).toMatchObject({ level: 'sealed', verified: 'repaired' })
    expect(mended.reasons.join()).toContain('bytes are shared')
    expect(flagsOf(path)).not.toContain('shared')
    expect(sealOf(path)).toMatchObject({ level: 'sealed', verified: 'unchanged', digest: mended.digest })

    const copied = sealOf(clone)
    expect(['resealed', 'repaired']).toContain(copied.verified)
    expect(copied.level).toBe('sealed')
    expect(sealOf(clone)).toMatchObject({ level: 'sealed', verified: 'unchanged', digest: copied.digest })
  })

  it('can be opened as a clone while the first is open, and each has its own data', () => {
    const path = sealedStore(mountLoop('xfs'))
    const clone = path.replace('store.sealog', 'clone.sealog')
    run('cp', '--reflink=always', path, clone)
    const [a, b] = [open<string>(clone), open<string>(path)]
    for (const db of [a, b]) expect([...db.range()]).toEqual(entries)
    a.putSync('a', 'A')
    b.putSync('b', 'B')
    a.close()
    b.close()
    expect(flagsOf(path)).not.toContain('shared')
    for (const [file, key] of [
      [clone, 'a'],
      [path, 'b'],
    ] as const) {
      const db = open<string>(file)
      expect([...db.keys({ gt: 199 })]).toEqual([key])
      db.close()
    }
  })
})
