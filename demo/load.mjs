// The load with its interruptions: a child writes, is killed, and a fresh one recovers, verifies, and goes on.
import { copyFileSync, rmSync } from 'node:fs'
import { runWriter } from './child.mjs'
import { planKills } from './plan.mjs'

/** Kills at most this long after the acknowledgement that they wait for. */
const killDelayMsMax = 3
/** A child may be done before its kill arrives; then the load begins again, in a new store. */
const lapsMax = 10

/**
 * @typedef {object} LoadResult
 * @property {number} kills
 * @property {number} verified acknowledged writes that were verified, summed over the kills
 * @property {number} lost
 * @property {number} wrong
 * @property {string[]} problems
 * @property {{ ms: number, records: number }[]} recoveries one per kill
 * @property {Record<string, { writes: number, ms: number, fences: number }>} phases
 */

/**
 * Loads all words with `kills` kills on the way. Stops at the first record that is lost or wrong.
 * @returns {Promise<LoadResult>}
 */
export async function loadWithKills({ job, kills, random, progress }) {
  const result = { kills: 0, verified: 0, lost: 0, wrong: 0, problems: [], recoveries: [], phases: {} }
  for (const { name } of job.phases) result.phases[name] = { writes: 0, ms: 0, fences: 0 }
  for (let lap = 0; lap < lapsMax; lap++) {
    if (lap > 0) {
      rmSync(job.path)
      progress.say('  the load was done before the last kill: once more, in a new store')
    }
    await runLap({ job, targets: planKills(job.phases, kills - result.kills, random), random, progress, result })
    if (result.lost + result.wrong > 0 || result.kills >= kills) return result
  }
  throw new Error(`Only ${result.kills} of ${kills} kills met the writer at work; take more --words`)
}

async function runLap({ job, targets, random, progress, result }) {
  let acknowledged = 0
  let recovered = 0
  for (let begun = false; ; begun = true) {
    if (begun && job.image !== undefined) copyFileSync(job.path, job.image)
    const killAt = targets.shift()
    let timer
    const { killed } = await runWriter({ ...job, acknowledged, recovered }, (message, kill) => {
      if (message.type === 'opened') {
        recovered = message.verdict.found
        if (begun) addVerdict(result, message, progress)
      }
      if (message.type !== 'acknowledged') return
      const { upTo, name, writes, ms, fences } = message
      acknowledged = upTo
      const phase = result.phases[name]
      phase.writes += writes
      phase.ms += ms
      phase.fences += fences
      progress.update(upTo, name, result.recoveries.length)
      if (killAt !== undefined && timer === undefined && upTo > killAt) {
        timer = setTimeout(kill, random() * killDelayMsMax)
      }
    })
    clearTimeout(timer)
    if (!killed || result.lost + result.wrong > 0) return
    result.kills++
    progress.say(`  kill ${result.kills}: ${acknowledged} writes acknowledged`)
  }
}

/** What the child found after a kill. */
function addVerdict(result, { openMs, recovery, verdict }, progress) {
  result.verified += verdict.verified
  result.lost += verdict.lost
  result.wrong += verdict.wrong
  result.problems.push(...verdict.problems)
  result.recoveries.push({ ms: openMs, records: recovery.recordsReplayed })
  const extra = Math.max(0, verdict.found - verdict.verified)
  progress.say(
    `    recovered in ${openMs.toFixed(1)} ms (${recovery.recordsReplayed} records replayed): ${verdict.verified} verified, ` +
      `${verdict.lost} lost, ${verdict.wrong} wrong; ${extra} more were durable, not yet acknowledged`,
  )
}
