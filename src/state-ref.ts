/** The state that is read: a snapshot's number, or 0 for the newest. */
export interface StateRef {
  readonly id: number
}

export const newestState: StateRef = { id: 0 }
