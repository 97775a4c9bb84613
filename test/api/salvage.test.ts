// Salvage: what is whole comes out of a damaged store, what is not is listed, and nothing else is touched.
import { spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { open, type OpenOptions, salvage, type SalvageReport, type Store } from '../../src/index.ts'
import { edit, flip, slotAt, superblockAt, tableAt } from '../support/meta-damage.ts'
import { scratchDirectory, small } from '../support/scratch.ts'

const main = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url))
const expiresAt = Date.now() + 1e8
const large = 'large '.repeat(20_000)

let directory = ''
let path = ''
let out = ''
beforeEach(() => {
  directory = scratchDirectory()
  path = join(directory, 'damaged.sealog')
  out = join(directory, 'out.sealog')
})

function fill(db: Store): void {
  for (let i = 0; i < 1500; i++) db.putSync(`key ${i}`, { i, text: `unique value ${i} of the default namespace` })
  for (let i = 0; i < 1500; i += 10) db.removeSync(`key ${i}`)
  const people = db.namespace('people', { keys: 'utf8', encoding: 'string' })
  for (let i = 0; i < 300; i++) people.putSync(`person ${i}`, `unique person ${i}`)
  db.putSync('large', large)
  db.putSync('timed', 'for a while', { expiresAt })
}

/** A store that was closed, or copied while it was open, as a kill leaves it. */
function make(how: 'closed' | 'killed' = 'closed', options: OpenOptions = {}): void {
  const db = open(join(directory, 'whole'), { ...small, ...options })
  fill(db)
  if (how === 'killed') copyFileSync(db.path, path)
  db.close()
  if (how === 'closed') copyFileSync(db.path, path)
}

function opened(file: string): Store {
  const db = open(file, { readOnly: true })
  onTestFinished(() => {
    db.close()
  })
  return db
}

/** All that is in both namespaces; values that are refused are left out. */
function contents(db: Store): Map<string, unknown> {
  const found = new Map<string, unknown>()
  for (const { key, value } of db.range({})) found.set(String(key), value)
  if (db.namespaces().includes('people')) {
    for (const { key, value } of db.namespace('people').range({})) found.set(`people: ${String(key)}`, value)
  }
  return found
}

function damageText(text: string): number {
  let at = 0
  edit(path, (bytes) => {
    at = bytes.indexOf(text)
    expect(at).toBeGreaterThan(0)
    flip(bytes, at)
  })
  return at
}

/** Compares with the whole store. @returns what is missing */
function missing(): string[] {
  const whole = contents(opened(join(directory, 'whole')))
  const found = contents(opened(out))
  for (const [key, value] of found) expect(value, key).toEqual(whole.get(key))
  return [...whole.keys()].filter((key) => !found.has(key))
}

async function salvaged(): Promise<SalvageReport> {
  const before = readFileSync(path)
  const report = await salvage(path, out)
  expect(readFileSync(path).equals(before), 'the damaged file is as it was').toBe(true)
  expect(readdirSync(directory).filter((name) => name.startsWith('.'))).toEqual([])
  return report
}

describe.each(['closed', 'killed'] as const)('of a store that was %s', (how) => {
  it('is everything, if nothing is damaged', async () => {
    make(how)
    const report = await salvaged()
    expect(report).toMatchObject({ complete: true, lost: { entries: 0, unknown: false, count: 0, list: [] } })
    expect(missing()).toEqual([])
    const db = opened(out)
    expect(db.getEntry('timed')).toMatchObject({ value: 'for a while', expiresAt })
    expect(db.recovery.outcome).toBe('clean')
  })

  it('is everything but a damaged record, which is listed with its key', async () => {
    make(how)
    damageText('unique person 77')
    const report = await salvaged()
    expect(report).toMatchObject({ complete: false })
    expect(missing()).toEqual(['people: person 77'])
    expect(report.lost.list).toEqual([
      expect.objectContaining({
        namespace: 'people',
        key: 'person 77',
        keyHex: Buffer.from('person 77').toString('hex'),
      }),
    ])
  })
})

