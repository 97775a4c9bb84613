/** The property: whatever is done to a store, it is what the model is. */
import fc from 'fast-check'
import { Child } from './child.ts'
import { counterSteps } from './counters.ts'
import { Images } from './image.ts'
import { keySpace } from './keys.ts'
import { lifecycleSteps } from './lifecycle.ts'
import { Model } from './model.ts'
import { readSteps } from './reads.ts'
import { refusalSteps } from './refusals.ts'
import { nameOf, type Shape, weightedShapes } from './shape.ts'
import { snapshotSteps } from './snapshots.ts'
import { spaceSteps } from './spaces.ts'
import { taken } from './step.ts'
import { System } from './system.ts'
import { transactionSteps } from './transactions.ts'
import { valueSpace } from './values.ts'
import { takeChanges, watchSteps } from './watches.ts'
import { writeSteps } from './writes.ts'

export interface CheckOptions {
  readonly runs: number
  readonly seed: number
  /** Of a counterexample: fast-check's path, `@`, the path of its commands. */
  readonly path?: string | undefined
  readonly seconds?: number | undefined
  /** Told after each run. */
  readonly onRun?: () => void
}

export interface CheckResult {
  readonly runs: number
  readonly commands: Readonly<Record<string, number>>
  /** undefined if there is none. */
  readonly failure:
    { readonly path: string; readonly shape: string; readonly commands: string; readonly error: string } | undefined
}

const commandsMax = 40

interface Sequence {
  readonly shape: Shape
  readonly commands: Iterable<fc.AsyncCommand<Model, System>> & { toString(): string }
}

function sequences(child: Child, replayPath: string | undefined): fc.Arbitrary<Sequence> {
  return fc.oneof(
    ...weightedShapes.map(({ weight, shape }) => {
      const [keys, values] = [keySpace(shape.keys), valueSpace(shape)]
      const steps = fc.oneof(
        ...writeSteps(keys, values),
        ...readSteps(keys),
        ...counterSteps(keys, shape.encoding),
        ...snapshotSteps(keys),
        ...spaceSteps(shape),
        ...transactionSteps(shape, keys, values),
        ...watchSteps(keys),
        ...refusalSteps(keys, values),
        ...lifecycleSteps(shape, keys, values, child),
      )
      const commands = fc.commands([steps], {
        maxCommands: commandsMax,
        size: 'max',
        ...(replayPath === undefined ? {} : { replayPath }),
      })
      return { weight, arbitrary: fc.record({ shape: fc.constant(shape), commands }) }
    }),
  )
}

async function run({ shape, commands }: Sequence, images: Images): Promise<void> {
  const model = new Model()
  const system = new System(shape, images.fresh(shape))
  try {
    await fc.asyncModelRun(() => ({ model, real: system }), commands)
    await system.settle()
    system.checkAll(model)
    system.checkKept()
    for (const watch of system.watches) await takeChanges(watch)
  } finally {
    await system.end()
  }
}

/** Runs sequences until one fails, and shrinks that. */
export async function check(options: CheckOptions): Promise<CheckResult> {
  const [path, replayPath] = options.path?.split('@') ?? []
  const [child, images] = [new Child(), new Images()]
  taken.clear()
  try {
    const property = fc.asyncProperty(sequences(child, replayPath), async (sequence) => {
      await run(sequence, images)
      options.onRun?.()
    })
    const details = await fc.check(property, {
      seed: options.seed,
      numRuns: path === undefined ? options.runs : 1,
      ...(path === undefined ? {} : { path }),
      ...(options.seconds === undefined ? {} : { interruptAfterTimeLimit: options.seconds * 1000 }),
    })
    const commands = Object.fromEntries([...taken].sort(([a], [b]) => (a < b ? -1 : 1)))
    if (!details.counterexample) return { runs: details.numRuns, commands, failure: undefined }
    const [sequence] = details.counterexample
    const printed = String(sequence.commands)
    const [, commandsPath = ''] = /replayPath="([^"]*)"/.exec(printed) ?? []
    const error = details.errorInstance instanceof Error ? details.errorInstance.stack : String(details.errorInstance)
    return {
      runs: details.numRuns,
      commands,
      failure: {
        path: `${details.counterexamplePath}@${commandsPath}`,
        shape: nameOf(sequence.shape),
        commands: printed.replace(/\s*\/\*replayPath.*/, ''),
        error: error ?? '',
      },
    }
  } finally {
    child.end()
    images.remove()
  }
}
