import { viewOf } from './engine/buffers.ts'
import { keyRoomBytes } from './codec/keys.ts'
import type { Keyspace } from './keyspace.ts'
import { layoutConstants } from './layout/constants.ts'

/** Keys of one call: native takes no more. */
const keysMax = 256
const requestBytes = 64 * 1024
const blockBytes = 64 * 1024
const lengthBytes = 2
const roomBytes = lengthBytes + layoutConstants.kSpaceIdBytes + keyRoomBytes

/** What a call needs. Taken for as long as it is used: decoders may read the store meanwhile. */
interface Work {
  /** Keys one behind the other, their lengths before them. */
  readonly request: Buffer
  /** The length of each value; -1: there is none. */
  readonly answers: Int32Array
  readonly answerBytes: Uint8Array
  /** Values, each padded to 8 bytes. */
  readonly block: Buffer
}

function newWork(): Work {
  const answers = new Int32Array(keysMax)
  return {
    request: Buffer.allocUnsafeSlow(requestBytes),
    answers,
    answerBytes: new Uint8Array(answers.buffer),
    block: Buffer.allocUnsafeSlow(blockBytes),
  }
}

const spare: Work[] = []

/**
 * Reads the values of keys, as many of them in one call as there is room for, so that what they wait for in memory overlaps.
 * @param one reads a value that is too large for that
 * @throws TypeError, SealogError as a get of each
 */
export function getMany<V>(
  keyspace: Keyspace<V>,
  keys: readonly unknown[],
  snapshot: number,
  one: (key: unknown) => V | undefined,
): (V | undefined)[] {
  const work = spare.pop() ?? newWork()
  try {
    const values: (V | undefined)[] = []
    while (values.length < keys.length) readSome(work, keyspace, keys, snapshot, one, values)
    return values
  } finally {
    if (spare.length < 4) spare.push(work)
  }
}

/** Encodes as many keys as there is room for, and reads them. */
function readSome<V>(
  { request, answers, answerBytes, block }: Work,
  keyspace: Keyspace<V>,
  keys: readonly unknown[],
  snapshot: number,
  one: (key: unknown) => V | undefined,
  values: (V | undefined)[],
): void {
  const { session, code } = keyspace
  const { engine, handle } = session
  const first = values.length
  const end = Math.min(keys.length, first + keysMax)
  let bytes = 0
  let last = first
  for (; last < end && bytes + roomBytes <= requestBytes; last++) {
    const keyEnd = keyspace.putWhole(keys[last], request, bytes + lengthBytes)
    const keyBytes = keyEnd - bytes - lengthBytes
    request[bytes] = keyBytes & 0xff
    request[bytes + 1] = keyBytes >> 8
    bytes = keyEnd
  }
  const inPlace = keyspace.values.name === 'binary'
  for (let from = 0; values.length < last;) {
    const asked = last - values.length
    const out = inPlace ? session.readBuffer : block
    const at = inPlace ? session.readAt : 0
    const packed = from === 0 ? request : viewOf(request, from, bytes - from)
    const done = engine.getMany(handle, packed, asked, out, at, answerBytes, code, snapshot)
    if (done < 0) throw session.failure(done)
    if (done < asked) from = behind(request, from, Math.max(done, 1))
    if (done === 0) values.push(one(keys[values.length]))
    else if (inPlace) session.keepAll(answers, done, values as (Buffer | undefined)[])
    else decodeAll(keyspace, block, answers, done, values)
  }
}

/** Where the keys behind the first `count` ones are. */
function behind(request: Buffer, from: number, count: number): number {
  for (; count > 0; count--) from += lengthBytes + request.readUInt16LE(from)
  return from
}

function decodeAll<V>(
  { values: codec }: Keyspace<V>,
  block: Buffer,
  answers: Int32Array,
  count: number,
  values: (V | undefined)[],
): void {
  let at = 0
  for (let i = 0; i < count; i++) {
    const bytes = answers[i] ?? -1
    values.push(bytes < 0 ? undefined : codec.decode(block, at, at + bytes))
    if (bytes > 0) at += (bytes + 7) & ~7
  }
}
