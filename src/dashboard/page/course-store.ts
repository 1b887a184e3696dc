import type { CoursesAnswer, NewPoints } from '../wire.js'
import { source } from './source.js'
import { Course, type SweepModel } from './model.js'

/** The courses of the trials that are shown: asked for once, then grown by what is told. */
export class CourseStore {
  readonly #courses = new Map<string, Course>()
  #wanted = new Set<string>()
  #asking = new Set<string>()
  /** Why the last asking failed; empty when it did not. */
  trouble = ''

  constructor(
    private readonly model: SweepModel,
    private readonly onArrival: () => void,
  ) {}

  get isAsking(): boolean {
    return this.#asking.size > 0
  }

  get(id: string): Course | undefined {
    return this.#courses.get(id)
  }

  /** These are shown from now on; those that are not known are asked for, others are let go. */
  want(ids: readonly string[]): void {
    this.#wanted = new Set(ids)
    for (const id of this.#courses.keys()) if (!this.#wanted.has(id)) this.#courses.delete(id)
    const missing = ids.filter((id) => !this.#courses.has(id) && !this.#asking.has(id))
    if (missing.length > 0) void this.#ask(missing)
  }

  /** Asks again for what could not be told. */
  retry(): void {
    if (this.trouble !== '') this.#askAnew([...this.#wanted].filter((id) => !this.#courses.has(id)))
  }

  async #ask(ids: readonly string[]): Promise<void> {
    for (const id of ids) this.#asking.add(id)
    try {
      const told = await source.ask<CoursesAnswer>('courses', { sweep: this.model.about.sweep, trials: ids.join() })
      this.trouble = ''
      for (const one of told.trials) {
        const row = this.model.rows[one.index]
        if (row !== undefined && this.#wanted.has(row.id)) this.#courses.set(row.id, new Course(one))
      }
    } catch (error) {
      this.trouble = (error as Error).message
    } finally {
      for (const id of ids) this.#asking.delete(id)
      this.onArrival()
    }
  }

  /** Takes in new points; a course that lacks some between is asked for anew. */
  add(points: readonly NewPoints[]): void {
    const broken: string[] = []
    for (const one of points) {
      const row = this.model.rows[one.index]
      if (row === undefined || !this.#wanted.has(row.id)) continue
      const course = this.#courses.get(row.id)
      if (course === undefined || !course.add(one, row, this.model.metrics)) broken.push(row.id)
    }
    this.#askAnew(broken)
  }

  /** After a lost connection rows may have gone on without their points. */
  check(): void {
    this.#askAnew(
      this.model.rows.flatMap(({ id, reports, attempts }) => {
        const course = this.#courses.get(id)
        return course !== undefined && (course.reports < reports || course.attempts !== attempts) ? id : []
      }),
    )
  }

  #askAnew(ids: readonly string[]): void {
    const missing = ids.filter((id) => !this.#asking.has(id))
    if (missing.length > 0) void this.#ask(missing)
  }
}
