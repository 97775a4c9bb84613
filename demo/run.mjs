// The demo: a child loads English words as objects and is killed with SIGKILL on the way; every write that it had acknowledged must
// be there afterwards. Exits with 1 if one is lost or wrong, and then leaves the store where it is.
import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { open } from '../dist/index.js'
import { killChildren } from './child.mjs'
import { loadWithKills } from './load.mjs'
import { lookUp } from './lookups.mjs'
import { parseOptions } from './options.mjs'
import { planLoad } from './plan.mjs'
import { Progress } from './progress.mjs'
import { domainLine, format, formatTable } from './report.mjs'
import { verifyStore } from './verify.mjs'
import { loadWords, randomFrom, recordOf, writeOrder } from './words.mjs'

const capacity = '192MiB'
const timeoutMs = (kills) => 120_000 + 10_000 * kills

const options = parseOptions()
const directory = mkdtempSync(join(options.dir, 'sealog-demo-'))
let keepFiles = false

process.on('exit', () => {
  killChildren()
  if (!keepFiles) rmSync(directory, { recursive: true, force: true })
})
for (const [signal, number] of Object.entries({ SIGINT: 2, SIGTERM: 15, SIGHUP: 1 })) {
  process.on(signal, () => process.exit(128 + number))
}
setTimeout(
  () => fail(`The demo took longer than ${timeoutMs(options.kills) / 1000} s`),
  timeoutMs(options.kills),
).unref()

function fail(message) {
  keepFiles = true
  console.error(`\n${message}\nThe files are left in ${directory}; --seed ${options.seed} --kills ${options.kills}`)
  process.exit(1)
}

/** What a durable put costs here, and in which domain, tried with a store that is removed again. */
function tryPuts(words) {
  const db = open(join(directory, 'trial'), { capacity: '32MiB' })
  const costs = []
  for (let i = 0; i < 64; i++) {
    const record = recordOf(words[i], i)
    const startedMs = performance.now()
    db.putSync(record.word, record)
    costs.push(performance.now() - startedMs)
  }
  db.close()
  rmSync(db.path)
  const putMs = costs.sort((a, b) => a - b)[costs.length >> 1]
  return { putMs, domain: db.persistence }
}

async function main() {
  const words = loadWords(options.words)
  const { putMs, domain } = tryPuts(words)
  const phases = planLoad(words.length, putMs)
  console.log(`Loading ${format(words.length)} words into ${directory} (domain ${domain}), --seed ${options.seed}`)
  for (const { name, from, to, size } of phases) {
    const how = {
      single: 'one durable put at a time',
      promise: `${size} promises in flight`,
      batch: `batches of ${size}`,
    }
    console.log(`  ${format(to - from).padStart(7)} ${name}: ${how[name]}`)
  }

  const job = { path: join(directory, 'words.sealog'), capacity, words: words.length, seed: options.seed, phases }
  if (options.images) job.image = join(directory, 'before-recovery.sealog')
  const progress = new Progress(words.length)
  const load = await loadWithKills({ job, kills: options.kills, random: randomFrom(options.seed + 1), progress })
  progress.stop()
  if (load.lost + load.wrong > 0) fail(`${load.lost} lost, ${load.wrong} wrong:\n${load.problems.join('\n')}`)
  if (job.image !== undefined) rmSync(job.image, { force: true })

  const db = open(job.path)
  const source = { words, order: writeOrder(words.length, options.seed), phases }
  const verdict = verifyStore(db, { ...source, acknowledged: words.length, recovered: 0 })
  const lookups = lookUp(db, words, 'seal', options.seed + 2)
  const facts = { domain: db.persistence, seal: db.seal.level, flush: db.info.flush }
  db.close()
  console.log(`\n${formatTable({ facts, words: words.length, load, verdict, lookups })}`)
  console.log(`${lookups.prefixSample.join(', ')}${lookups.prefixCount > lookups.prefixSample.length ? ', …' : ''}`)
  console.log(domainLine(facts.domain))
  console.log(
    'A kill leaves the caches of the processor and of the system as they are: it does not test a power failure.',
  )
  const problems = [...verdict.problems, ...lookups.problems]
  if (problems.length > 0 || verdict.lost + verdict.wrong > 0) fail(problems.join('\n'))
}

main().catch((error) => fail(error.stack ?? String(error)))
