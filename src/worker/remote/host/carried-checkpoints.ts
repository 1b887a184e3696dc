import { lstatSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { TrialId } from '../../../core/trial.js'
import type { Store } from '../../../system/store.js'
import { CheckpointFolder } from '../../checkpoints/checkpoint-folder.js'
import { fetchCheckpoint, readHead, sendCheckpoint, type CheckpointHead } from '../wire/checkpoints.js'
import type { RunKey } from '../wire/names.js'
import { isDenied } from '../wire/nats-errors.js'
import { patiently, type Broker } from '../wire/streams.js'

/** A run whose checkpoints cross the wire, and what the server has of them. */
interface Carried {
  readonly key: RunKey
  readonly attempt: number
  head: CheckpointHead | undefined
}

/** What is said of a run's last checkpoint, and of which run. */
export interface KnownCheckpoint {
  readonly of: RunKey
  readonly head: CheckpointHead
}

/** Brings checkpoints of this worker's trials to the server, and those of earlier attempts from there. */
export class CarriedCheckpoints {
  readonly #carried = new Map<TrialId, Carried>()
  #isDenied = false

  constructor(
    private readonly broker: Broker,
    private readonly folder: string,
    private readonly options: { readonly store: Store; readonly say: (message: string) => void },
  ) {}

  /** What an attempt at the run brought last; `undefined` where there is none, or it can't be read. */
  async head(key: RunKey): Promise<KnownCheckpoint | undefined> {
    const head = await patiently(() => readHead(this.broker, key)).catch((error: unknown) => this.#note(error))
    return head === undefined ? undefined : { of: key, head }
  }

  /** Puts what an earlier attempt brought, at this run or at one before it, where this attempt looks for it. */
  async begin(key: RunKey, attempt: number, known: KnownCheckpoint | undefined): Promise<void> {
    const { store, say } = this.options
    const place = this.#placeOf(key.trial)
    await removeIfThere(place)
    const isOwn = known?.of.generation === key.generation
    this.#carried.set(key.trial, { key, attempt, head: isOwn ? known.head : undefined })
    if (known === undefined) return
    const { of, head } = known
    try {
      await fetchCheckpoint(this.broker, of, head, { folder: new CheckpointFolder(place), store })
    } catch (error) {
      await rm(place, { recursive: true, force: true })
      say(
        `trial ${key.trial}: the checkpoint of attempt ${head.attempt} can't be had: ${(error as Error).message}; it begins anew`,
      )
    }
  }

  /**
   * Brings what the trial has kept to the server.
   * @throws Error saying why it is not there.
   */
  readonly bring = async (trial: TrialId): Promise<void> => {
    const carried = this.#carried.get(trial)
    const checkpoint = await new CheckpointFolder(this.#placeOf(trial)).find()
    if (carried === undefined || checkpoint === undefined) return
    if (this.#isDenied) throw new Error(deniedWords)
    const { key, attempt, head } = carried
    try {
      carried.head = await sendCheckpoint(this.broker, key, { checkpoint, attempt, store: this.options.store }, head)
    } catch (error) {
      this.#note(error)
      throw error
    }
  }

  /** Whether the server has one of the trial's. */
  has = (trial: TrialId): boolean => this.#carried.get(trial)?.head !== undefined

  async end(trial: TrialId): Promise<void> {
    this.#carried.delete(trial)
    await removeIfThere(this.#placeOf(trial))
  }

  #placeOf = (trial: TrialId): string => join(this.folder, trial)

  #note(error: unknown): undefined {
    if (isDenied(error) && !this.#isDenied) {
      this.#isDenied = true
      this.options.say(`${deniedWords}: attempts that another worker goes on with begin anew`)
    }
    return undefined
  }
}

/** Most trials keep nothing: a look costs microseconds, `rm` of what is not there a tenth of a short trial. */
async function removeIfThere(place: string): Promise<void> {
  if (lstatSync(place, { throwIfNoEntry: false }) !== undefined) await rm(place, { recursive: true, force: true })
}

const deniedWords =
  "the NATS server takes no checkpoints of this worker's (its configuration is an earlier version's: run mlds nats init again)"
