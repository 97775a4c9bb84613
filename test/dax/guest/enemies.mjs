// What others do to a store's file, on a real DAX mount: found, told, survived; and refused by the kernel where the seal is enforced.
// argv: a folder on it, and its file system (ext4, xfs, xfs-reflink).
import assert from 'node:assert/strict'
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, existsSync, ftruncateSync, openSync, rmSync, truncateSync, unlinkSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import test from 'node:test'
import { open } from 'sealog'

const [folder, fileSystem] = process.argv.slice(2)
const ext4 = fileSystem === 'ext4'
const small = { capacity: '4MiB', segmentBytes: '64KiB' }
const run = (program, ...args) => execFileSync(program, args, { stdio: ['ignore', 'pipe', 'pipe'], encoding: 'utf8' })
/** Fails, as the kernel lets it. */
const refused = (program, ...args) => {
  const { status, stderr, stdout } = spawnSync(program, args, { encoding: 'utf8' })
  assert.notEqual(status, 0, `${program} ${args.join(' ')} was not refused`)
  return stderr + stdout
}
const has = (program) => spawnSync('which', [program]).status === 0

let number = 0
/** A new store with some entries. */
function make(options = {}) {
  const db = open(join(folder, `store-${number++}`), { ...small, ...options })
  fill(db, 0)
  return db
}
function fill(db, round) {
  for (let i = 0; i < 50; i++) db.putSync(`key ${i}`, { round, i, text: 'x'.repeat(100) })
}
function check(db, round) {
  assert.equal(db.count(), 50)
  for (const { key, value } of db.range())
    assert.deepEqual(value, { round, i: Number(key.slice(4)), text: 'x'.repeat(100) })
}
/** Opens again: what was in it is there. */
function reopened(path, verified, round = 0) {
  const db = open(path)
  assert.equal(db.seal.verified, verified, db.seal.reasons.join('; '))
  check(db, round)
  fill(db, round + 1)
  check(db, round + 1)
  return db
}

test('truncated while it is open', () => {
  const db = make()
  truncateSync(db.path, 64 * 1024)
  assert.throws(() => fill(db, 1), { code: 'ERR_SEALOG_MEDIA' })
  assert.throws(() => db.close(), { code: 'ERR_SEALOG_MEDIA' }) // its checkpoint cannot be written; closed it is
  assert.throws(() => open(db.path), { code: 'ERR_SEALOG_TRUNCATED' })
})

test('punched while it is open, where nothing is yet', () => {
  const db = make()
  run('fallocate', '--punch-hole', '--offset', '3MiB', '--length', '512KiB', db.path)
  fill(db, 1)
  db.close()
  reopened(db.path, 'repaired', 1).close()
})

test('copied away and back', () => {
  const db = make()
  db.close()
  run('cp', '--reflink=never', db.path, `${db.path}.copy`)
  rmSync(db.path)
  run('cp', '--reflink=never', `${db.path}.copy`, db.path)
  reopened(db.path, 'resealed').close()
})

test('cloned while it is open', { skip: fileSystem !== 'xfs-reflink' && 'no reflinks here' }, () => {
  const db = make()
  run('cp', '--reflink=always', db.path, `${db.path}.clone`)
  fill(db, 1)
  db.close()
  reopened(db.path, 'repaired', 1).close()
})

test('defragmented while it is open', { skip: !has(ext4 ? 'e4defrag' : 'xfs_fsr') && 'no tool' }, () => {
  const db = make()
  spawnSync(ext4 ? 'e4defrag' : 'xfs_fsr', [db.path])
  fill(db, 1)
  db.close()
  reopened(db.path, 'unchanged', 1).close()
})

test('made immutable by somebody else', () => {
  const db = make()
  run('chattr', '+i', db.path)
  fill(db, 1)
  db.close()
  assert.throws(() => open(db.path), { code: 'ERR_SEALOG_PERMISSION' })
  const reader = open(db.path, { readOnly: true })
  check(reader, 1)
  reader.close()
  run('chattr', '-i', db.path)
  reopened(db.path, 'unchanged', 1).close()
})

test('the file system is full', () => {
  const db = make()
  const filler = join(folder, 'filler')
  spawnSync('dd', ['if=/dev/zero', `of=${filler}`, 'bs=1M'])
  spawnSync('dd', ['if=/dev/zero', `of=${filler}`, 'bs=4k', 'oflag=append', 'conv=notrunc'])
  for (let round = 1; round < 20; round++) fill(db, round)
  check(db, 19)
  assert.throws(() => make(), { code: 'ERR_SEALOG_NO_SPACE' })
  db.close()
  rmSync(filler)
  reopened(db.path, 'unchanged', 19).close()
})

