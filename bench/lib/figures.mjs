// The harness's own maths.

/** @param {readonly number[]} numbers @returns {number} NaN of nothing */
export function median(numbers) {
  if (numbers.length === 0) return NaN
  const sorted = [...numbers].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

/** (largest - least) / median: how far rounds lie apart. */
export function spread(numbers) {
  return numbers.length < 2 ? 0 : (Math.max(...numbers) - Math.min(...numbers)) / median(numbers)
}

/** A time net of the null engine's that is less than this part of the whole is noise. */
const resolution = 0.2

/**
 * How many times `ours` is as fast as `theirs`, in operations per second, as a program sees it and net of what the harness itself takes.
 * @returns {{ raw: number, net: number | undefined }} `net` is undefined where the harness hides the engine
 */
export function ratios(ours, theirs, nothing) {
  const raw = ours / theirs
  if (!(nothing > 0)) return { raw, net: undefined }
  const ourTime = 1 / ours - 1 / nothing
  const theirTime = 1 / theirs - 1 / nothing
  if (ourTime < resolution / ours || theirTime < resolution / theirs) return { raw, net: undefined }
  return { raw, net: theirTime / ourTime }
}

/** 1234567 to '1.23 M', in at most five characters of digits. */
export function short(number) {
  if (!Number.isFinite(number)) return '-'
  for (const [unit, size] of [
    ['G', 1e9],
    ['M', 1e6],
    ['k', 1e3],
  ])
    if (number >= size) return `${(number / size).toPrecision(3)} ${unit}`
  return String(Number(number.toPrecision(3)))
}
