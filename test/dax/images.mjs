// What a power cut leaves of an NVDIMM: the lines that differ between the memory as it was (live) and what is sure to be on the media
// (shadow) may each be there or not.
import { closeSync, fstatSync, openSync, readSync, writeSync } from 'node:fs'
import { call } from './run.mjs'

const lineBytes = 64
const chunkBytes = 1 << 20

export function copyImage(from, to) {
  call('cp', ['--sparse=always', from, to])
}

/** Random numbers from 0 to below 1, the same for the same seed (mulberry32). */
export function randomFrom(seed) {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

/** Calls back for each line that differs, with its place and the bytes of it in `live`. */
function forEachDifference(live, shadow, callback) {
  const [a, b] = [openSync(live), openSync(shadow)]
  const [left, right] = [Buffer.alloc(chunkBytes), Buffer.alloc(chunkBytes)]
  for (let at = 0; at < fstatSync(a).size; at += chunkBytes) {
    const bytes = readSync(a, left, 0, chunkBytes, at)
    readSync(b, right, 0, chunkBytes, at)
    if (left.equals(right)) continue
    for (let i = 0; i < bytes; i += lineBytes) {
      if (left.compare(right, i, i + lineBytes, i, i + lineBytes) !== 0)
        callback(at + i, left.subarray(i, i + lineBytes))
    }
  }
  closeSync(a)
  closeSync(b)
}

/**
 * Makes the image after a cut that keeps each line that is not durable with the probability `share`.
 * @returns { undurable, kept }: lines
 */
export function makeCutImage(live, shadow, target, share, random) {
  copyImage(share === 1 ? live : shadow, target)
  const fd = openSync(target, 'r+')
  let undurable = 0
  let kept = 0
  forEachDifference(live, shadow, (at, line) => {
    undurable++
    if (share !== 1 && random() >= share) return
    kept++
    if (share !== 1) writeSync(fd, line, 0, lineBytes, at)
  })
  closeSync(fd)
  return { undurable, kept }
}
