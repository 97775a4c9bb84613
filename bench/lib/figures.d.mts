export function median(numbers: readonly number[]): number
export function spread(numbers: readonly number[]): number
export function ratios(
  ours: number,
  theirs: number,
  nothing: number | undefined,
): { raw: number; net: number | undefined }
export function short(number: number): string
