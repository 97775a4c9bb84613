// The API on a DAX file system: what only DAX can show, and that a store works there. argv: a folder on it, its name, folders that are
// not persistent memory.
import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, fsyncSync, openSync, readFileSync, statSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import test from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { open } from 'sealog'

const [folder, fileSystem, ...others] = process.argv.slice(2)
const capacity = '32MiB'
const small = { capacity: '4MiB', segmentBytes: '64KiB' }

/** The flags of the largest mapping of a file: field VmFlags of /proc/self/smaps. */
function mappingFlags(path) {
  const mappings = readFileSync('/proc/self/smaps', 'utf8').split(/^(?=[0-9a-f]+-[0-9a-f]+ )/m)
  const sizes = mappings.filter((text) => text.split('\n')[0].endsWith(path))
  assert.ok(sizes.length > 0, `${path} is not mapped`)
  return /^VmFlags: (.*)$/m.exec(sizes[0])[1].trim().split(' ')
}

async function populated(db) {
  for (let i = 0; i < 600 && !db.seal.populated; i++) await sleep(50)
  return db.seal
}

test('the domain is pmem, and may be required', async () => {
  const db = open(join(folder, 'facts'), { capacity, require: 'pmem' })
  assert.equal(db.persistence, 'pmem')
  assert.equal(db.info.fsName, fileSystem)
  assert.equal(db.info.mapSync, true)
  assert.equal(db.info.dax, true) // STATX_ATTR_DAX
  assert.equal(db.info.flush, 'clwb')
  assert.equal(db.info.eadr, false)
  assert.ok(mappingFlags(db.path).includes('sf'), 'the mapping is a MAP_SYNC one')
  const seal = await populated(db)
  assert.equal(seal.level, 'populated')
  assert.equal(seal.method, 'fiemap')
  assert.equal(seal.alignedBytes, 32 * 2 ** 20) // in whole 2 MiB pieces
  db.close()
  assert.equal(statSync(db.path).mode & 0o777, 0o600)
  const again = open(join(folder, 'facts'), { require: 'pmem', durability: 'relaxed' })
  assert.equal(again.persistence, 'pmem')
  assert.equal(again.seal.verified, 'unchanged')
  again.close()
})

for (const other of others) {
  test(`${other} is not pmem`, () => {
    const db = open(join(other, 'facts'), { capacity })
    assert.notEqual(db.persistence, 'pmem')
    assert.equal(db.info.mapSync, false)
    assert.ok(!mappingFlags(db.path).includes('sf'))
    console.log(`fact ${other} ${db.info.fsName} dax ${db.info.dax} domain ${db.persistence}`)
    db.close()
    assert.throws(() => open(join(other, 'facts'), { require: 'pmem' }), { code: 'ERR_SEALOG_REQUIRE' })
    assert.throws(() => open(join(other, 'none'), { capacity, require: 'pmem' }), { code: 'ERR_SEALOG_REQUIRE' })
  })
}

for (const flush of ['clwb', 'clflushopt', 'clflush', 'nt']) {
  test(`writes and reads, flush ${flush}`, async () => {
    const path = join(folder, `store-${flush}`)
    const db = open(path, { ...small, flush })
    const expected = new Map()
    const put = (key, value) => expected.set(key, value)
    for (let i = 0; i < 300; i++) {
      const key = `key ${String(i % 200).padStart(4, '0')}`
      db.putSync(key, { i, text: 'x'.repeat(i) })
      put(key, { i, text: 'x'.repeat(i) })
    }
    db.batchSync([
      { type: 'put', key: 'key batch', value: 1 },
      { type: 'del', key: 'key 0000' },
    ])
    put('key batch', 1)
    expected.delete('key 0000')
    await Promise.all([db.put('key later', [1, 2]), db.remove('key 0001')])
    put('key later', [1, 2])
    expected.delete('key 0001')
    const large = 'large '.repeat(30_000)
    db.putSync('key large', large)
    put('key large', large)
    assert.equal(db.stats().persist.syncs, 0)
    assert.equal(db.stats().durableLsn, db.stats().lsn)
    const check = (store) => {
      assert.equal(store.count(), expected.size)
      assert.deepEqual(new Map([...store.range()].map(({ key, value }) => [key, value])), expected)
      const backwards = [...store.range({ reverse: true, prefix: 'key 01', limit: 5 })].map(({ key }) => key)
      assert.deepEqual(backwards, ['key 0199', 'key 0198', 'key 0197', 'key 0196', 'key 0195'])
      assert.deepEqual(store.get('key batch'), 1)
      assert.equal(store.get('key 0000'), undefined)
    }
    check(db)
    db.close()
    const again = open(path, { flush })
    assert.equal(again.recovery.outcome, 'clean')
    assert.equal(again.seal.verified, 'unchanged')
    check(again)
    again.close()
  })
}

test('survives a writer that is killed', async () => {
  const path = join(folder, 'killed')
  const writer = `import { open } from 'sealog'
    const db = open(process.argv[1], ${JSON.stringify(small)})
    for (let n = 0; ; n++) { db.putSync('n' + (n % 50), n); if (n % 4 === 0) process.stdout.write(n + '\\n') }`
  const child = spawn(process.execPath, ['--input-type=module', '-e', writer, path], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let said = ''
  child.stdout.setEncoding('utf8').on('data', (text) => {
    said += text
    if (said.length > 500) child.kill('SIGKILL')
  })
  await once(child, 'close')
  const acknowledged = Number(said.slice(0, said.lastIndexOf('\n')).split('\n').at(-1))
  assert.ok(acknowledged > 100)
  const db = open(path)
  assert.equal(db.recovery.outcome, 'recovered')
  assert.equal(db.seal.verified, 'unchanged')
  const last = Math.max(...db.values())
  assert.ok(last >= acknowledged, `${last} is the last found, ${acknowledged} was acknowledged`)
  for (let n = last; n > last - 50; n--) assert.equal(db.get(`n${n % 50}`), n)
  db.close()
})

test('a hole is found, told and mended', () => {
  const path = join(folder, 'punched')
  const db = open(path, { capacity })
  db.putSync('kept', 1)
  db.close()
  execFileSync('fallocate', ['--punch-hole', '--offset', '24MiB', '--length', '1MiB', db.path])
  const fd = openSync(db.path, 'r+')
  fsyncSync(fd)
  closeSync(fd)
  const mended = open(path)
  assert.equal(mended.seal.verified, 'repaired')
  assert.ok(mended.seal.reasons.length > 0)
  assert.equal(mended.get('kept'), 1)
  mended.close()
  const again = open(path)
  assert.equal(again.seal.verified, 'unchanged')
  again.close()
})

test('a damaged record is told from a missing one', () => {
  const path = join(folder, 'damaged')
  const db = open(path, { ...small, encoding: 'string' })
  db.putSync('whole', 'w'.repeat(1_000))
  db.putSync('hurt', 'hurt '.repeat(200))
  db.close()
  const bytes = readFileSync(db.path)
  const at = bytes.indexOf('hurt hurt')
  const fd = openSync(db.path, 'r+')
  writeSync(fd, 'HURT', at)
  closeSync(fd)
  const again = open(path)
  assert.equal(again.get('whole'), 'w'.repeat(1_000))
  assert.throws(() => again.get('hurt'), { code: 'ERR_SEALOG_CORRUPT' })
  again.close()
})
