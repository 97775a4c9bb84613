import { Readable } from 'node:stream'
import { ReadableStream } from 'node:stream/web'

/** A piece of a value. A string counts as its UTF-8. */
export type ValueChunk = Uint8Array | string

/** Where the bytes of a value come from. */
export type ValueSource = Readable | ReadableStream<ValueChunk> | AsyncIterable<ValueChunk> | Iterable<ValueChunk>

/** A source that is taken chunk by chunk, and can be stopped while a chunk is being waited for. */
export interface ChunkSource {
  /** @returns undefined at the end @throws TypeError for what is no chunk; what the source throws */
  next(): Promise<Uint8Array | undefined>
  /** Lets go of the source before its end. Does not throw. */
  stop(reason: unknown): void
}

/** @throws TypeError for what is no source */
export function chunksOf(source: ValueSource): ChunkSource {
  const given: unknown = source
  if (given instanceof ReadableStream) return chunksOfReader(given.getReader() as Reader)
  if (typeof given === 'object' && given !== null && !ArrayBuffer.isView(given)) {
    const { [Symbol.asyncIterator]: async, [Symbol.iterator]: sync } = given as Partial<AsyncIterable<unknown>> &
      Partial<Iterable<unknown>>
    const iterator = async?.call(given) ?? sync?.call(given)
    if (iterator) return chunksOfIterator(iterator, given instanceof Readable ? given : undefined)
  }
  throw new TypeError('A source must be a Readable, a ReadableStream or an iterable of Uint8Arrays or strings')
}

interface Reader {
  read(): Promise<{ done: boolean; value?: unknown }>
  cancel(reason: unknown): Promise<void>
}

function chunksOfReader(reader: Reader): ChunkSource {
  return {
    async next() {
      const { done, value } = await reader.read()
      return done ? undefined : bytesOf(value)
    },
    stop(reason) {
      reader.cancel(reason).catch(() => undefined)
    },
  }
}

/** @param readable to be destroyed: its iterator does not return while a chunk is being waited for */
function chunksOfIterator(
  iterator: AsyncIterator<unknown> | Iterator<unknown>,
  readable: Readable | undefined,
): ChunkSource {
  return {
    async next() {
      const result: IteratorResult<unknown, unknown> = await iterator.next()
      return result.done === true ? undefined : bytesOf(result.value)
    },
    stop() {
      readable?.destroy()
      try {
        Promise.resolve(iterator.return?.()).catch(() => undefined)
      } catch {
        // The reason why it was stopped is what counts.
      }
    },
  }
}

function bytesOf(chunk: unknown): Uint8Array {
  if (typeof chunk === 'string') return Buffer.from(chunk)
  if (chunk instanceof Uint8Array) return chunk
  throw new TypeError('A chunk must be a Uint8Array or a string')
}
