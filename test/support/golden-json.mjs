// Keys and values as JSON: what JSON has no form for is an object with one property that begins with `$`.

/** Bytes that compress well and differ from place to place. */
export function patternBytes(seed, length) {
  const bytes = Buffer.alloc(length)
  for (let i = 0; i < length; i++) bytes[i] = i * seed + (i >>> 9)
  return bytes
}

const kinds = {
  $undefined: () => undefined,
  $bytes: (hex) => Buffer.from(hex, 'hex'),
  $symbol: (name) => Symbol.for(name),
  $number: (text) => Number(text),
  $bigint: (text) => BigInt(text),
  $date: (text) => new Date(text),
  $map: (entries) => new Map(entries.map(([key, value]) => [revive(key), revive(value)])),
  $repeat: ([text, count]) => text.repeat(count),
  $pattern: ([seed, length]) => patternBytes(seed, length),
}

/** What the JSON stands for. */
export function revive(json) {
  if (Array.isArray(json)) return json.map(revive)
  if (typeof json !== 'object' || json === null) return json
  const names = Object.keys(json)
  const kind = names.length === 1 ? kinds[names[0]] : undefined
  if (kind) return kind(json[names[0]])
  return Object.fromEntries(names.map((name) => [name, revive(json[name])]))
}
