// Real persistent memory, emulated: boots a guest with NVDIMMs and runs Sealog in it (test/dax/README.md).
//   npm run test:dax                                 checks on ext4-dax and xfs-dax, and some power cuts
//   npm run test:dax -- --cuts 50 --seed 7           that many moments per file system, each cut several ways
//   npm run test:dax -- --only cuts,sabotage         some of: checks, enemies, cuts, sabotage (builds that must be caught)
//   npm run test:dax -- --seal-experiment            only docs/seal.md's table and chart
//   npm run test:dax -- --replay FOLDER              verifies again what a violation left in build/dax
import { parseArgs } from 'node:util'
import { runChecks } from '../test/dax/checks.mjs'
import { runEnemies } from '../test/dax/enemies.mjs'
import { prepareLab } from '../test/dax/lab.mjs'
import { replayMoment, runPowerCuts } from '../test/dax/power-cuts.mjs'
import { Skip } from '../test/dax/run.mjs'
import { runSabotage, sabotagedBuilds } from '../test/dax/sabotage.mjs'
import { runSealExperiment } from '../test/dax/seal-experiment.mjs'

const { values } = parseArgs({
  options: {
    cuts: { type: 'string', default: '6' },
    seed: { type: 'string', default: '1' },
    'file-systems': { type: 'string', default: 'ext4,xfs' },
    only: { type: 'string', default: 'checks,enemies,cuts,sabotage' },
    'seal-experiment': { type: 'boolean', default: false },
    replay: { type: 'string' },
  },
})
const alone = values['seal-experiment'] ? 'seal-experiment' : values.replay === undefined ? undefined : 'replay'
const parts = alone === undefined ? values.only.split(',') : [alone]
const options = {
  moments: Number(values.cuts),
  seed: Number(values.seed),
  fileSystems: values['file-systems'].split(','),
}
const begun = performance.now()
const elapsed = () => `${((performance.now() - begun) / 1000).toFixed(0)} s`
const tell = (text) => console.log(text)
const runners = {
  checks: { run: runChecks, needs: ['sealog_tests', 'sealog_seal_experiment'] },
  enemies: { run: runEnemies, needs: [] },
  cuts: { run: (lab) => runPowerCuts(lab, tell, options), needs: ['shadow', 'arm'] },
  sabotage: { run: (lab) => runSabotage(lab, tell, options), needs: ['shadow', 'arm', ...sabotagedBuilds] },
  'seal-experiment': { run: runSealExperiment, needs: ['sealog_seal_experiment'] },
  replay: { run: (lab) => replayMoment(lab, tell, values.replay), needs: ['shadow', 'arm'] },
}

for (const part of parts) {
  if (runners[part] === undefined) throw new TypeError(`--only takes checks, enemies, cuts and sabotage, not ${part}`)
}
try {
  const lab = prepareLab(parts.flatMap((part) => runners[part].needs))
  tell(`ready after ${elapsed()}`)
  const figures = { lane: 'dax' }
  const waiting = [...parts]
  // A machine is one busy thread: two at a time.
  const work = async () => {
    for (let part = waiting.shift(); part !== undefined; part = waiting.shift()) {
      Object.assign(figures, await runners[part].run(lab, tell))
      tell(`${part}: ok, ${elapsed()}`)
    }
  }
  await Promise.all([work(), work()])
  tell(`figures: ${JSON.stringify({ ...figures, seconds: Math.round((performance.now() - begun) / 1000) })}`)
} catch (error) {
  if (error instanceof Skip) {
    tell(`SKIPPED: DAX tests: ${error.message}`)
  } else {
    console.error(error instanceof Error ? error.stack : error)
    console.error(
      `FAILED after ${elapsed()}: npm run test:dax -- --only ${parts.join(',')} --cuts ${values.cuts} --seed ${values.seed}`,
    )
    // Ends what still runs.
    process.exit(1)
  }
}
