// The oracle: what lies where in an undamaged store, read by this file alone. Checksums are not looked at.
const kTreeSpaces = 2
const lineBytes = 64
const none = 0xffffffff

const u64 = (bytes, at) => Number(bytes.readBigUInt64LE(at))
const up = (n, to) => Math.ceil(n / to) * to

export class StoreMap {
  /** Live entries, by tree and key: { tree, key, lsn, value, ranges } with the bytes of the file that each needs. */
  entries = new Map()
  /** Pieces of the file in use, for damages to hit: [begin, end]. */
  nodes = []
  log = []
  /** Frames behind the older checkpoint: { lsn, window, begin, end }. */
  frames = []

  constructor(bytes) {
    this.bytes = bytes
    this.shift = bytes.readUInt32LE(80)
    this.segmentBytes = 2 ** this.shift
    this.segmentCount = bytes.readUInt32LE(84)
    const slots = [8192, 12288]
      .filter((at) => bytes.readUInt32LE(at + 4) === 0x544f4c53)
      .map((at) => ({
        at,
        sequence: u64(bytes, at + 8),
        lsn: u64(bytes, at + 24),
        hot: position(bytes, at + 32),
        cold: position(bytes, at + 56),
      }))
      .sort((a, b) => b.sequence - a.sequence)
    this.slot = slots[0]
    this.slots = slots
    for (const tree of [0, 1, 2]) this.#walk(tree, bytes.readBigUInt64LE(this.slot.at + 80 + tree * 24))
    this.#tail(this.slot, true)
    // From the older one on as well, if it holds still: where the newer one is damaged, salvage starts there.
    if (slots[1]?.hot) this.#tail(slots[1], false)
  }

  #record(at) {
    const { bytes } = this
    const flags = bytes[at + 5]
    const keyBytes = bytes.readUInt16LE(at + 6)
    const valueBytes = bytes.readUInt32LE(at + 8)
    const ext = (flags & 1 ? 8 : 0) + (flags & 4 ? 8 : 0)
    const keyAt = at + 24 + ext
    const end = keyAt + keyBytes + valueBytes
    const record = {
      at,
      end,
      kind: bytes[at + 4],
      lsn: u64(bytes, at + 16),
      moved: (flags & 8) !== 0,
      tree: flags & 1 ? bytes.readUInt32LE(at + 24) : 0,
      key: bytes.subarray(keyAt, keyAt + keyBytes),
      ranges: [[at, end]],
      value: bytes.subarray(keyAt + keyBytes, end),
    }
    if (flags & 2) {
      const pieces = []
      for (let i = 0; i < valueBytes; i += 16) {
        const piece = this.#record(u64(record.value, i))
        record.ranges.push(...piece.ranges)
        pieces.push(piece.value)
      }
      record.value = Buffer.concat(pieces)
    }
    return record
  }

  /** A record that the index refers to, or one of the tail: there, what the cleaner moved counts while what it copied does. */
  #apply(record, indexed) {
    if (record.tree > kTreeSpaces) return // the list of times
    const id = `${record.tree}:${record.key.toString('hex')}`
    if (!indexed && record.moved && this.entries.get(id)?.lsn !== record.lsn) return
    if (record.kind === 1) this.entries.set(id, record)
    else if (record.kind === 2) this.entries.delete(id)
  }

  #walk(tree, root) {
    const { bytes } = this
    const stack = root === 0n ? [] : [root]
    for (let ref = stack.pop(); ref !== undefined; ref = stack.pop()) {
      const at = Number(ref & 0xffffffffffn) * 512
      const [level, count] = [bytes[at + 4], bytes[at + 5]]
      this.nodes.push([at, at + (level === 0 ? 512 : 4096)])
      for (let i = 0; i < count; i++) {
        if (level !== 0) {
          stack.push(bytes.readBigUInt64LE(at + 64 + i * 24 + 8))
          continue
        }
        const record = this.#record(Number(bytes.readBigUInt64LE(at + 64 + i * 8) & 0xfffffffffffn) * 16)
        this.#apply(record, true)
        this.log.push(...record.ranges)
      }
    }
  }

  #tail(slot, apply) {
    const { bytes } = this
    // Two heads with one sequence of LSNs: the next frame is at either.
    const heads = [slot.hot, slot.cold]
    let lsn = slot.lsn + 1
    let unfinished = []
    const placeOf = (head) => head.segment * this.segmentBytes + head.offset
    const isNext = (head) =>
      head !== undefined &&
      head.offset + lineBytes <= this.segmentBytes &&
      u64(bytes, placeOf(head) + 16) === lsn &&
      [1, 2, 3, 16, 17].includes(bytes[placeOf(head) + 4])
    for (let h = heads.findIndex(isNext); h >= 0; h = heads.findIndex(isNext)) {
      const at = heads[h]
      const begin = placeOf(at)
      const kind = bytes[begin + 4]
      const window = bytes.readUInt32LE(begin + 12)
      let end = begin + lineBytes
      if (kind === 17) {
        const to = { segment: bytes.readUInt32LE(begin + 8), offset: bytes.readUInt32LE(begin + 40) }
        if ((bytes[begin + 5] & 2) === 0) heads[h] = to
        else {
          heads[h] = { ...at, offset: at.offset + lineBytes }
          heads[1] = to
        }
        lsn = u64(bytes, begin + 24)
      } else {
        const records = []
        if (kind === 16) {
          end = begin + 32
          for (let i = bytes.readUInt32LE(begin + 24); i > 0; i--) {
            const record = this.#record(end)
            records.push(record)
            end += up(record.end - record.at, 16)
          }
        } else {
          records.push(this.#record(begin))
          end = records[0].end
        }
        const next = up(end - begin, lineBytes)
        heads[h] = { ...at, offset: at.offset + next }
        lsn++
        unfinished.push(...records)
        if (kind !== 16 || (bytes[begin + 5] & 1) === 0) {
          if (apply) for (const record of unfinished) this.#apply(record, false)
          unfinished = []
        }
      }
      this.frames.push({ lsn: u64(bytes, begin + 16), window, begin, end })
      if (apply) this.log.push([begin, end])
    }
  }

  /** Names of namespaces by id. */
  namespaces() {
    const names = new Map()
    for (const { tree, key, value } of this.entries.values()) {
      const name = /^namespace\/(.*)$/.exec(key.toString())
      if (tree === 1 && name) names.set(JSON.parse(value.toString()).id, name[1])
    }
    return names
  }

  /** [namespace, key] of an entry; '' is the default one. */
  nameOf({ tree, key }, namespaces) {
    return tree === kTreeSpaces ? [namespaces.get(key.readUInt32BE(0)), key.toString('utf8', 4)] : ['', key.toString()]
  }
}

function position(bytes, at) {
  const segment = bytes.readUInt32LE(at)
  return segment === none ? undefined : { segment, offset: bytes.readUInt32LE(at + 4) }
}
