import type { BlockMap, DoctorReport, ReadableStore, StoreReport } from './report.ts'
import { domainMeanings, formatBytes, wrap } from './words.ts'

type Row = readonly [label: string, value: string]

const columns = 100
const labelColumns = 20
const kindLabels = { note: '-', improve: '+', warning: '!' } as const

/** The report for people: labels and values in two columns, then the advice. Plain text, ends with a newline. */
export function formatReport(report: DoctorReport): string {
  const lines = [report.directory, ...rows(directoryRows(report)), '', ...rows(persistenceRows(report))]
  if (report.store) lines.push('', report.store.path, ...rows(storeRows(report.store)))
  if (report.advice.length > 0) lines.push('', 'Advice (! beware, + how to get more, - good to know)')
  for (const { kind, text } of report.advice) lines.push(...wrap(text, columns, `  ${kindLabels[kind]} `, '    '))
  return `${lines.join('\n')}\n`
}

function rows(list: readonly Row[]): string[] {
  return list.flatMap(([label, value]) =>
    wrap(value, columns, `  ${label.padEnd(labelColumns)}`, ' '.repeat(labelColumns + 2)),
  )
}

function directoryRows({ fileSystem, kernel, dax, cpu, probe, seal, persistence }: DoctorReport): Row[] {
  const options = fileSystem.mountOptions.join(', ')
  const usesFlush = persistence.sync !== 'disk'
  return [
    [
      'file system',
      `${fileSystem.name}, ${fileSystem.local ? 'local' : 'not known to be local'}, blocks of ${fileSystem.blockBytes} bytes`,
    ],
    ['mount options', options === '' ? 'not found' : options],
    ['free space', fileSystem.freeBytes === null ? 'no limit is known' : formatBytes(fileSystem.freeBytes)],
    ['kernel', kernel],
    ['DAX attribute', yesNo(dax.attribute)],
    ['MAP_SYNC', dax.mapSync ? 'granted' : `refused (${dax.mapSyncError ?? 'no errno'})`],
    ['flush instruction', `${cpu.flush}${usesFlush ? '' : ' (not used in the domain disk)'}`],
    ['eADR', yesNo(cpu.eadr)],
    ['write lease', fileSystem.writeLease ? 'granted' : 'refused'],
    ['after fallocate', fileSystem.fallocate ? describe(probe.afterFallocate, probe.bytes) : 'no fallocate here'],
    ['after sealing', describe(probe.afterSealing, probe.bytes)],
    ['highest seal level', `${seal}, with a file of ${formatBytes(probe.bytes)}`],
  ]
}

function persistenceRows({ persistence: { sync, relaxed } }: DoctorReport): Row[] {
  return [
    ['durability sync', `${sync}: a completed write survives ${domainMeanings[sync]}`],
    ['durability relaxed', relaxed === sync ? `${relaxed}: the same` : `${relaxed}: ${domainMeanings[relaxed]}`],
  ]
}

function describe(map: BlockMap, probeBytes: number): string {
  if (map.method === 'none') return 'the block map could not be read'
  if (map.method === 'blocks') return `no block map; blocks are ${map.holeBytes === 0 ? 'all' : 'not all'} there`
  const parts = [
    map.extents === 1 ? '1 extent' : `${map.extents} extents`,
    map.unwrittenBytes === 0 ? 'none unwritten' : `${formatBytes(map.unwrittenBytes)} unwritten`,
    `${Math.round((map.alignedBytes / probeBytes) * 100)} % in aligned 2 MiB pieces`,
  ]
  if (map.sharedBytes > 0) parts.push(`${formatBytes(map.sharedBytes)} shared`)
  if (map.holeBytes > 0) parts.push(`${formatBytes(map.holeBytes)} holes`)
  if (map.otherBytes > 0) parts.push(`${formatBytes(map.otherBytes)} of other kinds`)
  return parts.join(', ')
}

function storeRows(store: StoreReport): Row[] {
  switch (store.state) {
    case 'absent':
      return [['state', 'no store yet']]
    case 'in-use':
      return [['state', 'in use: a store, open in another process; what is in it cannot be shown meanwhile']]
    case 'refused':
      return [['state', `${store.code}: ${store.message}`]]
    case 'clean':
    case 'unclean':
      return readableRows(store)
  }
}

function readableRows(store: ReadableStore): Row[] {
  const { level, verified, extents, alignedBytes, reasons } = store.seal
  const why = reasons.length > 0 ? ` (${reasons.join('; ')})` : ''
  const map =
    extents > 0 ? `, ${extents === 1 ? '1 extent' : `${extents} extents`}, ${formatBytes(alignedBytes)} aligned` : ''
  return [
    [
      'state',
      store.state === 'clean'
        ? 'a store, closed properly'
        : `a store to be recovered: ${store.recordsToReplay} records to replay`,
    ],
    ['size', formatBytes(store.bytes)],
    ['entries', String(store.entries)],
    ['persistence', store.persistence],
    ['seal', `${level}${map}, ${verified}${why}`],
    ['last commit', `${store.lsn}, checkpoint ${store.checkpoint}`],
  ]
}

function yesNo(value: boolean): string {
  return value ? 'yes' : 'no'
}