test('remounted read-only', () => {
  const db = make()
  refused('mount', '-o', 'remount,ro', folder)
  fill(db, 1)
  db.close()
  run('mount', '-o', 'remount,ro', folder)
  assert.throws(() => open(db.path), { code: 'ERR_SEALOG_PERMISSION' })
  const reader = open(db.path, { readOnly: true })
  check(reader, 1)
  reader.close()
  run('mount', '-o', 'remount,rw', folder)
  reopened(db.path, 'unchanged', 1).close()
})

test('an enforced seal is refused where it would not hold', { skip: ext4 && 'it holds here' }, () => {
  assert.throws(() => make({ seal: { immutable: true } }), { code: 'ERR_SEALOG_UNSUPPORTED' })
  const db = open(join(folder, `store-${number - 1}`))
  assert.equal(db.seal.enforced, false)
  db.close()
})

const enforced = { seal: { immutable: true } }
const onlyExt4 = { skip: !ext4 && 'ext4 only' }

/** Everything that changes the file or its blocks. */
function attack(path, before) {
  assert.throws(() => ftruncateSync(before, 0), { code: 'EPERM' })
  assert.throws(() => writeSync(before, 'x', 0), { code: 'EPERM' })
  assert.throws(() => openSync(path, 'r+'), { code: 'EPERM' })
  assert.throws(() => truncateSync(path, 0), { code: 'EPERM' })
  assert.throws(() => unlinkSync(path), { code: 'EPERM' })
  for (const how of [['--punch-hole'], ['--zero-range'], ['--collapse-range'], []]) {
    refused('fallocate', ...how, '--offset', '1MiB', '--length', '1MiB', path)
  }
  refused('mv', path, `${path}.moved`)
  refused('ln', path, `${path}.link`)
  refused('dd', 'if=/dev/zero', `of=${path}`, 'bs=4k', 'count=1', 'conv=notrunc')
  if (has('e4defrag')) spawnSync('e4defrag', [path])
}

test('an enforced seal: nobody changes the file, the store goes on', onlyExt4, async () => {
  const path = join(folder, 'enforced.sealog')
  make().close()
  const first = open(path, small)
  const before = openSync(path, 'r+')
  first.close()
  const db = open(path, enforced)
  fill(db, 0)
  assert.equal(db.seal.enforced, true)
  for (let i = 0; i < 100 && !db.seal.populated; i++) await new Promise((resolve) => setTimeout(resolve, 20))
  assert.equal(db.seal.level, 'pinned')
  attack(path, before)
  run('sync', '-f', path) // write-protects the pages: the next stores fault
  fill(db, 1)
  check(db, 1)
  db.close()
  closeSync(before)
  // Closed, the file is an ordinary one.
  run('cp', path, `${path}.copy`)
  run('mv', path, `${path}.moved`)
  run('mv', `${path}.moved`, path)
  run('chattr', '+i', path)
  assert.throws(() => open(path), { code: 'ERR_SEALOG_PERMISSION' }) // not our flag
  run('chattr', '-i', path)
  reopened(path, 'unchanged', 1).close()
})

for (const options of [enforced, {}]) {
  test(`an enforced seal after a crash, opened with ${JSON.stringify(options)}`, onlyExt4, async () => {
    const path = join(folder, `crashed-${options === enforced ? 'again' : 'plain'}.sealog`)
    const writer = `import { open } from 'sealog'
      const db = open(process.argv[1], ${JSON.stringify({ ...small, ...enforced })})
      for (let i = 0; i < 50; i++) db.putSync('key ' + i, { round: 0, i, text: 'x'.repeat(100) })
      process.stdout.write('written\\n')
      setInterval(() => {}, 1000)`
    const child = spawn(process.execPath, ['--input-type=module', '-e', writer, path], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    await once(child.stdout, 'data')
    assert.throws(() => open(path, options), { code: 'ERR_SEALOG_LOCKED' })
    child.kill('SIGKILL')
    await once(child, 'close')
    assert.throws(() => openSync(path, 'r+'), { code: 'EPERM' })
    const db = open(path, options)
    assert.equal(db.recovery.outcome, 'recovered')
    assert.equal(db.seal.enforced, options === enforced)
    check(db, 0)
    fill(db, 1)
    db.close()
    reopened(path, 'unchanged', 1).close()
  })
}

test('an enforced seal needs the capability', { skip: (!ext4 || !has('setpriv')) && 'ext4 only' }, () => {
  const path = join(folder, 'incapable.sealog')
  const program = `import { open } from 'sealog'
    try { open(process.argv[1], ${JSON.stringify({ ...small, ...enforced })}) } catch (error) { console.log(error.code, error.message) }`
  const said = run(
    'setpriv',
    '--bounding-set=-linux_immutable',
    '--inh-caps=-linux_immutable',
    process.execPath,
    '--input-type=module',
    '-e',
    program,
    path,
  )
  assert.match(said, /ERR_SEALOG_PERMISSION.*CAP_LINUX_IMMUTABLE/)
  assert.ok(existsSync(path))
  const db = open(path)
  db.close()
})
