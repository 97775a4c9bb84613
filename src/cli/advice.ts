import { domainMeanings, formatBytes } from './words.ts'
import type { Advice, DirectoryReport, StoreReport } from './report.ts'

type Rule = (facts: DirectoryReport) => Advice | undefined

/** A store without the option capacity takes this. */
const capacityBytesDefault = 256 * 2 ** 20
/** Below this nothing can be created at all. */
const pageBytes = 4096

/**
 * What to do to get more, and what not to expect, in order of weight. Pure: it knows only what was tried, and promises nothing that
 * was not.
 */
export function advise(facts: DirectoryReport, store: StoreReport | null): Advice[] {
  const found = rules.map((rule) => rule(facts)).filter((advice) => advice !== undefined)
  return [...found, ...adviseStore(facts, store)]
}

const rules: readonly Rule[] = [
  function domain({ persistence, dax, fileSystem }) {
    const survives = domainMeanings[persistence.sync]
    switch (persistence.sync) {
      case 'pmem':
        return note('pmem', `A store here is in the domain pmem: a completed write survives ${survives}.`)
      case 'memory':
        return warning(
          'memory-not-durable',
          `${fileSystem.name} is memory: a store here survives kill -9 but not a reboot, whatever the durability. ` +
            'For data to keep, use a directory on ext4 or xfs.',
        )
      case 'disk':
      case 'os':
        return dax.attribute
          ? note(
              'disk-dax-no-map-sync',
              `The file is on DAX, but mmap refuses MAP_SYNC (${dax.mapSyncError ?? 'no reason given'}), as with ` +
                'virtio-pmem: only the device can confirm a write, so a store here is in the domain disk.',
            )
          : undefined
    }
  },

  function withoutDax({ persistence, dax, fileSystem: { name, local } }) {
    if (persistence.sync !== 'disk' || dax.attribute || !local) return undefined
    const remount =
      name === 'ext4' || name === 'xfs'
        ? 'If it already lies on an fsdax namespace, mount it with -o dax=always. '
        : 'Only ext4 and xfs can give it. '
    return improve(
      'disk-no-dax',
      `No DAX here: a store is in the domain disk, where each commit waits for the device. ${remount}On a machine with ` +
        'persistent memory the domain pmem needs such a namespace (ndctl create-namespace -m fsdax), ext4 or xfs made ' +
        'on it, and that mounted with -o dax=always. Until then put() in parallel and batches share the waits.',
    )
  },

  function blockSize({ persistence, fileSystem: { name, blockBytes } }) {
    if (persistence.sync !== 'disk' || (name !== 'ext4' && name !== 'xfs') || blockBytes >= pageBytes) return undefined
    return note(
      'disk-block-bytes',
      `The file system has blocks of ${blockBytes} bytes. DAX needs them as large as a page: make it with ` +
        `${name === 'ext4' ? 'mkfs.ext4 -b 4096' : 'mkfs.xfs -b size=4096'} when you make it on persistent memory.`,
    )
  },

  function relaxed({ persistence }) {
    if (persistence.sync !== 'disk' || persistence.relaxed !== 'os') return undefined
    return note(
      'relaxed',
      "With durability 'relaxed' a store here is in the domain os: no write waits for the device, and a completed " +
        `write survives ${domainMeanings.os}.`,
    )
  },

  function remote({ fileSystem: { name, local } }) {
    if (local) return undefined
    return warning(
      'not-local',
      `The file system (${name}) is not known to be local: that a write is durable is then the word of a server or of ` +
        'a program, which nothing here can check. Use a local directory for data that must be kept.',
    )
  },

  function overlay({ fileSystem: { name } }) {
    if (name !== 'overlay') return undefined
    return note(
      'overlay',
      'What lies below an overlay does not show. In a container, use a volume: a directory of the host, on ext4 or xfs.',
    )
  },

  function seal({ seal, probe, persistence, fileSystem: { name, overwritesInPlace, fallocate } }) {
    if (seal === 'sealed') return undefined
    if (persistence.sync === 'memory') {
      return note('no-block-map', `${name} has no block map, so there is nothing to seal.`)
    }
    if (!overwritesInPlace) {
      return improve(
        'never-sealed',
        `A store on this file system (${name}) cannot be sealed: it may move blocks on its own (copy-on-write, ` +
          'balance, snapshots). Writes are as durable as elsewhere in their domain, but their latency may jump. ' +
          'ext4 and xfs keep a seal.',
      )
    }
    const { unwrittenBytes, sharedBytes, holeBytes, otherBytes } = probe.afterSealing
    const what = `${unwrittenBytes} bytes unwritten, ${sharedBytes} shared, ${holeBytes} in holes, ${otherBytes} other`
    return improve(
      'not-sealed',
      `The probe file could not be sealed (${probe.afterSealing.method}: ${what}); a store works, and its first write ` +
        `to a page may wait for the file system${fallocate ? '' : ', which has no fallocate'}.`,
    )
  },

  function alignment({ dax, probe, fileSystem: { name } }) {
    const { alignedBytes } = probe.afterSealing
    if (!dax.mapSync || alignedBytes >= probe.bytes) return undefined
    const share = `Only ${formatBytes(alignedBytes)} of the ${formatBytes(probe.bytes)} tried lie in aligned 2 MiB pieces, so `
    const cost = 'pages of 4 KiB are mapped for the rest, and there are more faults until the store is populated.'
    if (name === 'xfs') {
      return improve('xfs-alignment', `${share}${cost} Make the file system with mkfs.xfs -d su=2m,sw=1.`)
    }
    const remedy = name === 'ext4' ? ' mkfs.ext4 -b 4096 aligns where free space is in one piece;' : ''
    return improve('alignment', `${share}${cost}${remedy} the namespace itself must be aligned too (ndctl list -v).`)
  },

  function flush({ cpu, persistence }) {
    if (persistence.sync === 'disk') return undefined
    if (cpu.eadr)
      return note('eadr', 'eADR: the CPU caches are persistent here, and a fence alone makes a write durable.')
    if (cpu.flush !== 'clflushopt' && cpu.flush !== 'clflush') return undefined
    const slow = cpu.flush === 'clflush' ? ' and waits for each one' : ''
    return note(
      'no-clwb',
      `The CPU shows no CLWB: ${cpu.flush} is used, which also drops the line from the cache${slow}. In a virtual ` +
        'machine, see whether the host has CLWB and passes it on.',
    )
  },

  function preallocation({ fileSystem: { name, fallocate } }) {
    if (fallocate) return undefined
    return note(
      'no-fallocate',
      `The file system (${name}) has no fallocate: space for a store is taken by writing zeros, and may lie in more pieces.`,
    )
  },

  function space({ fileSystem: { freeBytes } }) {
    if (freeBytes === null || freeBytes >= capacityBytesDefault) return undefined
    return note(
      'free-space',
      `${formatBytes(freeBytes)} are free, less than the ${formatBytes(capacityBytesDefault)} that a new store takes; ` +
        'give the option capacity, or free some.',
    )
  },
]

