export function patternBytes(seed: number, length: number): Buffer
export function revive(json: unknown): unknown
