import { createHistogram, type RecordableHistogram } from 'node:perf_hooks'

const binsPerDecade = 3
const decades = 11

/** Latencies of one kind of operation, in nanoseconds: an HDR histogram for percentiles, and bins on a log axis to be drawn. */
export class Latencies {
  readonly #histogram: RecordableHistogram = createHistogram({ lowest: 1, highest: 100e9, figures: 3 })
  readonly #bins = new Float64Array(binsPerDecade * decades)

  record(nanoseconds: number): void {
    const whole = Math.max(1, Math.round(nanoseconds))
    this.#histogram.record(whole)
    const bin = Math.min(this.#bins.length - 1, Math.floor(Math.log10(whole) * binsPerDecade))
    this.#bins[bin] = (this.#bins[bin] ?? 0) + 1
  }

  /** Microseconds. */
  percentile(percent: number): number {
    return (percent === 100 ? this.#histogram.max : this.#histogram.percentile(percent)) / 1e3
  }

  /** From the first bin that has something to the last: where it begins, in microseconds, and how many it has. */
  bins(): { readonly fromUs: number; readonly count: number }[] {
    const first = this.#bins.findIndex((count) => count > 0)
    const last = this.#bins.findLastIndex((count) => count > 0)
    if (first < 0) return []
    return Array.from(this.#bins.subarray(first, last + 1), (count, i) => ({
      fromUs: 10 ** ((first + i) / binsPerDecade) / 1e3,
      count,
    }))
  }
}
