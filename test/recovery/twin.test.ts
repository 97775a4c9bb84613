// The META twin of the native tests (test/native/support/meta_twin.h) against the recovery that the product has. There is no
// difference that is allowed. `npm run test:recovery` runs this with more cases.
import { beforeAll, expect, it } from 'vitest'
import { Status } from '../../src/engine/status.ts'
import { decide, type Decision } from './decision.ts'
import { metaBases, metaCase } from './meta-cases.ts'
import { askTwin, buildTwin } from './twin-program.ts'

const cases = Number(process.env['SEALOG_RECOVERY_CASES'] ?? 600)
const seed = Number(process.env['SEALOG_RECOVERY_SEED'] ?? 1)
const first = Number(process.env['SEALOG_RECOVERY_FIRST'] ?? 0)
const atOnce = 300

beforeAll(buildTwin, 300_000)

/** Empty: the same. */
function difference(ours: Decision, theirs: Decision): string {
  const names = ['status', 'older', 'startStatus'] as const
  const different = names.filter((name) => ours[name] !== theirs[name])
  const told = different.map((name) => `${name} ${ours[name]}, the twin: ${theirs[name]}`)
  if (!ours.plan.equals(theirs.plan)) {
    const at = ours.plan.findIndex((byte, i) => byte !== theirs.plan[i])
    told.push(`plans of ${ours.plan.length} and ${theirs.plan.length} bytes differ at ${at}`)
  }
  return told.join('; ')
}

it(
  'decides what TypeScript decides',
  () => {
    const bases = metaBases()
    const reached: Record<string, number> = {}
    const count = (what: string): void => {
      reached[what] = (reached[what] ?? 0) + 1
    }
    const began = performance.now()
    for (let at = first; at < first + cases; at += atOnce) {
      const length = Math.min(atOnce, first + cases - at)
      const some = Array.from({ length }, (_, i) => metaCase(bases, seed, at + i))
      askTwin(some).forEach((theirs, i) => {
        const ours = decide(some[i]!)
        const told = difference(ours, theirs)
        if (told !== '') {
          const replay = `npm run test:recovery -- --seed ${seed} --first ${at + i} --cases 1`
          throw new Error(`case ${at + i}: ${told}\n  replay: ${replay}`)
        }
        const name = Object.keys(Status).find((each) => Status[each as keyof typeof Status] === ours.status)
        count(ours.status === Status.Ok && ours.older ? 'OkByOlder' : name!)
        if (ours.startStatus !== Status.Ok) count('startRefuses')
      })
    }
    const seconds = Math.round((performance.now() - began) / 100) / 10
    console.log(`figures: ${JSON.stringify({ lane: 'recovery', cases, seed, differences: 0, ...reached, seconds })}`)
    // A corpus that misses one of these says nothing about it.
    if (cases >= 500) {
      const all = ['Ok', 'OkByOlder', 'Corrupt', 'Version', 'Truncated', 'NotAStore', 'startRefuses']
      expect(Object.keys(reached)).toEqual(expect.arrayContaining(all))
    }
  },
  60_000 + cases * 5,
)
