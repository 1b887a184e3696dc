import { chown, mkdtemp, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { ProgramUser } from '../../system/program-user.js'
import type { Metrics } from '../../core/trial.js'
import type { Checkpoint } from '../experiment.js'

/** The variable that names the folder of a program's checkpoints. */
export const checkpointVariable = 'MLDS_CHECKPOINT'

/** A checkpoint that a program has finished is called by the step that it stands after: `12`, `12.pt`. */
const finished = /^(?!.*\.tmp$)(\d{1,15})(?:\.[\w.-]{1,50})?$/

interface Entry {
  readonly name: string
  readonly step: number
}

/**
 * Checkpoints of a program: files or folders that it puts into a folder, each under the number of the step after which it
 * stands. What it writes is called otherwise (`12.tmp`) until it is whole, and gets its name by a rename.
 */
export class ProgramCheckpoint {
  private constructor(
    readonly folder: string,
    private readonly checkpoint: Checkpoint,
    /** The last value of each metric that an earlier attempt had reported. */
    readonly metrics: Metrics,
    /** The step after which this attempt goes on. */
    readonly goesOnAfter: number,
  ) {}

  /** Makes the folder, with what the attempt before left in it. */
  static async open(checkpoint: Checkpoint, parent: string, user: ProgramUser | undefined): Promise<ProgramCheckpoint> {
    const folder = await mkdtemp(join(parent, 'mlds-checkpoint-'))
    try {
      const before = (await checkpoint.loadFiles(folder)) ?? []
      if (user !== undefined) await giveTo(user, folder)
      const last = (await entriesOf(folder)).at(-1)
      const metrics = Object.fromEntries(before.flatMap((report) => Object.entries(report.metrics)))
      return new ProgramCheckpoint(folder, checkpoint, metrics, last?.step ?? -Infinity)
    } catch (error) {
      await rm(folder, { recursive: true, force: true })
      throw error
    }
  }

  /**
   * To be called after the report of a step: every report of the steps up to it is known, so a checkpoint after one of them may
   * be kept. @throws what ends an attempt that was told to go or to pause.
   */
  async afterReport(step: number): Promise<void> {
    if (this.checkpoint.isDue) await this.#keep(step)
    // It would go on until it prints the next step.
    this.checkpoint.pause?.throwIfAborted()
  }

  /** The program was told to go and has ended: what it finished last is kept. @throws what ends an attempt that was told to go, if there was any. */
  async atEnd(): Promise<void> {
    if (this.checkpoint.leave.aborted) await this.#keep(Infinity)
  }

  async #keep(step: number): Promise<void> {
    const whole = (await entriesOf(this.folder)).filter((entry) => entry.step <= step)
    const last = whole.at(-1)
    if (last === undefined || last.step <= this.goesOnAfter) return
    await this.checkpoint.saveFiles(join(this.folder, last.name), last.step)
    for (const { name } of whole.slice(0, -1)) await rm(join(this.folder, name), { recursive: true, force: true })
  }

  async remove(): Promise<void> {
    await rm(this.folder, { recursive: true, force: true })
  }
}

/** What is finished, by step. */
async function entriesOf(folder: string): Promise<Entry[]> {
  return (await readdir(folder))
    .flatMap((name) => {
      const step = finished.exec(name)?.[1]
      return step === undefined ? [] : { name, step: Number(step) }
    })
    .sort((a, b) => a.step - b.step)
}

async function giveTo({ uid, gid }: ProgramUser, folder: string): Promise<void> {
  await chown(folder, uid, gid)
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true }))
    await chown(join(entry.parentPath, entry.name), uid, gid)
}
