// What cannot be opened as a store is refused with a code of its own, and left exactly as it was.
import {
  chmodSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { open, openAsync, type OpenOptions, type SealogErrorCode } from '../../src/index.ts'
import { startChild } from '../support/built.ts'
import { errorOf, expectRefusal, expectRefusedUntouched, rejectionOf } from '../support/expect.ts'
import {
  edit,
  editSuperblocks,
  flip,
  slotAt,
  slotsOf,
  superblockAt,
  superblockOf,
  tableAt,
} from '../support/meta-damage.ts'
import { encodeSuperblock } from '../support/meta-bytes.ts'
import { mountTmpfs, whyNoMounts } from '../support/mounts.ts'
import { scratchDirectory, small } from '../support/scratch.ts'

const count = 300

/** A closed store with entries from several checkpoints. @returns its file */
function closedStore(options: OpenOptions = {}, on: 'memory' | 'disk' = 'memory'): string {
  const path = join(scratchDirectory(on), 'store')
  for (let session = 0; session < 3; session++) {
    const db = open(path, { ...small, ...options })
    for (let i = session; i < count; i += 3) db.putSync(`key ${String(i).padStart(3, '0')}`, { i })
    db.close()
  }
  return `${path}.sealog`
}

const expected = Array.from({ length: count }, (_, i) => ({ key: `key ${String(i).padStart(3, '0')}`, value: { i } }))

/** In every way that there is of opening. */
function expectNoOpening(path: string, code: SealogErrorCode): void {
  expectRefusedUntouched(path, () => open(path), code)
  expectRefusedUntouched(path, () => open(path, { readOnly: true }), code)
  expectRefusedUntouched(path, () => open(path, { createIfMissing: false }), code)
}

describe('a file that is not a store', () => {
  const contents: Record<string, [Buffer, SealogErrorCode]> = {
    'of text': [Buffer.from('Not a store.\n'.repeat(10_000)), 'ERR_SEALOG_NOT_A_STORE'],
    'of little text': [Buffer.from('Hello'), 'ERR_SEALOG_NOT_A_STORE'],
    'that is empty': [Buffer.alloc(0), 'ERR_SEALOG_NOT_A_STORE'],
    'of zeros': [Buffer.alloc(1 << 20), 'ERR_SEALOG_NOT_A_STORE'],
  }
  it.each(Object.entries(contents))('%s', async (_, [content, code]) => {
    const path = join(scratchDirectory(), 'store.sealog')
    writeFileSync(path, content)
    expectNoOpening(path, code)
    expectRefusal(await rejectionOf(() => openAsync(path)), code)
    expectRefusedUntouched(path, () => open(path, { errorIfExists: true }), 'ERR_SEALOG_EXISTS')
  })
})

describe('a store of a version that is not known', () => {
  it.each([0, 2, 999])('format version %i', (formatVersion) => {
    const path = closedStore()
    editSuperblocks(path, { formatVersion })
    expectNoOpening(path, 'ERR_SEALOG_VERSION')
  })

  it('an incompatible feature', () => {
    const path = closedStore()
    editSuperblocks(path, { featuresIncompat: 1n << 63n })
    expectNoOpening(path, 'ERR_SEALOG_VERSION')
  })

  it('a feature that allows reading', () => {
    const path = closedStore()
    editSuperblocks(path, { featuresReadOnly: 1n })
    const refusal = expectRefusedUntouched(path, () => open(path), 'ERR_SEALOG_VERSION')
    expect(refusal.message).toContain('readOnly')
    const db = open(path, { readOnly: true })
    expect([...db.range()]).toEqual(expected)
    db.close()
  })

  it('a feature that is compatible', () => {
    const path = closedStore()
    editSuperblocks(path, { featuresCompat: 1n })
    const db = open(path)
    expect([...db.range()]).toEqual(expected)
    db.close()
  })
})

describe('a store that is shorter than it was', () => {
  it.each([4 * 2 ** 20 - 65_536, 2 ** 20, 65_536, 65_535, 40_000, 12_345, 4_096])('%i bytes', (bytes) => {
    const path = closedStore()
    truncateSync(path, bytes)
    expectNoOpening(path, 'ERR_SEALOG_TRUNCATED')
  })
})

describe('a store with damaged META', () => {
  it('has a second superblock to fall back on', () => {
    const path = closedStore()
    edit(path, (bytes) => {
      flip(bytes, superblockAt[0] + 100)
    })
    const db = open(path)
    expect(db.recovery.usedFallback).toBe(true)
    expect([...db.range()]).toEqual(expected)
    db.close()
  })

  it.each([0, 1] as const)('opens without superblock %i where there are two, and says so', (i) => {
    const path = closedStore()
    edit(path, (bytes) => {
      bytes.set(encodeSuperblock({ ...superblockOf(bytes, 0)!, sequence: 2 }), superblockAt[1])
      flip(bytes, superblockAt[i] + 100)
    })
    for (const readOnly of [true, false]) {
      const db = open(path, { readOnly })
      expect(db.recovery).toMatchObject({ outcome: 'clean', usedFallback: true })
      expect(db.recovery.findings.join()).toContain(`superblock ${'AB'.charAt(i)}`)
      expect([...db.range()]).toEqual(expected)
      db.close()
    }
  })

  it('is refused without any superblock', () => {
    const path = closedStore()
    edit(path, (bytes) => {
      flip(bytes, superblockAt[0] + 100)
      flip(bytes, superblockAt[1] + 100)
    })
    expectNoOpening(path, 'ERR_SEALOG_CORRUPT')
  })

  it.each([0, 1] as const)('opens without the checkpoint slot that is number %i by age, and says so', (age) => {
    const path = closedStore()
    const slots = slotsOf(readFileSync(path))
    expect(slots.length).toBe(2)
    const { i } = slots[age]!
    edit(path, (bytes) => {
      flip(bytes, slotAt[i] + 30)
    })
    for (const readOnly of [true, false]) {
      const db = open(path, { readOnly })
      expect(db.recovery.usedFallback).toBe(true)
      expect(db.recovery.findings.join()).toContain(`checkpoint slot ${i}`)
      expect([...db.range()]).toEqual(expected)
      expect(db.count()).toBe(count)
      db.close()
    }
    const again = open(path)
    again.putSync('more', 1)
    expect(again.count()).toBe(count + 1)
    again.close()
  })

  it('is refused without any checkpoint slot', () => {
    const path = closedStore()
    edit(path, (bytes) => {
      for (const at of slotAt) flip(bytes, at + 30)
    })
    expectNoOpening(path, 'ERR_SEALOG_CORRUPT')
  })

  it('is refused without a segment table', () => {
    const path = closedStore()
    edit(path, (bytes) => bytes.fill(0xa5, tableAt, tableAt + 64 * 64))
    expectNoOpening(path, 'ERR_SEALOG_CORRUPT')
  })

  it('says where, in offset and report', () => {
    const path = closedStore()
    edit(path, (bytes) => {
      for (const at of slotAt) flip(bytes, at + 30)
    })
    const refusal = expectRefusal(
      errorOf(() => open(path)),
      'ERR_SEALOG_CORRUPT',
    )
    expect(refusal).toMatchObject({ path, offset: slotAt[0], report: { offset: slotAt[0] } })
  })
})

describe('a path that is something else', () => {
  it('a directory', () => {
    const path = join(scratchDirectory(), 'x.sealog')
    mkdirSync(path)
    expectNoOpening(path, 'ERR_SEALOG_NOT_REGULAR')
    expect(readdirSync(path)).toEqual([])
  })

  it('a symbolic link, to a store or to nothing', () => {
    const path = closedStore()
    const link = join(dirname(path), 'link.sealog')
    symlinkSync(path, link)
    expectNoOpening(link, 'ERR_SEALOG_NOT_REGULAR')
    unlinkSync(path)
    expectNoOpening(link, 'ERR_SEALOG_NOT_REGULAR')
    expect(readdirSync(dirname(path))).toEqual(['link.sealog'])
  })

  it('a file with a second name', () => {
    const path = closedStore()
    const other = join(dirname(path), 'other')
    linkSync(path, other)
    expectNoOpening(path, 'ERR_SEALOG_LINKED')
    unlinkSync(other)
    const db = open(path)
    expect(db.count()).toBe(count)
    db.close()
  })

  it('nothing, where nothing may be made', () => {
    const path = join(scratchDirectory(), 'store.sealog')
    expectRefusedUntouched(path, () => open(path, { readOnly: true }), 'ERR_SEALOG_ABSENT')
    expectRefusedUntouched(path, () => open(path, { createIfMissing: false }), 'ERR_SEALOG_ABSENT')
    expect(readdirSync(dirname(path))).toEqual([])
    const deeper = join(path, 'no', 'such')
    expectRefusal(
      errorOf(() => open(deeper)),
      'ERR_SEALOG_ABSENT',
    )
  })

  it('a store, with errorIfExists', async () => {
    const path = closedStore()
    expectRefusedUntouched(path, () => open(path, { errorIfExists: true }), 'ERR_SEALOG_EXISTS')
    expectRefusal(await rejectionOf(() => openAsync(path, { errorIfExists: true })), 'ERR_SEALOG_EXISTS')
  })
})

describe('a store that is open', () => {
  it('is shared by others in this process', () => {
    const path = closedStore()
    const db = open(path)
    const other = open(path)
    expect(other.count()).toBe(count)
    db.close()
    expect(other.count()).toBe(count)
    other.close()
    open(path).close()
  })

  it('may have many readers, and then no writer', () => {
    const path = closedStore()
    const readers = [0, 1].map(() => open(path, { readOnly: true }))
    expectRefusedUntouched(path, () => open(path), 'ERR_SEALOG_LOCKED')
    for (const reader of readers) expect(reader.count()).toBe(count)
    for (const reader of readers) reader.close()
    open(path).close()
  })

  it('is locked for others in another process, until that closes it', async () => {
    const path = closedStore()
    const child = startChild('open-child.mjs', { path, keep: true })
    await child.printed('"opened":300')
    expectRefusedUntouched(path, () => open(path), 'ERR_SEALOG_LOCKED')
    expectRefusedUntouched(path, () => open(path, { createIfMissing: false }), 'ERR_SEALOG_LOCKED')
    child.process.stdin?.end()
    expect(await child.ended).toMatchObject({ code: 0, stderr: '' })
    open(path).close()
  })

  it('is not locked any more when the other process has been killed', async () => {
    const path = closedStore()
    const child = startChild('open-child.mjs', { path, keep: true })
    await child.printed('"opened":300')
    child.process.kill('SIGKILL')
    await child.ended
    const db = open(path)
    expect([...db.range()]).toEqual(expected)
    db.close()
  })
})

const why = process.getuid?.() === 0 ? undefined : 'becoming another user needs root'
if (why !== undefined) console.log(`skipped: ${why}`)

describe.skipIf(why)('without permission', () => {
  const nobody = 65_534
  async function asNobody(path: string, options: OpenOptions = {}): Promise<unknown> {
    const before = readdirSync(dirname(path))
    const ended = await startChild('open-child.mjs', { path, options, uid: nobody }).ended
    expect(ended).toMatchObject({ code: 0, signal: null, stderr: '' })
    expect(readdirSync(dirname(path))).toEqual(before)
    return JSON.parse(ended.stdout)
  }
  const refused = { name: 'SealogError', code: 'ERR_SEALOG_PERMISSION' }

  it('to the file', async () => {
    const path = closedStore()
    chmodSync(dirname(path), 0o755)
    chmodSync(path, 0o600)
    const before = readFileSync(path)
    expect(await asNobody(path)).toMatchObject(refused)
    expect(await asNobody(path, { readOnly: true })).toMatchObject(refused)
    expect(readFileSync(path).equals(before)).toBe(true)
  })

  it('to write, it can still be read', async () => {
    const path = closedStore()
    chmodSync(dirname(path), 0o755)
    chmodSync(path, 0o644)
    const before = readFileSync(path)
    expect(await asNobody(path)).toMatchObject(refused)
    expect(await asNobody(path, { readOnly: true })).toEqual({ opened: count })
    expect(readFileSync(path).equals(before)).toBe(true)
  })

  it('to the directory', async () => {
    const path = join(scratchDirectory(), 'store')
    chmodSync(dirname(path), 0o755)
    expect(await asNobody(path, small)).toMatchObject(refused)
    chmodSync(dirname(path), 0o700)
    expect(await asNobody(path, small)).toMatchObject(refused)
  })
})

describe.skipIf(whyNoMounts())('without space', () => {
  it('nothing is left behind, and what is there is intact', async () => {
    const directory = mountTmpfs(6 * 2 ** 20)
    const first = open(join(directory, 'first'), small)
    first.putSync('a', 1)
    const path = join(directory, 'second.sealog')
    expectRefusedUntouched(path, () => open(path, small), 'ERR_SEALOG_NO_SPACE')
    expectRefusal(await rejectionOf(() => openAsync(path, small)), 'ERR_SEALOG_NO_SPACE')
    expect(readdirSync(directory)).toEqual(['first.sealog'])
    first.putSync('b', 2)
    first.close()
    const again = open(join(directory, 'first'))
    expect([...again.values()]).toEqual([1, 2])
    again.close()
    // A smaller one has room.
    const third = open(path, { ...small, capacity: '1MiB' })
    third.close()
  })
})

describe('a domain that there is not', () => {
  it('is refused before anything is made', async () => {
    const path = join(scratchDirectory(), 'store')
    expectRefusedUntouched(path, () => open(path, { ...small, require: 'pmem' }), 'ERR_SEALOG_REQUIRE')
    expectRefusal(await rejectionOf(() => openAsync(path, { ...small, require: 'pmem' })), 'ERR_SEALOG_REQUIRE')
    expect(readdirSync(dirname(path))).toEqual([])
  })

  it('is refused for a store that exists', () => {
    const path = closedStore()
    expectRefusedUntouched(path, () => open(path, { require: 'pmem' }), 'ERR_SEALOG_REQUIRE')
    const db = open(path, { require: 'memory' })
    expect(db.count()).toBe(count)
    db.close()
  })
})
