// Times a step again and again: a warm-up, then the operations under the clock, then some with a time each.
import { Latencies } from './latency.mjs'

/** @returns {{ ops: number, seconds: number }} as many steps as fit into `seconds`, from 0 on */
function runSteps(steps, step, seconds, chunk) {
  const begin = performance.now()
  const deadline = begin + seconds * 1000
  let i = 0
  let now = begin
  while (i < steps && now < deadline) {
    const end = Math.min(i + chunk, steps)
    for (; i < end; i++) step(i)
    now = performance.now()
  }
  return { ops: i, seconds: (now - begin) / 1000 }
}

async function runStepsAsync(steps, step, seconds, chunk) {
  const begin = performance.now()
  const deadline = begin + seconds * 1000
  let i = 0
  let now = begin
  while (i < steps && now < deadline) {
    const end = Math.min(i + chunk, steps)
    for (; i < end; i++) await step(i)
    now = performance.now()
  }
  return { ops: i, seconds: (now - begin) / 1000 }
}

function timeEach(steps, step, seconds, latencies) {
  const begin = performance.now()
  const deadline = begin + seconds * 1000
  let i = 0
  let now = begin
  for (; i < steps && now < deadline; i++) {
    const start = performance.now()
    step(i)
    now = performance.now()
    latencies.record(now - begin, now - start)
  }
  return { ops: i, seconds: (now - begin) / 1000 }
}

async function timeEachAsync(steps, step, seconds, latencies) {
  const begin = performance.now()
  const deadline = begin + seconds * 1000
  let i = 0
  let now = begin
  for (; i < steps && now < deadline; i++) {
    const start = performance.now()
    await step(i)
    now = performance.now()
    latencies.record(now - begin, now - start)
  }
  return { ops: i, seconds: (now - begin) / 1000 }
}

/**
 * Each phase runs the steps from 0 on.
 * @param {number} steps at most so many
 * @param {(i: number) => unknown} step
 * @param {object} how
 * @param {number} how.seconds at most, for each phase
 * @param {boolean} [how.async] the step returns a promise
 * @param {number} [how.per] operations in a step
 * @param {number} [how.chunk] steps between two looks at the clock
 * @param {'inline' | 'after'} [how.latencies] in the timed phase itself, or in one of its own
 * @param {number} [how.warmSeconds] 0: the steps cannot be repeated
 * @returns a result, or a promise of it; `runs`: how many steps each phase ran
 */
export function timeSteps(
  steps,
  step,
  { seconds, warmSeconds = seconds / 5, async = false, per = 1, chunk = 64, latencies },
) {
  const histogram = latencies && new Latencies(seconds * 1000)
  const inline = latencies === 'inline'
  const answer = (runs) => {
    const timed = runs[1]
    return {
      ops: timed.ops * per,
      seconds: timed.seconds,
      opsPerSecond: (timed.ops * per) / timed.seconds,
      capped: timed.ops < steps,
      ...(histogram && { latency: histogram.result() }),
      runs: runs.map(({ ops }) => ops),
    }
  }
  if (async) {
    return (async () => {
      const runs = [await runStepsAsync(steps, step, warmSeconds, chunk)]
      runs.push(
        await (inline ? timeEachAsync(steps, step, seconds, histogram) : runStepsAsync(steps, step, seconds, chunk)),
      )
      if (latencies === 'after') runs.push(await timeEachAsync(steps, step, seconds, histogram))
      return answer(runs)
    })()
  }
  const runs = [runSteps(steps, step, warmSeconds, chunk)]
  runs.push(inline ? timeEach(steps, step, seconds, histogram) : runSteps(steps, step, seconds, chunk))
  if (latencies === 'after') runs.push(timeEach(steps, step, seconds, histogram))
  return answer(runs)
}
