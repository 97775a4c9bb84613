import { Presets, SingleBar } from 'cli-progress'

/** A bar on a terminal; elsewhere a line for each tenth. */
export function progress() {
  if (process.stdout.isTTY) {
    const bar = new SingleBar(
      { format: '{bar} {percentage} % {eta_formatted} {what}', clearOnComplete: true },
      Presets.rect,
    )
    let started = false
    return {
      update(done, all, what) {
        if (!started) bar.start(all, done, { what })
        started = true
        bar.update(done, { what })
      },
      stop: () => bar.stop(),
    }
  }
  let shown = -1
  return {
    update(done, all, what) {
      const tenth = Math.floor((done * 10) / Math.max(1, all))
      if (tenth > shown) console.log(`${tenth * 10} % ${what}`)
      shown = tenth
    },
    stop() {},
  }
}