describe('salvage', () => {
  it('loses a large value with a piece of it, and says how much could be read', async () => {
    make()
    edit(path, (bytes) => {
      flip(bytes, bytes.indexOf('large large large') + 100)
    })
    const report = await salvaged()
    expect(missing()).toEqual(['large'])
    expect(report.lost.list).toMatchObject([{ what: 'piece', key: 'large', entries: 1 }])
    expect(report.lost.list[0]?.detail).toMatch(/; \d+ of its 12\d{4} bytes can be read$/)
  })

  it('goes on behind damage in the log, where open refuses', async () => {
    make('killed', { checkpointBytes: '2MiB' })
    damageText('unique value 1401 ')
    expect(() => open(path, { readOnly: true })).toThrow(expect.objectContaining({ code: 'ERR_SEALOG_CORRUPT' }))
    const report = await salvaged()
    expect(missing()).toEqual(['key 1401'])
    expect(report.framesBehindDamage).toBeGreaterThan(100)
    expect(report.lost).toMatchObject({ unknown: true, list: [{ what: 'frame', key: 'key 1401' }] })
  })

  it('takes everything from the log where neither checkpoint holds', async () => {
    make()
    edit(path, (bytes) => {
      for (const at of slotAt) flip(bytes, at + 40)
    })
    const report = await salvaged()
    expect(missing()).toEqual([])
    expect(report).toMatchObject({ complete: false, checkpoint: null, entries: { byIndex: 0, fromTail: 0 } })
    expect(report.lost.list.map(({ what }) => what)).toEqual(['slot', 'slot'])
  })

  it('needs no segment table', async () => {
    make()
    edit(path, (bytes) => {
      bytes.fill(0, tableAt, tableAt + 64 * 64)
    })
    const report = await salvaged()
    expect(missing()).toEqual([])
    expect(report.lost.list).toMatchObject([{ what: 'table', entries: 0 }])
  })

  it('asks for the encodings where both superblocks are gone, and then has everything', async () => {
    make()
    edit(path, (bytes) => {
      for (const at of superblockAt) bytes.fill(0, at, at + 4096)
    })
    await expect(salvage(path, out)).rejects.toThrow(/give the options 'keys' and 'encoding'/)
    expect(existsSync(out)).toBe(false)
    await salvage(path, out, { keys: 'ordered', encoding: 'msgpack' })
    expect(missing()).toEqual([])
  })

  it('takes what is left of a truncated file', async () => {
    make()
    truncateSync(path, 300_001)
    const report = await salvaged()
    expect(report.complete).toBe(false)
    const lost = missing()
    expect(lost.length).toBeGreaterThan(0)
    expect(report.entries.total).toBeGreaterThan(100)
    expect(report.lost.list).toContainEqual(expect.objectContaining({ what: 'file', where: 300_001 }))
  })

  it('refuses values whose property names are lost, and does not take them for others', async () => {
    make()
    edit(path, (bytes) => {
      for (let at = bytes.indexOf('[["i","text"]'); at >= 0; at = bytes.indexOf('[["i","text"]', at + 1))
        flip(bytes, at)
    })
    await salvaged()
    const db = open(out)
    onTestFinished(() => {
      db.close()
    })
    expect(() => db.get('key 1')).toThrow(expect.objectContaining({ code: 'ERR_SEALOG_CORRUPT' }))
    expect(() => {
      db.putSync('other', { a: 1, b: 2 })
    }).toThrow(expect.objectContaining({ code: 'ERR_SEALOG_CORRUPT' }))
    expect(db.getBinary('key 1')?.includes('unique value 1 ')).toBe(true)
    expect(db.get('timed')).toBe('for a while')
  })

  it('gives entries a namespace where theirs is lost, and its id to no other', async () => {
    make()
    edit(path, (bytes) => {
      for (const name of ['namespace/people', 'namespaces/next']) {
        for (let at = bytes.indexOf(name); at >= 0; at = bytes.indexOf(name, at + 1)) flip(bytes, at)
      }
    })
    const report = await salvaged()
    expect(report.namespaces).toEqual(['salvaged/1'])
    const db = open(out)
    onTestFinished(() => {
      db.close()
    })
    expect(db.namespaces()).toEqual(['salvaged/1'])
    const found = db.namespace<Buffer>('salvaged/1').get(Buffer.from('person 5'))
    expect(found?.toString()).toBe('unique person 5')
    expect(db.namespace('another').count()).toBe(0)
  })

  it('refuses what it must not do, and leaves nothing behind', async () => {
    make()
    writeFileSync(out, 'something')
    await expect(salvage(path, out)).rejects.toMatchObject({ code: 'ERR_SEALOG_EXISTS' })
    expect(readFileSync(out, 'utf8')).toBe('something')
    const other = join(directory, 'other')
    await expect(salvage(join(directory, 'absent'), other)).rejects.toMatchObject({ code: 'ERR_SEALOG_ABSENT' })
    writeFileSync(join(directory, 'text.sealog'), 'no store '.repeat(10_000))
    await expect(salvage(join(directory, 'text'), other)).rejects.toMatchObject({ code: 'ERR_SEALOG_NOT_A_STORE' })
    writeFileSync(join(directory, 'empty.sealog'), '')
    await expect(salvage(join(directory, 'empty'), other)).rejects.toMatchObject({ code: 'ERR_SEALOG_NOT_A_STORE' })
    await expect(salvage(path, join(directory, 'no/such/folder'))).rejects.toMatchObject({ code: 'ERR_SEALOG_ABSENT' })
    const db = open(path)
    await expect(salvage(path, other)).rejects.toMatchObject({ code: 'ERR_SEALOG_LOCKED' })
    db.close()
    expect(readdirSync(dirname(path)).sort()).toEqual([
      'damaged.sealog',
      'empty.sealog',
      'out.sealog',
      'text.sealog',
      'whole.sealog',
    ])
  })

  it('is aborted before it begins and while it runs, and leaves nothing behind', async () => {
    make()
    const before = readFileSync(path)
    await expect(salvage(path, out, { signal: AbortSignal.abort(new Error('why')) })).rejects.toMatchObject({
      code: 'ERR_SEALOG_ABORTED',
      cause: new Error('why'),
    })
    const running = new AbortController()
    const ended = salvage(path, out, { signal: running.signal })
    running.abort()
    await expect(ended).rejects.toMatchObject({ code: 'ERR_SEALOG_ABORTED' })
    expect(readdirSync(directory).sort()).toEqual(['damaged.sealog', 'whole.sealog'])
    expect(readFileSync(path).equals(before)).toBe(true)
    // The handles are closed: it can be opened for writing.
    open(path).close()
  })

  it('tells its progress', async () => {
    make()
    const told: [number, number][] = []
    await salvage(path, out, { onProgress: (done, total) => told.push([done, total]) })
    const [done, total] = told.at(-1) ?? [0, -1]
    expect(done).toBe(total)
  })
})

