// The seal experiment, on both file systems: docs/seal.md's table between its marks, and the chart docs/seal.svg.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { sealChart } from './chart.mjs'
import { checkout, guestScript, makeImage } from './lab.mjs'
import { Machine } from './machine.mjs'

const puts = 50_000
const levels = ['sparse', 'allocated', 'sealed', 'populated']
const journals = { ext4: '/proc/fs/jbd2/${device##*/}-8/info', xfs: '/proc/fs/xfs/stat' }

function commands(fileSystem) {
  const cases = levels.flatMap((level) =>
    ['sync', 'nosync'].flatMap((sync) => ['quiet', 'load'].map((load) => [level, sync, load])),
  )
  const runs = cases.map(
    (each) =>
      `"$native"/sealog_seal_experiment /mnt/pmem/store ${fileSystem} ${journals[fileSystem]} ${each.join(' ')} ${puts} 0 || exit 1`,
  )
  return `hasten_xfs_log
device=$(image_devices)
make_file_system ${fileSystem} $device && mount_dax ${fileSystem} $device || exit 1
${runs.join('\n')}`
}

function table(rows) {
  const us = (value) =>
    value >= 1_000 ? `${(value / 1_000).toFixed(1)} ms` : `${value.toFixed(value < 10 ? 1 : 0)} µs`
  const head = [
    'file system',
    'level',
    'MAP_SYNC',
    'beside it',
    'faults',
    'journal commits',
    'worst fault',
    'p50',
    'p99',
    'p99.9',
    'worst',
  ]
  const lines = rows.map((row) => [
    row.fs,
    row.level,
    row.mapSync ? 'yes' : 'no',
    row.load ? 'metadata load' : '',
    row.faults,
    // Under load the journal is also the load's.
    row.load ? '' : row.commits,
    row.worstFaultUs > 0 ? us(row.worstFaultUs) : '',
    ...[row.p50Us, row.p99Us, row.p999Us, row.maxUs].map(us),
  ])
  return [head, head.map(() => '---'), ...lines].map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}

/** Replaces what is between the marks `seal:begin` and `seal:end` of docs/seal.md. */
function writeTable(text) {
  const path = join(checkout, 'docs', 'seal.md')
  const pattern = /(<!-- seal:begin -->\n)[\s\S]*(<!-- seal:end -->)/
  writeFileSync(
    path,
    readFileSync(path, 'utf8').replace(pattern, (_, begin, end) => `${begin}\n${text}\n\n${end}`),
  )
}

export async function runSealExperiment(lab, tell) {
  const rows = []
  for (const fileSystem of ['ext4', 'xfs']) {
    const images = [makeImage(lab, `${fileSystem}-seal.image`, 512)]
    const name = `${fileSystem}-seal`
    const machine = new Machine(lab, {
      name,
      commands: guestScript(lab, commands(fileSystem)),
      images,
    })
    const output = await machine.finished()
    rows.push(...[...output.matchAll(/^experiment (.*)$/gm)].map(([, json]) => JSON.parse(json)))
  }
  for (const row of rows) tell(JSON.stringify(row))
  writeTable(table(rows))
  writeFileSync(join(checkout, 'docs', 'seal.svg'), sealChart(rows))
  return { sealExperiments: rows.length }
}