function adviseStore(facts: DirectoryReport, store: StoreReport | null): Advice[] {
  if (store === null || !('entries' in store)) return []
  const advice: Advice[] = []
  if (store.state === 'unclean') {
    advice.push(
      note(
        'store-unclean',
        `The store was not closed properly. Nothing needs to be done: the next open replays ${store.recordsToReplay} records.`,
      ),
    )
  }
  const { level, verified, reasons } = store.seal
  if (verified === 'unverified' || (facts.seal === 'sealed' && (level === 'sparse' || level === 'allocated'))) {
    const why = reasons.length > 0 ? ` (${reasons.join('; ')})` : ''
    const remedy = 'An open for writing records the block map anew, and mends it where it can.'
    advice.push(improve('store-seal', `The seal of the store is not what was recorded${why}. ${remedy}`))
  }
  if (store.findings.length > 0) {
    advice.push(warning('store-findings', `A copy took the place of damaged META: ${store.findings.join('; ')}.`))
  }
  return advice
}

function note(id: Advice['id'], text: string): Advice {
  return { id, kind: 'note', text }
}

function improve(id: Advice['id'], text: string): Advice {
  return { id, kind: 'improve', text }
}

function warning(id: Advice['id'], text: string): Advice {
  return { id, kind: 'warning', text }
}
