export interface Row {
  readonly fs: string
  readonly count: number
  readonly workload: string
  readonly engine: string
  readonly label: string
  readonly kind: 'sealog' | 'peer' | 'floor' | 'null'
  readonly promise: 'power' | 'kill' | 'none'
  readonly figure?: number
  readonly latency?: { readonly p50: number; readonly p9999: number }
}
export interface Line {
  readonly workload: string
  readonly promise: string
  readonly best?: Row
  readonly times?: { readonly raw: number; readonly net: number | undefined }
  readonly own?: { readonly raw: number; readonly net: number | undefined }
  readonly verdicts: readonly { readonly what: string; readonly met: boolean }[]
}
export function compare(rows: readonly Row[]): Line[]
