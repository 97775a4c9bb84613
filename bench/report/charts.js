// Runs in the page: `bench` and `uPlot` are there.
/* global bench, uPlot, document, devicePixelRatio */
const colours = {
  sealog: '#d1242f',
  lmdb: '#0969da',
  'node-lmdb': '#54aeff',
  'better-sqlite3': '#1a7f37',
  'classic-level': '#9a6700',
  rocksdb: '#8250df',
  map: '#8c959f',
  file: '#57606a',
  null: '#d0d7de',
}
const others = ['#bf3989', '#0a7ea4', '#bc4c00']
const labels = [...new Set(bench.rows.map(({ label }) => label))]
const colourOf = (row) => {
  if (row.label === row.engine && colours[row.engine]) return colours[row.engine]
  return others[labels.indexOf(row.label) % others.length]
}

const short = (n) => {
  if (n == null || !Number.isFinite(n)) return ''
  for (const [unit, size] of [
    ['G', 1e9],
    ['M', 1e6],
    ['k', 1e3],
  ])
    if (n >= size) return `${Number((n / size).toPrecision(3))} ${unit}`
  return String(Number(n.toPrecision(2)))
}
const powers = (u, splits) => splits.map((n) => (Math.abs(Math.log10(n) % 1) < 1e-9 ? short(n) : ''))

function place(parent, title, width, options, data) {
  const box = document.createElement('div')
  box.className = 'chart'
  const head = document.createElement('h4')
  head.textContent = title
  box.append(head)
  parent.append(box)
  return new uPlot({ width, height: 230, ...options }, data, box)
}
function heading(parent, text) {
  const head = document.createElement('h3')
  head.textContent = text
  parent.append(head)
}

/** One bar for each engine. */
function bars(parent, name, rows) {
  const { title, unit, smaller } = bench.workloads[name]
  const shown = rows.filter(({ figure }) => figure > 0)
  if (shown.length === 0) return
  const at = shown.map((_, i) => i)
  // A series for each bar, for its colour.
  const series = shown.map((row, i) => ({
    label: row.label,
    fill: colourOf(row),
    stroke: colourOf(row),
    paths: uPlot.paths.bars({ size: [0.75, 60] }),
    points: { show: false },
    value: () => short(shown[i].figure),
  }))
  const write = (u) => {
    u.ctx.save()
    u.ctx.fillStyle = '#1b1f24'
    u.ctx.font = `${11 * devicePixelRatio}px sans-serif`
    u.ctx.textAlign = 'center'
    shown.forEach(({ figure }, i) => {
      u.ctx.fillText(short(figure), u.valToPos(i, 'x', true), u.valToPos(figure, 'y', true) - 4 * devicePixelRatio)
    })
    u.ctx.restore()
  }
  place(
    parent,
    `${name}: ${title} (${unit}${smaller ? '; less is better' : ''})`,
    600,
    {
      legend: { show: false },
      cursor: { show: false },
      scales: { x: { time: false, range: [-0.6, shown.length - 0.4] }, y: { range: (u, min, max) => [0, max * 1.12] } },
      axes: [
        {
          splits: () => at,
          values: () => shown.map(({ label }) => label.replace('better-', '').replace('classic-', '')),
          grid: { show: false },
          font: '10.5px sans-serif',
        },
        { values: (u, splits) => splits.map(short), size: 60 },
      ],
      series: [{}, ...series],
      hooks: { draw: [write] },
    },
    [at, ...shown.map(({ figure }, i) => at.map((n) => (n === i ? figure : null)))],
  )
}

/** Lines of several engines over one x: [x, y] pairs each. */
function lines(parent, title, curves, { x, y, xLabel, yLabel, points = false, dots = false, width = 600 }) {
  const shown = curves.filter(({ pairs }) => pairs.length > 0)
  if (shown.length === 0) return
  const xs = [...new Set(shown.flatMap(({ pairs }) => pairs.map(([at]) => at)))].sort((a, b) => a - b)
  const data = shown.map(({ pairs }) => {
    const known = new Map(pairs)
    return xs.map((at) => known.get(at) ?? null)
  })
  const scale = (log) => (log ? { distr: 3 } : {})
  const axis = (log, label) => ({
    label,
    labelSize: 18,
    size: 52,
    ...(log ? { values: powers } : { values: (u, s) => s.map(short) }),
  })
  place(
    parent,
    title,
    width,
    {
      height: 280,
      legend: { show: shown.length > 1 },
      cursor: { show: false },
      scales: { x: { time: false, ...scale(x === 'log') }, y: scale(y === 'log') },
      axes: [axis(x === 'log', xLabel), axis(y === 'log', yLabel)],
      series: [
        {},
        ...shown.map(({ row }) => ({
          label: row.label,
          stroke: colourOf(row),
          width: row.engine === 'sealog' ? 2.5 : 1.25,
          spanGaps: true,
          points: { show: points || dots, ...(dots && { size: 3, fill: colourOf(row) }) },
          ...(dots && { paths: () => null }),
        })),
      ],
    },
    [xs, ...data],
  )
}

for (const parent of document.querySelectorAll('.charts')) {
  const { keys } = bench.facts
  const here = bench.rows.filter(({ fs }) => fs === parent.dataset.fs)
  const largest = here.filter(({ count }) => count === keys)
  const names = [...new Set(largest.map(({ workload }) => workload))]
  const of = (name) => largest.filter(({ workload }) => workload === name)

  heading(parent, `Throughput and other figures, ${short(keys)} keys`)
  // The null engine would hide the others; it is in the table.
  for (const name of names)
    bars(
      parent,
      name,
      of(name).filter(({ kind }) => kind !== 'null'),
    )

  const timed = names.filter((name) => of(name).some(({ latency, kind }) => latency && kind !== 'null'))
  heading(parent, 'Latency: share of the operations, by how long they took')
  for (const name of timed) {
    const curves = of(name)
      .filter(({ latency }) => latency)
      .map((row) => ({
        row,
        pairs: row.latency.counts.map(([at, n]) => [at, n / row.latency.operations]).sort((a, b) => a[0] - b[0]),
      }))
    const what = name.startsWith('put') || name.startsWith('read') ? 'an operation' : 'a batch'
    lines(parent, `${name}: µs of ${what}`, curves, { x: 'log', y: 'log', xLabel: 'µs', yLabel: 'share' })
  }

  heading(parent, 'Latency over time: the slowest put in each slice; checkpoints and cleaning show here')
  for (const name of ['put', 'putconcurrent']) {
    for (const row of of(name).filter(({ latency, kind }) => latency && (kind === 'sealog' || kind === 'peer'))) {
      const pairs = row.latency.series.map(([second, worst]) => [second, worst])
      lines(parent, `${name}: ${row.label}`, [{ row, pairs }], {
        y: 'log',
        xLabel: 'seconds',
        dots: true,
        yLabel: 'µs',
        width: 400,
      })
    }
  }

  heading(parent, 'Size')
  const swept = [...new Set(here.filter(({ count }) => count !== keys).map(({ workload }) => workload))]
  for (const name of swept) {
    const rows = here.filter(({ workload, figure, kind }) => workload === name && figure > 0 && kind !== 'null')
    const curves = [...new Set(rows.map(({ label }) => label))].map((label) => {
      const own = rows.filter((row) => row.label === label)
      return { row: own[0], pairs: own.map(({ count, figure }) => [count, figure]) }
    })
    const { unit } = bench.workloads[name]
    lines(parent, `${name}: ${unit} by keys`, curves, {
      x: 'log',
      y: 'log',
      xLabel: 'keys',
      yLabel: unit,
      points: true,
    })
  }
}
