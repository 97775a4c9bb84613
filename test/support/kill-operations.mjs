// What the killed child writes: a pure function of (seed, n), so that the test can say what the store must hold.

const keyCount = 120

/** 32 well-mixed bits of a seed and numbers. */
function mix(...numbers) {
  let h = 0x9e3779b9
  for (const number of numbers) {
    h = Math.imul(h ^ number, 0x85ebca6b)
    h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
    h ^= h >>> 16
  }
  return h >>> 0
}

function keyOf(number) {
  return number % 3 === 0 ? ['k', number] : `key ${number}`
}

function bytesOf(random) {
  const kind = random % 100
  const size = mix(random, 7)
  if (kind < 94) return size % 400
  if (kind < 98) return 2_000 + (size % 30_000)
  return 70_000 + (size % 200_000)
}

/** The text of change `i` of operation `n`. */
export function textOf(seed, n, i) {
  const random = mix(seed, n, i, 3)
  const bytes = bytesOf(random)
  const piece = `${n}.${i}.${random};`
  return piece.repeat(Math.ceil(bytes / piece.length)).slice(0, bytes)
}

/** Operation `n`: one change, or the changes of a batch. */
export function operation(seed, n) {
  const random = mix(seed, n, 1)
  const batch = random % 8 === 0
  const changes = []
  for (let i = 0; i < (batch ? 2 + ((random >>> 8) % 12) : 1); i++) {
    const key = keyOf(mix(seed, n, i, 2) % keyCount)
    const removes = mix(seed, n, i, 4) % 6 === 0
    changes.push(removes ? { type: 'del', key } : { type: 'put', key, value: { n, i, text: textOf(seed, n, i) } })
  }
  return { batch, promise: (random >>> 16) % 2 === 0, turnEnds: (random >>> 20) % 5 === 0, changes }
}
