// The lane must be able to fail: builds whose write-back or fence is missing lose what they acknowledged, and are caught.
import { join } from 'node:path'
import { cutOnce } from './power-cuts.mjs'

// Node itself fences now and then: a missing fence shows only at some moments.
const sabotages = [
  { name: 'no_fence', flush: 'clwb', moments: 8 },
  { name: 'no_write_back', flush: 'clwb', moments: 2 },
  { name: 'no_non_temporal', flush: 'nt', moments: 2 },
]
export const sabotagedBuilds = sabotages.map(({ name }) => name)

/** @returns figures @throws Error if a sabotaged build passes, or one does not even hold where nothing is lost */
export async function runSabotage(lab, tell, { seed }) {
  for (const { name, flush, moments } of sabotages) {
    const options = { flush, capacity: '16MiB', segmentBytes: '64KiB', checkpointBytes: '64KiB' }
    const addon = join(lab.native, `${name}.node`)
    const { run, results } = await cutOnce(lab, { name, fileSystem: 'ext4', seed, moments, options, addon })
    run.discard()
    const holds = (mix) => results.filter((each) => each.mix === mix && each.verdict === 'verified').length
    const first = results.find(({ mix, verdict }) => mix === 'none' && verdict === 'violation')
    tell(
      `${name}: of ${run.moments.length} moments hold ${holds('plain')} with all lines, ${holds('some')} with some, ` +
        `${holds('none')} with none; acknowledged ${first?.acknowledged}: ${first?.why}`,
    )
    if (holds('plain') < run.moments.length) throw new Error(`the build ${name} fails where nothing is lost`)
    if (first === undefined) throw new Error(`the build ${name} was not caught`)
  }
  return { sabotagedBuildsCaught: sabotages.length }
}
