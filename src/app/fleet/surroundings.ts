import type { Clock } from '../../core/clock.js'
import type { FleetState } from '../../fleet/state.js'

/** What acts on fleets are given beside what a person says. */
export interface FleetSurroundings {
  /** Where fleets are written down. */
  readonly folder: string
  readonly env: NodeJS.ProcessEnv
  readonly clock: Clock
  readonly signal: AbortSignal
  readonly say: (line: string) => void
}

export const withoutMember = (state: FleetState, worker: string): FleetState => ({
  ...state,
  hosts: state.hosts.filter((member) => member.worker !== worker),
})
