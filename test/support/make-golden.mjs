// Makes the golden stores of test/fixtures/v1 with the built package: `npm run build && node test/support/make-golden.mjs [name…]`.
// They stand for every store of format version 1 that is out there, so they are made once: a store that exists is left alone.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { open } from 'sealog'
import { revive } from './golden-json.mjs'

const fixtures = fileURLToPath(new URL('../fixtures/v1/', import.meta.url))
const options = { capacity: '1MiB', segmentBytes: '32KiB' }

const put = (key, value) => ({ type: 'put', key, value })
const del = (key) => ({ type: 'del', key })

const orderedKeys = [
  null,
  { $symbol: 'a symbol' },
  false,
  true,
  { $number: '-Infinity' },
  -1e300,
  -1.5,
  -1,
  0,
  5e-324,
  0.1,
  1,
  4294967296,
  9007199254740991,
  { $number: 'Infinity' },
  '',
  'a',
  'a\u0000b',
  'a\u0004',
  '__proto__',
  'constructor',
  'ÿ',
  '語',
  '\u{1f600}',
  { $repeat: ['k', 1984] },
  ['a'],
  ['a', 1],
  ['a', 'b', null, true],
  [{ $bytes: '00ff' }, 'x'],
  { $bytes: '' },
  { $bytes: '00' },
  { $bytes: '0001020304050607ff' },
  { $bytes: 'ff' },
]

const msgpackValues = [
  null,
  true,
  0,
  -1,
  1.5,
  { $number: '-Infinity' },
  { $bigint: '1234567890123456789' },
  '',
  'text',
  'ünï語\u{1f600}',
  [],
  {},
  [1, [2, [3]], { $undefined: 0 }],
  { constructor: 1, toString: 'no' },
  { $date: '2026-02-03T04:05:06.789Z' },
  {
    $map: [
      [1, 'one'],
      ['two', { deep: [true] }],
    ],
  },
  { $bytes: '' },
  { $bytes: '00010203ff' },
  { $pattern: [7, 500] },
  { $repeat: ['0123456789', 20] },
]

/** Two shapes, again and again: msgpackr stores them as shared structures. */
const people = Array.from({ length: 60 }, (_, i) =>
  put(
    `person ${String(i).padStart(2, '0')}`,
    i % 3 === 0 ? { id: i, tags: [`t${i}`], admin: true } : { id: i, name: `Name ${i}`, age: 20 + i },
  ),
)
const large = [
  put('large 1', { $repeat: ['a large text; ', 2500] }),
  put('large 2', { $pattern: [3, 70_001] }),
  put(['large', 3], { text: { $repeat: ['x', 30_000] }, bytes: { $pattern: [11, 40_000] } }),
]
const everyKey = orderedKeys.map((key, i) => put(key, msgpackValues[i % msgpackValues.length]))
const general = [
  ...everyKey,
  ...people,
  ...large,
  put('replaced', 'old'),
  put('replaced', { now: 'new' }),
  del('person 07'),
  del('large 1'),
  del('never there'),
  [
    put('batch 1', 1),
    put('batch 2', { id: 2, name: 'two', age: 2 }),
    del('person 08'),
    put('batch 1', 'the last counts'),
  ],
]

/** Sessions of operations; what is in an array is one batch. After all but the last the store is closed. */
const stores = {
  clean: { options, sessions: [general] },
  killed: {
    options,
    killed: true,
    sessions: [
      general,
      [
        put('tail 1', 'in the log only'),
        put({ $number: '-Infinity' }, 'replaced in the tail'),
        put('tail large', { $pattern: [5, 50_000] }),
        put('tail new shape', { shape: 'seen first in the tail', yes: true }),
        del('person 10'),
        [put('tail batch', [1, 2]), del('person 11'), put('person 12', { id: 12, name: 'in a batch', age: 1 })],
        put('tail last', null),
      ],
    ],
  },
  'utf8-json': {
    options: { ...options, keys: 'utf8', encoding: 'json' },
    sessions: [
      [
        ...['a', 'a\u0000', '\u0000', 'b', '__proto__', 'ÿ', '\uffff', '\u{10ffff}'].map((key, i) => put(key, { i })),
        put('null', null),
        put('array', [1, 'two', { three: 3 }]),
        put('gone', 1),
        del('gone'),
      ],
      [put('second session', true)],
    ],
  },
  'binary-binary': {
    options: { ...options, keys: 'binary', encoding: 'binary' },
    killed: true,
    sessions: [
      [
        ...['00', '0000', '01', '7fff', '80', 'ff', 'ffff'].map((key, i) =>
          put({ $bytes: key }, i === 0 ? { $bytes: '' } : { $pattern: [i, i * 1000] }),
        ),
        put({ $bytes: 'fe' }, { $bytes: '01' }),
        [del({ $bytes: 'fe' }), put({ $bytes: 'ff00' }, { $bytes: '00' })],
      ],
    ],
  },
}

