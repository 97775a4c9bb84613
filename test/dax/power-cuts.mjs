// Power cuts. The guest writes through Sealog under the shadow plugin; at random moments the machine is stopped, and what a power cut
// would leave then is copied. The last moment of a run is a real SIGKILL. A second boot mounts and verifies the images of all moments.
import { cpSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { copyImage, makeCutImage, randomFrom } from './images.mjs'
import { checkout, guestScript, makeImage } from './lab.mjs'
import { Machine, firstImageAddress } from './machine.mjs'

/** xfs wants 300 MB. */
const imageMiB = { ext4: 192, xfs: 320 }
const momentsPerRun = 17
const operationsBetweenMoments = 200

/** What is kept of the lines that were not durable. `plain` is the memory as it was: nothing is lost. */
const mixes = [
  { mix: 'plain', share: 1 },
  { mix: 'none', share: 0 },
  { mix: 'some', share: 0.5 },
]

const runOptions = [
  { flush: 'clwb', capacity: '16MiB', segmentBytes: '64KiB', checkpointBytes: '64KiB' },
  { flush: 'clflushopt', capacity: '48MiB', checkpointBytes: '256KiB' },
  { flush: 'nt', capacity: '16MiB', segmentBytes: '256KiB', checkpointBytes: '128KiB' },
  { flush: '', capacity: '48MiB' },
]

const quoted = (value) => `'${JSON.stringify(value).replaceAll("'", `'\\''`)}'`

function acknowledgedIn(output, before) {
  return [...output.matchAll(/^a (\d+)$/gm)].reduce((most, [, n]) => Math.max(most, Number(n)), before)
}

function writerScript(lab, { fileSystem, fresh, job, addon }) {
  return guestScript(
    lab,
    `device=$(image_devices)
${fresh ? `make_file_system ${fileSystem} $device || exit 1` : ''}
${fresh ? '' : '"$native"/arm'}
say mounting
mount_dax ${fileSystem} $device || exit 1
cd $checkout
${addon === undefined ? '' : `export SEALOG_ADDON=${addon}`}
exec node test/dax/guest/writer.mjs ${quoted(fresh ? { ...job, arm: join(lab.native, 'arm') } : job)}`,
  )
}

/** The shadow of a new image is what it is; that of an image after a cut, too: all that is there is durable. */
class Run {
  #counts

  constructor(lab, { name, fileSystem, image, fresh, job, addon, random }) {
    Object.assign(this, { lab, name, fileSystem, job, random, live: image, shadow: `${image}.shadow`, moments: [] })
    this.acknowledged = job.acknowledged
    copyImage(image, this.shadow)
    const plugin = [
      join(lab.native, 'shadow.so'),
      `live=${this.live}`,
      `shadow=${this.shadow}`,
      `counts=${image}.counts`,
      `base=${firstImageAddress}`,
    ]
    this.#counts = `${image}.counts`
    this.machine = new Machine(lab, {
      name,
      commands: writerScript(lab, { fileSystem, fresh, job, addon }),
      images: [image],
      plugin: plugin.join(','),
    })
  }

  /** A power cut that the machine does not notice. */
  async takeMoment() {
    await this.machine.freeze()
    this.#copyMoment(true)
    this.machine.thaw()
  }

  /** A power cut that it does. */
  async end() {
    this.machine.cutPower()
    await this.machine.ended
    this.#copyMoment(false)
  }

  #copyMoment(running) {
    const name = `${this.name}-${this.moments.length}`
    const moment = {
      name,
      live: join(this.lab.folder, `${name}.live`),
      shadow: join(this.lab.folder, `${name}.shadow`),
    }
    const take = running ? copyImage : renameSync
    take(this.live, moment.live)
    take(this.shadow, moment.shadow)
    this.acknowledged = acknowledgedIn(this.machine.output(), this.acknowledged)
    this.moments.push({
      ...moment,
      acknowledged: this.acknowledged,
      killed: !running,
      seed: this.job.seed,
      fileSystem: this.fileSystem,
    })
  }

  /** Waits for some more operations, and then for a moment within one. */
  async #wait() {
    const wanted = this.acknowledged + 1 + Math.floor(this.random() * operationsBetweenMoments)
    while (acknowledgedIn(this.machine.output(), this.acknowledged) < wanted) {
      if (!this.machine.running) throw new Error(`the writer ended by itself:\n${this.machine.tail()}`)
      await sleep(20)
    }
    await sleep(this.random() * 200)
  }

  /** Takes moments, the last of them at a SIGKILL. */
  async takeMoments(count, duringRecovery) {
    if (duringRecovery) {
      await this.machine.said(/mounting/)
      const recovered = this.machine.said(/^recovered/m)
      await Promise.race([recovered, sleep(this.random() * 10_000)])
      await this.takeMoment()
    }
    await this.machine.said(/^recovered/m)
    while (this.moments.length < count - 1) {
      await this.#wait()
      await this.takeMoment()
    }
    await this.#wait()
    await this.end()
  }

  /** What the plugin has seen. */
  counts() {
    const numbers = new BigUint64Array(new Uint8Array(readFileSync(this.#counts)).buffer)
    const names = ['stores', 'nonTemporal', 'writtenBack', 'unknownPage', 'fences', 'linesMadeDurable', 'armed']
    return Object.fromEntries(names.map((name, i) => [name, Number(numbers[i])]))
  }

  discard() {
    for (const { live, shadow } of this.moments) {
      rmSync(live)
      rmSync(shadow)
    }
  }
}

/** Makes the images of some moments, verifies them in one boot. @returns one result for each */
async function verifyMoments(lab, name, moments, random) {
  const cuts = moments.flatMap((moment) =>
    mixes.map(({ mix, share }) => {
      const image = join(lab.folder, `${moment.name}-${mix}.image`)
      return {
        ...moment,
        mix,
        image,
        name: `${moment.name}-${mix}`,
        ...makeCutImage(moment.live, moment.shadow, image, share, random),
      }
    }),
  )
  const [{ fileSystem }] = moments
  const folder = (i) => `/mnt/cut${i}`
  const jobs = cuts.map((cut, i) => ({
    name: cut.name,
    path: `${folder(i)}/store`,
    seed: cut.seed,
    acknowledged: cut.acknowledged,
  }))
  // The images are copies of each other, and xfs does not mount the same file system twice unless told to.
  const mountOptions = fileSystem === 'xfs' ? 'dax=always,nouuid' : 'dax=always'
  const commands = `set -- $(image_devices)
i=0
for device; do
  mount_dax ${fileSystem} $device /mnt/cut$i ${mountOptions} || echo "unmountable $i"
  i=$((i + 1))
done
dmesg | grep -icE 'recovery complete|ending recovery' | sed 's/^/journals replayed: /'
cd $checkout
node test/dax/guest/verify.mjs ${quoted(jobs)}`
  const images = cuts.map(({ image }) => image)
  const machine = new Machine(lab, { name, commands: guestScript(lab, commands), images })
  const output = await machine.finished()
  const results = new Map()
  for (const [, verdict, json] of output.matchAll(/^(verified|violation) (\{.*\})$/gm)) {
    const { name: cut, ...rest } = JSON.parse(json)
    results.set(cut, { verdict, ...rest })
  }
  for (const { image } of cuts) rmSync(image)
  return cuts.map((cut, i) => {
    if (new RegExp(`^unmountable ${i}$`, 'm').test(output))
      return { ...cut, verdict: 'violation', why: 'it could not be mounted' }
    return {
      ...cut,
      ...(results.get(cut.name) ?? { verdict: 'violation', why: `nothing was said about it:\n${machine.tail()}` }),
    }
  })
}

/** Keeps what a violation needs to be looked at again. */
function keepMoment(moment) {
  const folder = join(checkout, 'build', 'dax', `violation-${moment.name}-${process.pid}`)
  mkdirSync(folder, { recursive: true })
  for (const file of ['live', 'shadow']) cpSync(moment[file], join(folder, file))
  writeFileSync(join(folder, 'moment.json'), JSON.stringify(moment))
  return folder
}

/** One run of a writer, on a new store or on what is left after a moment, cut at `moments` moments, and their verification. */
export async function cutOnce(lab, { name, fileSystem, seed, moments, options, addon, after }) {
  const random = randomFrom(seed)
  const image = makeImage(lab, `${name}.image`, imageMiB[fileSystem])
  const job = { path: '/mnt/pmem/store', seed, acknowledged: 0, options }
  if (after !== undefined) {
    makeCutImage(after.live, after.shadow, image, 0.5, random)
    Object.assign(job, { seed: after.seed, acknowledged: after.acknowledged })
  }
  const run = new Run(lab, { name, fileSystem, image, fresh: after === undefined, job, addon, random })
  await run.takeMoments(moments, after !== undefined)
  const results = await verifyMoments(lab, `${name}-verify`, run.moments, random)
  return { run, results }
}

function report(tell, run, results) {
  const holding = results.filter(({ verdict }) => verdict === 'verified').length
  const beyond = results.map(({ found, acknowledged }) => (found === undefined ? '?' : found - acknowledged))
  const undurable = results.filter(({ mix }) => mix === 'none').map((each) => each.undurable)
  tell(
    `${run.name} (flush ${run.job.options.flush}): ${run.acknowledged} operations acknowledged, ${run.moments.length} moments, ` +
      `${holding} of ${results.length} images hold; operations found beyond the acknowledged: ${beyond.join(' ')}; ` +
      `lines not durable: ${undurable.join(' ')}`,
  )
  for (const { name, verdict, acknowledged, why } of results) {
    if (verdict === 'verified') continue
    const moment = run.moments.find((each) => name.startsWith(`${each.name}-`))
    tell(`VIOLATION ${name}: ${acknowledged} operations acknowledged: ${why}`)
    tell(`  again: npm run test:dax -- --replay ${keepMoment(moment)}`)
  }
}

async function cutOneFileSystem(lab, fileSystem, tell, { moments: wanted, seed }) {
  const total = {
    moments: 0,
    kills: 0,
    images: 0,
    plain: 0,
    none: 0,
    some: 0,
    violations: 0,
    acknowledged: 0,
    undurableLines: 0,
    linesMadeDurable: 0,
  }
  let before
  for (let number = 0; total.moments < wanted; number++) {
    const { run, results } = await cutOnce(lab, {
      // Every second run goes on from where the one before it was killed, and is cut in its recovery, too.
      after: number % 2 === 1 ? before.moments.at(-1) : undefined,
      name: `${fileSystem}-${seed}-${number}`,
      fileSystem,
      seed: seed * 1_000 + number,
      moments: Math.min(momentsPerRun, wanted - total.moments),
      options: runOptions[number % runOptions.length],
    })
    report(tell, run, results)
    for (const { mix, verdict, undurable } of results) {
      total[mix]++
      total.images++
      if (mix === 'none') total.undurableLines += undurable
      if (verdict === 'violation') total.violations++
    }
    total.moments += run.moments.length
    total.kills++
    total.acknowledged += run.acknowledged - run.job.acknowledged
    total.linesMadeDurable += run.counts().linesMadeDurable
    before?.discard()
    before = run
  }
  before?.discard()
  return total
}

/** Verifies a moment again that was kept. */
export async function replayMoment(lab, tell, folder) {
  const moment = {
    ...JSON.parse(readFileSync(join(folder, 'moment.json'), 'utf8')),
    live: join(folder, 'live'),
    shadow: join(folder, 'shadow'),
  }
  const results = await verifyMoments(lab, 'replay', [moment], randomFrom(moment.seed))
  for (const { name, verdict, acknowledged, found, why } of results)
    tell(`${name}: ${verdict}, ${acknowledged} acknowledged, ${found ?? why}`)
  if (results.some(({ verdict }) => verdict === 'violation')) throw new Error('it does not hold')
  return {}
}

/** @returns figures @throws Error if anything acknowledged was lost */
export async function runPowerCuts(lab, tell, options) {
  const cut = async (fileSystem) => [fileSystem, await cutOneFileSystem(lab, fileSystem, tell, options)]
  const figures = Object.fromEntries(await Promise.all(options.fileSystems.map(cut)))
  const violations = Object.values(figures).reduce((sum, each) => sum + each.violations, 0)
  tell(`power cuts: ${JSON.stringify(figures)}`)
  if (violations > 0) throw new Error(`${violations} images do not hold what was acknowledged`)
  return { powerCuts: figures }
}
