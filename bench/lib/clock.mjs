// Times a step again and again: a warm-up, then the operations under the clock, then some with a time each.
import { Latencies } from './latency.mjs'

/** Steps from 0 on, as many as fit into `seconds`. */
class Phase {
  ops = 0
  #steps
  #begin = performance.now()
  #now = this.#begin
  #deadline

  constructor(steps, seconds) {
    this.#steps = steps
    this.#deadline = this.#begin + seconds * 1000
  }
  get going() {
    return this.ops < this.#steps && this.#now < this.#deadline
  }
  /** The end of a chunk of steps, which begins at `ops`. */
  chunkEnd(chunk) {
    return (this.ops = Math.min(this.ops + chunk, this.#steps))
  }
  /** Milliseconds into the phase. */
  lookAtClock() {
    this.#now = performance.now()
    return this.#now - this.#begin
  }
  result() {
    return { ops: this.ops, seconds: (this.#now - this.#begin) / 1000 }
  }
}

// Twice each: an await between the steps would be measured with them.
function runSteps(steps, step, seconds, chunk) {
  const phase = new Phase(steps, seconds)
  while (phase.going) {
    for (let i = phase.ops, end = phase.chunkEnd(chunk); i < end; i++) step(i)
    phase.lookAtClock()
  }
  return phase.result()
}

async function runStepsAsync(steps, step, seconds, chunk) {
  const phase = new Phase(steps, seconds)
  while (phase.going) {
    for (let i = phase.ops, end = phase.chunkEnd(chunk); i < end; i++) await step(i)
    phase.lookAtClock()
  }
  return phase.result()
}

function timeEach(steps, step, seconds, latencies) {
  const phase = new Phase(steps, seconds)
  while (phase.going) {
    const start = phase.lookAtClock()
    step(phase.ops++)
    const end = phase.lookAtClock()
    latencies.record(end, end - start)
  }
  return phase.result()
}

async function timeEachAsync(steps, step, seconds, latencies) {
  const phase = new Phase(steps, seconds)
  while (phase.going) {
    const start = phase.lookAtClock()
    await step(phase.ops++)
    const end = phase.lookAtClock()
    latencies.record(end, end - start)
  }
  return phase.result()
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
