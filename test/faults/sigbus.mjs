// SIGBUS in Node: the file is truncated under an open store, in the main thread or in a worker, and put back afterwards. Run by
// scripts/test-faults.mjs; the parent counts a process that dies.
import { closeSync, openSync, readSync, rmSync, statSync, truncateSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { isMainThread, Worker } from 'node:worker_threads'
import { isSealogError, open } from '../../dist/index.js'

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    seconds: { type: 'string', default: '30' },
    case: { type: 'string' },
    worker: { type: 'boolean' },
    directory: { type: 'string' },
  },
})
const typed = [
  'ERR_SEALOG_MEDIA',
  'ERR_SEALOG_POISONED',
  'ERR_SEALOG_IO',
  'ERR_SEALOG_NOT_A_STORE',
  'ERR_SEALOG_TRUNCATED',
]
const options = {
  capacity: '1536KiB',
  segmentBytes: '16KiB',
  checkpointBytes: '64KiB',
  keys: 'utf8',
  encoding: 'string',
}
const page = 4096
const cuts = [0, 1, 2, 3, 4, 8, 9, 12, 13, 14, 16, 18, 20, 22, 24, 28, 32, 36, 40, 48, 64, 128, 256, 383]
const keyOf = (i) => `key-${String(i).padStart(5, '0')}`

/** A truncation that can be taken back. */
function cutOff(path, from) {
  const bytes = statSync(path).size
  const tail = Buffer.alloc(bytes - from)
  const fd = openSync(path, 'r+')
  readSync(fd, tail, 0, tail.length, from)
  closeSync(fd)
  truncateSync(path, from)
  return () => {
    const again = openSync(path, 'r+')
    writeSync(again, tail, 0, tail.length, from)
    closeSync(again)
  }
}

/** What is done while the file is short. `write` notes a change: `certain` if it was acknowledged. */
const operations = {
  put: (db, write) => {
    for (let i = 0; i < 30; i++) write(keyOf(i), `p${i}`, () => db.putSync(keyOf(i), `p${i}`))
  },
  large: (db, write) => {
    const value = 'v'.repeat(20_000)
    write(keyOf(1), value, () => db.putSync(keyOf(1), value))
  },
  remove: (db, write) => {
    for (let i = 0; i < 30; i++) write(keyOf(i * 3), undefined, () => db.removeSync(keyOf(i * 3)))
  },
  batch: (db, write) => {
    const value = 'b'.repeat(50)
    write(keyOf(7), value, () => db.batchSync([{ type: 'put', key: keyOf(7), value }]))
  },
  async: async (db, write) => {
    const puts = []
    for (let i = 0; i < 20; i++) puts.push(write(keyOf(i), `a${i}`, () => db.put(keyOf(i), `a${i}`)))
    await Promise.all(puts)
  },
  get: (db, write, refused) => {
    for (let i = 0; i < 300; i++) refused(() => db.get(keyOf(i)))
  },
  range: (db, write, refused) => {
    refused(() => [...db.range({})].length)
    refused(() => [...db.range({ reverse: true, limit: 200 })].length)
    refused(() => db.count({}))
  },
  close: (db, write, refused) => {
    refused(() => {
      db.close()
    })
  },
  open: (db, write, refused, path) => {
    refused(() => {
      db.close()
    })
    refused(() => {
      open(path, { ...options, createIfMissing: false }).close()
    })
  },
}

async function runCase(name, directory) {
  const [operation, at] = name.split('/')
  const path = join(directory, 'store')
  const file = `${path}.sealog`
  rmSync(file, { force: true })
  const possible = new Map()
  const known = new Map()
  let db = open(path, options)
  for (let i = 0; i < 300; i++) {
    db.putSync(keyOf(i), `first ${i}`)
    known.set(keyOf(i), `first ${i}`)
  }
  if (operation === 'get' || operation === 'range') {
    db.close()
    db = open(path, options)
  }
  let errors = 0
  const judge = (error) => {
    if (!isSealogError(error) || !typed.includes(error.code)) throw error
    errors++
  }
  const refused = (call) => {
    try {
      call()
    } catch (error) {
      judge(error)
    }
  }
  const write = (key, value, call) => {
    const acknowledge = () => {
      known.set(key, value)
      possible.delete(key)
    }
    try {
      const result = call()
      if (!(result instanceof Promise)) return acknowledge()
      return result.then(acknowledge, (error) => {
        judge(error)
        possible.set(key, value)
      })
    } catch (error) {
      judge(error)
      possible.set(key, value)
    }
  }
  const putBack = cutOff(file, Number(at) * page)
  try {
    await operations[operation](db, write, refused, path)
    refused(() => {
      db.close()
    })
  } finally {
    putBack()
  }
  db = open(path, { ...options, createIfMissing: false })
  for (const [key, value] of known) {
    const is = db.get(key)
    if (is !== value && !(possible.has(key) && is === possible.get(key)))
      throw new Error(`lost: ${key} is ${String(is).slice(0, 20)}, acknowledged was ${String(value).slice(0, 20)}`)
  }
  const present = [...db.keys({})].length
  if (present !== db.count({})) throw new Error(`lost: a range has ${present} keys, count says ${db.count({})}`)
  db.putSync('after', 'all')
  db.close()
  return errors
}

const allNames = cuts.flatMap((cut) => Object.keys(operations).map((operation) => `${operation}/${cut}`))

function shuffled(names, seed) {
  let state = seed
  const order = names.map((name) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return [state, name]
  })
  return order.sort(([a], [b]) => a - b).map(([, name]) => name)
}

const thread = values.worker ? 'worker' : 'main'
if (values.worker && isMainThread) {
  const worker = new Worker(new URL(import.meta.url), { argv: process.argv.slice(2) })
  worker.on('error', (error) => {
    console.log(`FAILED node/worker: ${error.stack}`)
    process.exitCode = 1
  })
} else {
  const begin = performance.now()
  const counts = { cases: 0, refused: 0, failed: 0 }
  const names = values.case ? [values.case] : shuffled(allNames, Number(values.seed))
  for (const name of names) {
    if (performance.now() - begin > Number(values.seconds) * 1000) break
    console.log(`begin ${name}`)
    counts.cases++
    try {
      if ((await runCase(name, values.directory)) > 0) counts.refused++
    } catch (error) {
      counts.failed++
      console.log(`FAILED node/${thread}/${name}\n  ${error.stack}`)
      console.log(`  replay: npm run test:faults -- --case node/${thread}/${name} --seed ${values.seed}`)
    }
  }
  console.log(`counts: ${JSON.stringify(counts)}`)
}
