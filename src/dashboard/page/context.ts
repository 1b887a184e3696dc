import type { NewPoints, SweepLine } from '../wire.js'
import type { CourseStore } from './course-store.js'
import type { Row, SweepModel } from './model.js'

/** What every view of a sweep works with. */
export interface SweepContext {
  readonly id: string
  readonly model: SweepModel
  readonly courses: CourseStore
  /** As the list has it; `undefined` until it came. */
  line(): SweepLine | undefined
  /** The trials that pass the filter, in the order of the plan. */
  shown(): readonly Row[]
  /** What the filter says now, and another one in its place. */
  readonly filter: string
  setFilter(text: string): void
  /** Trials that were ticked in the table, by id. */
  readonly chosen: Set<string>
  onChosen(): void
}

/** A part of the page. Whoever makes it calls `update` after each change, and `close` at the end. */
export interface View {
  readonly element: HTMLElement
  update(): void
  /** Asks again for what could not be told while the connection was lost. */
  reconnected?(): void
  close?(): void
}

/** The address of a view within the page. */
export const address = (...parts: readonly string[]): string => `#/${parts.map(encodeURIComponent).join('/')}`

/** A trial that nothing runs any more does not run, whatever the journal last said. */
export const isRunning = (row: Row, line: SweepLine | undefined): boolean =>
  row.state === 'running' && line?.isRun === true

export type { NewPoints }
