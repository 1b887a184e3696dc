import type { Clock } from '../../core/clock.js'
import type { ArtifactRef } from '../../core/trial.js'
import type { Checkpoint, KeptReport } from '../../experiments/experiment.js'
import {
  CheckpointFolder,
  placeState,
  readState,
  type StateSource,
  type StoredCheckpoint,
} from './checkpoint-folder.js'
import type { CarriedReport, Manifest } from './manifest.js'

/** Where a trial's checkpoints go, and when. */
export interface CheckpointPlace {
  /** The trial's own; made with its first checkpoint. */
  readonly folder: string
  /** At most so often one is kept. */
  readonly everyMs: number
  /** Aborts when the trial is told to go: it is to keep a checkpoint as soon as it can, and ends there. */
  readonly leave: AbortSignal
  /** Resolves when a checkpoint that is whole here is where the next attempt finds it; until then no other is due. */
  readonly bring: () => Promise<void>
}

export const defaultCheckpointEveryMs = 60_000

/** The folder, among those of other trials, in which an attempt keeps checkpoints: a copy keeps its own apart. */
export const checkpointName = (trial: string, isCopy = false): string => (isCopy ? `${trial}-copy` : trial)

/** Ends an attempt that has kept its last checkpoint. */
export class HandedBack extends Error {}

/** The course of an attempt so far, which its checkpoints carry. */
export interface Course {
  /** What it has reported, in order; carried reports included. */
  readonly reports: readonly CarriedReport[]
  /** What it has saved as its results. */
  readonly saved: readonly Manifest['saved'][number][]
  /** Makes a report of an earlier attempt this one's. */
  carry(report: CarriedReport): Promise<void>
  /** The same for a result that was saved. */
  carrySaved(name: string, ref: ArtifactRef): void
}

/** The checkpoints of one attempt. */
export class TrialCheckpoint implements Checkpoint {
  readonly #folder: CheckpointFolder
  #keptAtMs: number
  #bringing: Promise<void> | undefined
  /** The trial has asked for a checkpoint, or kept one: it may keep another. */
  isUsed = false

  /** @param pause aborts when the trial is told to pause. */
  constructor(
    private readonly place: CheckpointPlace,
    readonly pause: AbortSignal,
    private readonly attempt: number,
    private readonly course: Course,
    private readonly clock: Clock,
    private readonly log: (line: string) => void,
  ) {
    this.#folder = new CheckpointFolder(place.folder)
    this.#keptAtMs = clock.monotonic()
  }

  get leave(): AbortSignal {
    return AbortSignal.any([this.place.leave, this.pause])
  }

  get #isLeaving(): boolean {
    return this.place.leave.aborted || this.pause.aborted
  }

  get isDue(): boolean {
    if (this.#isLeaving) return true
    return this.#bringing === undefined && this.clock.monotonic() - this.#keptAtMs >= this.place.everyMs
  }

  readonly load = async (): Promise<Uint8Array | undefined> => {
    this.isUsed = true
    const found = await this.#find()
    const state = found === undefined ? undefined : await readState(found)
    return found !== undefined && (await this.#goOn(found, state !== undefined)) ? state : undefined
  }

  readonly loadFiles = async (folder: string): Promise<readonly KeptReport[] | undefined> => {
    this.isUsed = true
    const found = await this.#find()
    const goesOn = found !== undefined && (await this.#goOn(found, await placeState(found, folder)))
    return goesOn ? found.reports : undefined
  }

  readonly save = async (state: () => Uint8Array): Promise<void> => {
    this.isUsed = true
    if (!this.isDue) return
    if (await this.#keep({ name: 'state', bytes: state() }, this.course.reports)) await this.#mayLeave()
  }

  readonly saveFiles = async (path: string, step: number): Promise<void> => {
    const reports = this.course.reports.filter((report) => report.step <= step)
    if (await this.#keep({ path }, reports)) await this.#mayLeave()
  }

  /** @throws HandedBack when the trial was told to go, or to pause. */
  async #mayLeave(): Promise<void> {
    if (!this.#isLeaving) return
    await this.#bringing
    throw new HandedBack('the trial has kept a checkpoint, as it was told to go')
  }

  async #find(): Promise<StoredCheckpoint | undefined> {
    // The first attempt finds none of its own; whatever lies there is of a trial that was begun anew.
    return this.attempt === 1 ? undefined : this.#folder.find()
  }

  async #goOn({ reports, saved, attempt }: StoredCheckpoint, isWhole: boolean): Promise<boolean> {
    if (!isWhole) {
      this.log(`the checkpoint of attempt ${attempt} is damaged: the trial begins anew`)
      return false
    }
    // What this attempt has reported by itself before it asked is not told twice.
    for (let told = this.course.reports.length; told < reports.length; told++) {
      for (const one of saved) if (one.after === told) this.#carrySaved(one)
      await this.course.carry(reports[told]!)
    }
    for (const one of saved) if (one.after >= reports.length) this.#carrySaved(one)
    this.log(`goes on from the checkpoint of attempt ${attempt}: ${reports.length} reports are carried on`)
    return true
  }

  #carrySaved = ({ name, sha256, sizeBytes }: Manifest['saved'][number]): void =>
    this.course.carrySaved(name, { sha256, sizeBytes })

  /** @returns whether it is kept: what can't be costs the trial nothing but that. */
  async #keep(source: StateSource, reports: readonly CarriedReport[]): Promise<boolean> {
    // The one before is on its way, and may lie there no more while it is read.
    await this.#bringing
    const saved = this.course.saved.filter(({ after }) => after <= reports.length)
    this.#keptAtMs = this.clock.monotonic()
    try {
      await this.#folder.keep(source, { attempt: this.attempt, reports: [...reports], saved })
    } catch (error) {
      this.log(`no checkpoint is kept: ${(error as Error).message}`)
      return false
    }
    this.#bringing = this.place.bring().then(
      () => void (this.#bringing = undefined),
      (error: unknown) => {
        this.#bringing = undefined
        this.log(`the checkpoint stays here: ${(error as Error).message}`)
      },
    )
    return true
  }
}
