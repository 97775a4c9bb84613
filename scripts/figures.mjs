// The table of figures in README: what the lanes printed, from a log of their `figures: {…}` lines.
//   node scripts/figures.mjs LOG…     prints the table, and writes it between the markers in README.md
import { readFileSync, writeFileSync } from 'node:fs'
import { argv, exit } from 'node:process'
import { fileURLToPath } from 'node:url'

const readme = fileURLToPath(new URL('../README.md', import.meta.url))
const begin = '<!-- figures: written by scripts/figures.mjs -->'
const end = '<!-- /figures -->'

const n = (value) => (value ?? 0).toLocaleString('en-US')
/** Lines of one lane are summed, but for what is not a number. */
function sum(lines) {
  const total = {}
  for (const line of lines)
    for (const [name, value] of Object.entries(line))
      total[name] = typeof value === 'number' ? (total[name] ?? 0) + value : value
  return total
}

/** @type {Record<string, (figures: any) => [what: string, figure: string, wrong: string]>} */
const rows = {
  crash: (f) => [
    'power cuts at any store, line or fence: distinct crash images recovered',
    `${n(f.distinct)}; ${n(f.depth2)} of them cut again inside recovery; ${n(f.node)} also through Node`,
    `${n(f.violations)} violations`,
  ],
  disk: (f) => ['power cuts of a disk or page cache: images recovered', n(f.images), `${n(f.violations)} violations`],
  mutants: (f) => [
    'flushes, fences and checks taken out: noticed by the crash images',
    `${n(f.killed)} of ${n(f.mutants)}, and ${n(f.equivalent)} equivalent`,
    `${n(f.survived)} survived`,
  ],
  kill: (f) => [
    '`kill -9` at any moment, the same files throughout',
    `${n(f.cycles)} cycles, ${n(f.acknowledged)} acknowledged operations`,
    `${n(f.lost)} lost, ${n(f.wrong)} wrong`,
  ],
  damage: (f) => [
    'bits flipped, blocks swapped, zeroed, put back',
    `${n((f.bits ?? 0) + (f.blocks ?? 0))} damages`,
    `${n(f.wrong)} wrong answers, ${n(f.crash)} crashes, ${n(f.hang)} hangs`,
  ],
  faults: (f) => [
    'system calls, transfers, allocations, devices and pages that fail',
    `${n(f.cases)} cases`,
    `${n(f.failed)} failed, ${n(f.leaks)} leaks`,
  ],
  fuzz: (f) => ['hostile files under ASan and UBSan', `${n(f.executions)} executions`, `${n(f.findings)} findings`],
  model: (f) => ['random operations against a sorted map', `${n(f.runs)} runs`, `${n(f.failures)} failures`],
  recovery: (f) => [
    'recovery in TypeScript against its native twin',
    `${n(f.cases)} states of META`,
    `${n(f.differences)} differences`,
  ],
  dax: ({ powerCuts: { ext4, xfs }, sabotagedBuildsCaught, puts, faults, journalCommits }) => [
    'ext4 and xfs with DAX in a virtual machine: power cuts, plain and with loss of the CPU cache',
    `${n(ext4.images + xfs.images)} images; ${n(sabotagedBuildsCaught)} sabotaged builds caught; ${n(faults)} faults and ${n(journalCommits)} journal commits in ${n(puts)} puts`,
    `${n(ext4.violations + xfs.violations)} violations`,
  ],
  sanitized: (f) => [
    'the vitest suite with the addon under ASan and UBSan',
    `${n(f.passed)} tests`,
    `${n(f.reports)} reports`,
  ],
}

const found = argv
  .slice(2)
  .flatMap((file) => readFileSync(file, 'utf8').split('\n'))
  .filter((line) => line.startsWith('figures: {'))
  .map((line) => JSON.parse(line.slice('figures: '.length)))
const table = ['| what was done to it | how often | outcome |', '|---|---|---|']
for (const [lane, row] of Object.entries(rows)) {
  const lines = found.filter((line) => line.lane === lane)
  if (lines.length > 0) table.push(`| ${row(sum(lines)).join(' | ')} |`)
}
console.log(table.join('\n'))

const text = readFileSync(readme, 'utf8')
const from = text.indexOf(begin)
const to = text.indexOf(end)
if (from < 0 || to < from) {
  console.error('README.md has no place for the table')
  exit(1)
}
writeFileSync(readme, `${text.slice(0, from + begin.length)}\n\n${table.join('\n')}\n\n${text.slice(to)}`)
