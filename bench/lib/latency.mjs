// Latencies of single operations: an HDR histogram in nanoseconds, and what was slowest when.
import hdr from 'hdr-histogram-js'

const percentiles = { p50: 50, p90: 90, p99: 99, p999: 99.9, p9999: 99.99, max: 100 }
const slices = 300

export class Latencies {
  #histogram = hdr.build({ lowestDiscernibleValue: 1, highestTrackableValue: 60e9, numberOfSignificantValueDigits: 3 })
  #sliceMs
  #worst = new Float64Array(slices)
  #counts = new Float64Array(slices)

  /** @param {number} milliseconds that the measurement will take at most */
  constructor(milliseconds) {
    this.#sliceMs = milliseconds / slices
    // Warm: the first thousands of calls are slower.
    for (let i = 0; i < 20_000; i++) this.record(0, i / 1e6)
    this.#histogram.reset()
    this.#worst.fill(0)
    this.#counts.fill(0)
  }

  /** @param {number} at milliseconds since the beginning, @param {number} took milliseconds */
  record(at, took) {
    this.#histogram.recordValue(Math.max(1, Math.round(took * 1e6)))
    const slice = Math.min(slices - 1, Math.floor(at / this.#sliceMs))
    this.#counts[slice]++
    if (took > this.#worst[slice]) this.#worst[slice] = took
  }

  /** Microseconds; `counts` are [microseconds, how many], `series` [second, worst microseconds in that slice, operations per second]. */
  result() {
    const named = Object.entries(percentiles).map(([name, p]) => [name, this.#histogram.getValueAtPercentile(p) / 1e3])
    return {
      ...Object.fromEntries(named),
      operations: this.#histogram.totalCount,
      counts: this.#counted(),
      series: Array.from(this.#worst, (worst, i) => [
        ((i + 1) * this.#sliceMs) / 1e3,
        worst * 1e3,
        (this.#counts[i] * 1e3) / this.#sliceMs,
      ]).filter(([, worst]) => worst > 0),
    }
  }

  /** Twelve bins to a factor of ten. */
  #counted() {
    const bins = new Map()
    const iterator = this.#histogram.recordedValuesIterator
    iterator.reset()
    while (iterator.hasNext()) {
      const { valueIteratedTo, countAddedInThisIterationStep } = iterator.next()
      const bin = Math.floor(Math.log10(valueIteratedTo) * 12)
      bins.set(bin, (bins.get(bin) ?? 0) + countAddedInThisIterationStep)
    }
    return [...bins].map(([bin, count]) => [10 ** ((bin + 0.5) / 12) / 1e3, count])
  }
}