describe.skipIf(!existsSync(main))('sealog salvage', () => {
  const run = (...args: string[]): { stdout: string; stderr: string; status: number | null } => {
    const { stdout, stderr, status } = spawnSync(process.execPath, [main, 'salvage', ...args], { encoding: 'utf8' })
    return { stdout, stderr, status }
  }

  it('exits with 0 if nothing is lost', () => {
    make()
    const { stdout, stderr, status } = run(path, out)
    expect({ stderr, status }).toEqual({ stderr: '', status: 0 })
    expect(stdout).toMatch(/^Nothing is lost\.\n/)
  })

  it('exits with 1 if something is, and lists it', () => {
    make()
    damageText('unique person 77')
    const json = run('--json', path, out)
    expect(json.status).toBe(1)
    expect(JSON.parse(json.stdout)).toMatchObject({
      complete: false,
      lost: { entries: 1, list: [{ key: 'person 77' }] },
    })
    const text = run(path, join(directory, 'again'))
    expect(text.status).toBe(1)
    expect(text.stdout).toMatch(/record at \d+, key "person 77", namespace 'people'/)
  })

  it('exits with 2 and one line if nothing could be done', () => {
    writeFileSync(path, 'no store')
    const { stdout, stderr, status } = run(path, out)
    expect({ stdout, status }).toEqual({ stdout: '', status: 2 })
    expect(stderr).toMatch(/^sealog: [^\n]+\n$/)
  })
})
