const units: Readonly<Record<string, number>> = { '': 1, b: 1, kib: 2 ** 10, mib: 2 ** 20, gib: 2 ** 30, tib: 2 ** 40 }

export type ParsedBytes =
  | { readonly ok: true; readonly bytes: number }
  | { readonly ok: false; readonly kind: 'type' | 'range'; readonly problem: string }

/**
 * A count of bytes from a number or a string such as '64KiB', '1.5 GiB', '2TiB'. Units are powers of 1024; '1GB', '1G' and
 * the like mean different things to different people and are refused.
 */
export function parseBytes(value: unknown): ParsedBytes {
  if (typeof value === 'number') return whole(value, value)
  const match = typeof value === 'string' ? /^\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*$/i.exec(value) : null
  if (!match) return refuse('type', `must be a number of bytes or a string such as '256MiB', not ${show(value)}`)
  const unit = units[(match[2] ?? '').toLowerCase()]
  if (unit !== undefined) return whole(Number(match[1]) * unit, value)
  const suggestion = /^[kmgt]b?$/i.test(match[2] ?? '')
    ? `${(match[2] ?? '').charAt(0).toUpperCase()}iB`
    : 'KiB, MiB, GiB or TiB'
  return refuse('type', `has an unclear unit in ${show(value)}; write ${suggestion} for powers of 1024`)
}

function whole(bytes: number, given: unknown): ParsedBytes {
  if (Number.isSafeInteger(bytes) && bytes > 0) return { ok: true, bytes }
  return refuse('range', `must be a whole, positive number of bytes, not ${show(given)}`)
}

const refuse = (kind: 'type' | 'range', problem: string): ParsedBytes => ({ ok: false, kind, problem })

function show(value: unknown): string {
  return typeof value === 'string'
    ? `'${value}'`
    : typeof value === 'number'
      ? String(value)
      : `a value of type ${typeof value}`
}
