import type { Domain } from './report.ts'

/** What a completed write survives, behind "survives". */
export const domainMeanings: Readonly<Record<Domain, string>> = {
  pmem: 'kill -9, a crash of the system and a power failure',
  disk: 'kill -9, and a crash of the system or a power failure if the drive honours flushes',
  os: 'kill -9; after a crash of the system a consistent prefix is left',
  memory: 'kill -9, until the next reboot',
}

/** '1.5 GiB'. */
export function formatBytes(bytes: number): string {
  const units = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB']
  const power = bytes < 1024 ? 0 : Math.min(Math.floor(Math.log2(bytes) / 10), units.length - 1)
  const scaled = bytes / 1024 ** power
  return `${scaled.toFixed(Number.isInteger(scaled) ? 0 : 1)} ${units[power] ?? ''}`
}

/** Lines of at most `columns`, the first behind `first`, the others behind `rest`; a longer word stays whole. */
export function wrap(text: string, columns: number, first: string, rest: string): string[] {
  const lines: string[] = []
  let line = first
  let empty = true
  for (const word of text.split(' ')) {
    if (!empty && line.length + 1 + word.length > columns) {
      lines.push(line)
      line = rest
      empty = true
    }
    line += empty ? word : ` ${word}`
    empty = false
  }
  return [...lines, line]
}
