// What a seal is worth without persistent memory: durable puts into stores whose files are sparse, allocated and sealed, on ext4 and
// xfs in loop devices (needs root), with and without metadata load beside them; in the domain `disk`, and in `os` (durability:
// 'relaxed'). Neither of them populates its mapping: that level is for persistent memory. The experiment itself, and the same
// with DAX: test/dax/seal_experiment.cc, docs/seal.md.
//   npm run bench:seal [-- --puts N --rounds N --on ext4,xfs]
import { readFileSync, mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { loopMount, run } from '../scripts/loop-mount.mjs'
import { median } from './lib/figures.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const build = join(root, 'build', 'seal')
const mib = 2 ** 20
const levels = ['sparse', 'allocated', 'sealed']

const { values } = parseArgs({
  options: {
    puts: { type: 'string', default: '5000' },
    rounds: { type: 'string', default: '3' },
    on: { type: 'string', default: 'ext4,xfs' },
  },
})
const rounds = Number(values.rounds)

run('cmake', '-S', join(root, 'test', 'dax'), '-B', build, '-DCMAKE_BUILD_TYPE=Release')
run('cmake', '--build', build, '-j2', '--target', 'sealog_seal_experiment')
const program = join(build, 'sealog_seal_experiment')

/** The file of /proc that counts journal commits. That of xfs counts those of all of the machine's xfs. */
function journalOf(type, directory) {
  if (type === 'xfs') return '/proc/fs/xfs/stat'
  const mount = readFileSync('/proc/mounts', 'utf8')
    .split('\n')
    .find((line) => line.split(' ')[1] === directory)
  return `/proc/fs/jbd2/${basename(mount.split(' ')[0])}-8/info`
}

const us = (value) => (value >= 1000 ? `${(value / 1000).toFixed(1)} ms` : `${value.toFixed(value < 10 ? 1 : 0)} µs`)

console.log(`${values.puts} durable puts of 16 + 100 bytes, 64 MiB, medians of ${rounds} rounds, levels by turns`)
console.log(
  '| file system | domain | level | beside it | faults | journal commits | p50 | p99 | p99.9 | p99.99 | worst |',
)
console.log('|---|---|---|---|---|---|---|---|---|---|---|')
for (const type of values.on.split(',')) {
  const { directory, remove } = loopMount(mkdtempSync(join(tmpdir(), 'sealog-seal-')), type, 1024 * mib)
  try {
    const journal = journalOf(type, directory)
    for (const [domain, sync, puts] of [
      ['disk', 'sync', Number(values.puts)],
      ['os', 'relaxed', 10 * Number(values.puts)],
    ]) {
      for (const load of ['quiet', 'load']) {
        const rows = Object.fromEntries(levels.map((level) => [level, []]))
        for (let round = 0; round < rounds; round++) {
          for (const level of levels) {
            const path = join(directory, 'store.sealog')
            const output = run(program, path, type, journal, level, sync, load, String(puts), '0')
            rows[level].push(JSON.parse(output.match(/^experiment (.*)$/m)[1]))
          }
        }
        for (const level of levels) {
          const of = (field) => median(rows[level].map((row) => row[field]))
          const found = rows[level][0].domain
          if (found !== domain) throw new Error(`expected the domain ${domain}, it is ${found}`)
          const latencies = ['p50Us', 'p99Us', 'p999Us', 'p9999Us', 'maxUs'].map((field) => us(of(field)))
          // Under load the journal is also the load's.
          const cells = [type, domain, level, load === 'load' ? 'metadata load' : '', of('faults')]
          console.log(`| ${[...cells, load === 'load' ? '' : of('commits'), ...latencies].join(' | ')} |`)
        }
      }
    }
  } finally {
    remove()
  }
}
