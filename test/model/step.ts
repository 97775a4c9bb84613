import type fc from 'fast-check'
import { show } from './compare.ts'
import type { Model } from './model.ts'
import type { System } from './system.ts'

export type Act<T> = (given: T, model: Model, system: System) => void | Promise<void>

/** How many steps of each kind have been taken by this process. */
export const taken = new Map<string, number>()

/** One command of a sequence. */
export class Step implements fc.AsyncCommand<Model, System> {
  readonly #name: string
  readonly #given: unknown
  readonly #act: (model: Model, system: System) => void | Promise<void>

  constructor(name: string, given: unknown, act: (model: Model, system: System) => void | Promise<void>) {
    this.#name = name
    this.#given = given
    this.#act = act
  }

  check(): boolean {
    return true
  }

  async run(model: Model, system: System): Promise<void> {
    taken.set(this.#name, (taken.get(this.#name) ?? 0) + 1)
    await this.#act(model, system)
  }

  toString(): string {
    return this.#given === undefined ? this.#name : `${this.#name}(${show(this.#given)})`
  }
}

export interface WeightedSteps {
  readonly weight: number
  readonly arbitrary: fc.Arbitrary<Step>
}

export function step<T>(weight: number, name: string, given: fc.Arbitrary<T>, act: Act<T>): WeightedSteps {
  return {
    weight,
    arbitrary: given.map((each) => new Step(name, each, (model, system) => act(each, model, system))),
  }
}
