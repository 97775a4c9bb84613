import { types } from 'node:util'

const depthMax = 200

/**
 * Refuses what msgpack would store as something else: without this, a Set would come back as an array, a Float64Array as wrong
 * bytes, a function as undefined, a lone surrogate as U+FFFD, and a property `__proto__` under another name.
 *
 * What is left comes back equal: undefined (in objects and arrays), null, booleans, numbers (-0 as 0), bigints, well-formed strings,
 * plain objects, arrays, Maps, Dates, and byte arrays (as Buffers). Other objects are stored like plain ones, or as what
 * their `toJSON` returns; symbol keys are left out, as in JSON.
 * @throws TypeError naming what cannot be stored
 */
export function checkStorable(value: unknown, depth = 0): void {
  switch (typeof value) {
    case 'string':
      if (!value.isWellFormed()) refuse('a string with a lone surrogate')
      return
    case 'object':
      if (value !== null) checkObject(value, depth)
      return
    case 'symbol':
    case 'function':
      refuse(`a ${typeof value}`)
      break
    default:
  }
}

function checkObject(value: object, depth: number): void {
  if (depth >= depthMax) refuse(`what is nested deeper than ${depthMax} levels (or contains itself)`)
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype === Object.prototype || prototype === null) {
    checkProperties(value, depth)
  } else if (Array.isArray(value)) {
    for (const element of value) checkStorable(element, depth + 1)
  } else if (value instanceof Map) {
    for (const [key, element] of value) {
      checkStorable(key, depth + 1)
      checkStorable(element, depth + 1)
    }
  } else if (!(value instanceof Uint8Array) && !(value instanceof Date)) {
    checkInstance(value, depth)
  }
}

function checkProperties(object: object, depth: number): void {
  for (const key in object) {
    // msgpackr renames the first when it reads, and uses the second for its own bookkeeping.
    if (key === '__proto__' || key === '__keys__') refuse(`a property named ${key}`)
    const value: unknown = (object as Record<string, unknown>)[key]
    // The common case, without a call.
    if (typeof value !== 'number' && typeof value !== 'boolean') checkStorable(value, depth + 1)
    if (!key.isWellFormed()) refuse('a property name with a lone surrogate')
  }
}

function checkInstance(value: object, depth: number): void {
  const refused =
    ArrayBuffer.isView(value) ||
    types.isAnyArrayBuffer(value) ||
    types.isBoxedPrimitive(value) ||
    types.isPromise(value) ||
    types.isRegExp(value) ||
    types.isSet(value) ||
    types.isWeakMap(value) ||
    types.isWeakSet(value) ||
    value instanceof Error
  if (refused) refuse(`a ${value.constructor.name}`)
  const { toJSON } = value as { toJSON?: () => unknown }
  if (toJSON === undefined) checkProperties(value, depth)
  else checkStorable(toJSON.call(value), depth + 1)
}

function refuse(what: string): never {
  throw new TypeError(
    `A value cannot contain ${what} in the 'msgpack' encoding; convert it first, or use another encoding`,
  )
}