function write(db, model, operation) {
  const changes = Array.isArray(operation) ? operation : [operation]
  const revived = changes.map((change) => ({
    type: change.type,
    key: revive(change.key),
    ...(change.type === 'put' && { value: revive(change.value) }),
  }))
  const [{ type, key, value }] = revived
  if (Array.isArray(operation)) db.batchSync(revived)
  else if (type === 'put') db.putSync(key, value)
  else db.removeSync(key)
  for (const change of changes) {
    if (change.type === 'put') model.set(JSON.stringify(change.key), change)
    else model.delete(JSON.stringify(change.key))
  }
}

/** In a child, since some stores are killed. The expected content is written before that. */
function fill(name, path) {
  const store = stores[name]
  const model = new Map()
  store.sessions.forEach((session, i) => {
    const db = open(path, store.options)
    for (const operation of session) write(db, model, operation)
    if (i < store.sessions.length - 1) return db.close()

    // In the order of the store, which has to have just these.
    const entries = [...db.keys()].map((key) => {
      const found = [...model.values()].find((change) => sameKey(revive(change.key), key))
      if (found === undefined) throw new Error(`${name}: a key that was not written`)
      return { key: found.key, value: found.value }
    })
    if (entries.length !== model.size) throw new Error(`${name}: ${entries.length} entries, ${model.size} expected`)
    const { keys = 'ordered', encoding = 'msgpack' } = store.options
    const expected = {
      outcome: store.killed ? 'recovered' : 'clean',
      keys,
      encoding,
      entries,
    }
    writeFileSync(`${path}.json`, `${JSON.stringify(expected, null, 2)}\n`)
    if (store.killed) process.kill(process.pid, 'SIGKILL')
    db.close()
  })
}

function sameKey(a, b) {
  if (Array.isArray(a) && Array.isArray(b))
    return a.length === b.length && a.every((element, i) => sameKey(element, b[i]))
  if (a instanceof Uint8Array && b instanceof Uint8Array) return Buffer.compare(a, b) === 0
  return Object.is(a, b)
}

const [first, ...rest] = process.argv.slice(2)
if (first === '--fill') {
  fill(...rest)
} else {
  const names = first === undefined ? Object.keys(stores) : [first, ...rest]
  for (const name of names) {
    const golden = join(fixtures, `${name}.sealog.gz`)
    if (existsSync(golden)) {
      console.log(`${name}: there already`)
      continue
    }
    const directory = mkdtempSync(join(tmpdir(), 'sealog-golden-'))
    const path = join(directory, name)
    const { status, signal } = spawnSync(process.execPath, [fileURLToPath(import.meta.url), '--fill', name, path], {
      stdio: 'inherit',
    })
    if (status !== 0 && signal !== 'SIGKILL') throw new Error(`${name}: status ${status}, signal ${signal}`)
    const packed = gzipSync(readFileSync(`${path}.sealog`), { level: 9 })
    writeFileSync(golden, packed)
    // Pieces of large values count, and what msgpackr keeps about structures: as this version found them.
    const reader = open(path, { readOnly: true })
    const { recordsReplayed } = reader.recovery
    reader.close()
    const expected = { ...JSON.parse(readFileSync(`${path}.json`, 'utf8')), recordsReplayed }
    writeFileSync(join(fixtures, `${name}.json`), `${JSON.stringify(expected, null, 2)}\n`)
    rmSync(directory, { recursive: true })
    console.log(`${name}: ${packed.length} bytes`)
  }
}
