// msgpackr's build without `new Function`; the package has no types for this entry.
declare module 'msgpackr/index-no-eval' {
  interface PackrOptions {
    useRecords: boolean
    structures?: string[][]
    maxSharedStructures: number
    maxOwnStructures: number
    copyBuffers: boolean
    useBigIntExtension: boolean
    getStructures(): string[][]
    saveStructures(structures: string[][], isCompatible: (existing: string[][]) => boolean): boolean
  }
  class Packr {
    constructor(options: PackrOptions)
    /** With REUSE_BUFFER_MODE: the whole internal buffer, `start` and `end` set on it, or a view of the bytes (which has neither). */
    pack(value: unknown, mode: number): Buffer & { start?: number; end: number }
    unpack(source: Uint8Array, range: { start: number; end: number }): unknown
    useBuffer(buffer: Buffer): void
  }
  const msgpackr: { Packr: typeof Packr; REUSE_BUFFER_MODE: 512; RESET_BUFFER_MODE: 1024 }
  export type { Packr }
  export default msgpackr
}
