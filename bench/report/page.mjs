// One HTML file that needs nothing else: the results, the tables, and charts by uPlot, whose code is inlined.
import { readFileSync, writeFileSync } from 'node:fs'
import { smallerWins } from '../targets.mjs'
import { workloads } from '../workloads.mjs'
import { eventLoops, refusals, tableHeads, tableOf } from './table.mjs'

const uplot = new URL('../node_modules/uplot/dist/', import.meta.url)
const read = (url) => readFileSync(url, 'utf8')
const escape = (text) =>
  String(text).replace(/[&<>"]/g, (c) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[c])

function table(heads, rows) {
  const cell = (tag, text, kind = '') => `<${tag}${kind && ` class="${kind}"`}>${escape(text)}</${tag}>`
  const verdict = (text) => (/NOT MET/.test(text) ? 'missed' : / met/.test(text) ? 'met' : '')
  return `<table><thead><tr>${heads.map((head) => cell('th', head)).join('')}</tr></thead><tbody>${rows
    .map((row) => `<tr>${row.map((text) => cell('td', text, verdict(String(text)))).join('')}</tr>`)
    .join('')}</tbody></table>`
}

/** @param {object} result what is in the JSON: facts, engines, missing, rows */
export function writePage(path, { facts, engines, missing, rows }) {
  const fileSystems = [...new Set(rows.map(({ fs }) => fs))]
  const tables = fileSystems.map((fs) => {
    const part = rows.filter((row) => row.fs === fs && row.count === facts.keys)
    return `<h2 id="${escape(fs)}">${escape(fs)}</h2>${table(
      tableHeads,
      tableOf(part).map((row) => Object.values(row)),
    )}<div class="charts" data-fs="${escape(fs)}"></div>`
  })
  const notes = [...missing.map(({ name, reason }) => `${name} is left out: ${reason}`), ...refusals(rows)]
  const described = Object.entries(workloads).map(([name, { title, unit }]) => [
    name,
    { title, unit, smaller: smallerWins.has(name) },
  ])
  const data = JSON.stringify({ facts, rows, workloads: Object.fromEntries(described) }).replaceAll('<', '\\u003c')
  writeFileSync(
    path,
    `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Sealog bench, ${escape(facts.date)}</title>
<style>${read(new URL('uPlot.min.css', uplot))}\n${read(new URL('page.css', import.meta.url))}</style>
<h1>Sealog bench</h1>
<p>${escape(`${facts.keys} keys of ${facts.keyBytes} bytes, values of ${facts.valueBytes}; medians of ${facts.rounds} round(s), at most ${facts.seconds} s per phase (${facts.size}). ${facts.cpu}, ${facts.cores} cores, ${facts.memoryGiB} GiB, load ${facts.load} when it began; Node ${facts.node}, Linux ${facts.kernel}; ${facts.date}.`)}</p>
<p>Only engines that promise the same are compared, and only on the same file system. <b>× raw</b>: as a program sees it. <b>× net</b>: without what the harness itself takes, as the null engine shows it. Keys are made under the clock, values are not.</p>
${table(
  ['engine', 'version', 'a completed write survives, on a disk', 'settings'],
  engines.map(({ label, version, promise, settings }) => [
    label,
    version,
    { power: 'kill -9 and a power cut', kill: 'kill -9', none: 'nothing' }[promise],
    settings,
  ]),
)}
${notes.length > 0 ? `<h2>Left out</h2><ul>${notes.map((note) => `<li>${escape(note)}</li>`).join('')}</ul>` : ''}
${tables.join('\n')}
<h2>Event loop</h2><ul>${eventLoops(rows)
      .map((line) => `<li>${escape(line)}</li>`)
      .join('')}</ul>
<script>${read(new URL('uPlot.iife.min.js', uplot))}</script>
<script>const bench = ${data}</script>
<script>${read(new URL('charts.js', import.meta.url))}</script>
</html>
`,
  )
}
