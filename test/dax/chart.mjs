// docs/seal.svg: faults, journal commits and the worst put by seal level, as bars on logarithmic scales.

const panels = [
  { title: 'page faults', of: (row) => row.faults },
  { title: 'journal commits', of: (row) => row.commits },
  { title: 'worst put that faulted, µs', of: (row) => row.worstFaultUs },
]
const colours = { ext4: '#3b6ea5', xfs: '#c8793a' }
const panelWidth = 300
const height = 260
const barArea = { top: 50, bottom: 200 }

const text = (x, y, content, more = '') =>
  `<text x="${x}" y="${y}" font-family="sans-serif" font-size="11" fill="#333" ${more}>${content}</text>`

function panel({ title, of }, rows, left) {
  const most = Math.log10(1 + Math.max(1, ...rows.map(of)))
  const levels = [...new Set(rows.map(({ level }) => level))]
  const groupWidth = (panelWidth - 20) / levels.length
  const parts = [text(left, 30, title, 'font-weight="bold"')]
  levels.forEach((level, i) => {
    const group = left + i * groupWidth
    parts.push(text(group, barArea.bottom + 16, level))
    Object.keys(colours).forEach((fs, k) => {
      const row = rows.find((each) => each.level === level && each.fs === fs)
      if (row === undefined) return
      const value = of(row)
      const tall = (Math.log10(1 + value) / most) * (barArea.bottom - barArea.top)
      const [x, y] = [group + k * 28, barArea.bottom - tall]
      parts.push(`<rect x="${x}" y="${y.toFixed(1)}" width="24" height="${tall.toFixed(1)}" fill="${colours[fs]}"/>`)
      parts.push(text(x + 12, (y - 4).toFixed(1), Math.round(value), 'text-anchor="middle"'))
    })
  })
  parts.push(
    `<line x1="${left}" x2="${left + panelWidth - 20}" y1="${barArea.bottom}" y2="${barArea.bottom}" stroke="#333"/>`,
  )
  return parts.join('\n')
}

/** @param rows of the experiment; those with MAP_SYNC and without load are shown */
export function sealChart(rows) {
  const shown = rows.filter(({ mapSync, load }) => mapSync && !load)
  const width = panels.length * panelWidth
  const legend = Object.entries(colours).map(
    ([fs, colour], i) =>
      `<rect x="${i * 70}" y="236" width="12" height="12" fill="${colour}"/>${text(i * 70 + 18, 246, `${fs}-dax`)}`,
  )
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="-10 0 ${width} ${height}" width="${width}" height="${height}">`,
    `<rect x="-10" width="${width}" height="${height}" fill="#fff"/>`,
    ...panels.map((each, i) => panel(each, shown, i * panelWidth)),
    ...legend,
    '</svg>\n',
  ].join('\n')
}
