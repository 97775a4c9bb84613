// The tables of docs/performance.md, between their markers.
import { readFileSync, writeFileSync } from 'node:fs'
import { markdownTable } from './table.mjs'

const file = new URL('../../docs/performance.md', import.meta.url)
const begin = '<!-- bench: written by bench/report/docs.mjs -->'
const end = '<!-- /bench -->'

export function writeDocs({ facts, rows }) {
  const text = readFileSync(file, 'utf8')
  const from = text.indexOf(begin)
  const to = text.indexOf(end)
  if (from < 0 || to < from) throw new Error('docs/performance.md has no place for the tables')
  const fileSystems = [...new Set(rows.map(({ fs }) => fs))]
  const parts = [
    `\`npm run bench${facts.size === 'full' ? ' -- --full' : ''}\`: ${facts.keys} keys of 16 bytes, values of 100, medians of ${facts.rounds} round(s). ${facts.cpu}, ` +
      `${facts.cores} cores, load ${facts.load} when it began, Node ${facts.node}, Linux ${facts.kernel}, ${facts.date}.` +
      (facts.size === 'full' ? '' : ' A quick run: the figures are rough, with other load on the machine.'),
    ...fileSystems.flatMap((fs) => [
      `**${fs}**`,
      markdownTable(rows.filter((row) => row.fs === fs && row.count === facts.keys)),
    ]),
  ]
  writeFileSync(file, `${text.slice(0, from + begin.length)}\n\n${parts.join('\n\n')}\n\n${text.slice(to)}`)
}
