import { openData } from '../../../data/catalog.js'
import { readImages, type AddedFacts } from '../../../data/added.js'
import type { Dataset } from '../../../data/dataset.js'
import { DataError, MldsError } from '../../../core/errors.js'
import type { Experiment } from '../../../experiments/experiment.js'
import { authorsName, reopenCustom } from '../../../experiments/custom/custom.js'
import type { CustomExperiment } from '../../../experiments/custom/source.js'
import { experimentVersions, findExperiment } from '../../../experiments/registry.js'
import { namedDataOf, type NamedData } from '../../../experiments/trial-data.js'
import type { Store } from '../../../system/store.js'
import { isOfData } from '../../../sweeps/plan.js'
import type { EngineName } from '../../../core/trial.js'
import { codeVersion } from '../../../core/version.js'
import { isCompatible } from '../wire/needs.js'
import type { DatasetMessage, TrialMessage } from '../wire/protocol.js'
import { bucketOf, fetchObject } from '../wire/objects.js'
import type { Broker } from '../wire/streams.js'

/** What a worker can run: the experiments it has, and data sets by content, fetched once and kept on its disk. */
export class Requirements {
  readonly #catalog
  /** Data sets that came from the server, by fingerprint. */
  readonly #fetched = new Map<string, Promise<Dataset>>()
  /** Engines that did not load here, and what was said of it. */
  readonly #lacking = new Map<EngineName, Error>()

  constructor(
    private readonly store: Store,
    private readonly custom: readonly CustomExperiment[],
    private readonly version = codeVersion,
  ) {
    this.#catalog = openData(store)
  }

  /**
   * Brings here the data that the trial may read and what its parents saved. Names in a message only choose among what
   * the worker has; code that comes along is another's matter (accepted-code.ts).
   * @returns its data sets.
   * @throws Error with the reason why this worker can't run the trial; another may.
   */
  async prepare({ assignment, datasets, code, codeVersion: needed }: TrialMessage, broker: Broker): Promise<Dataset[]> {
    const { parents } = assignment
    if (!isCompatible(this.version, needed))
      throw new MldsError('VERSION', `this worker has mlds ${this.version} (the sweep was planned by ${needed})`)
    // What came with the trial is opened where the trial runs, and not in the process that has the worker's key.
    const untold = code === undefined ? await this.#lookAt(assignment, datasets) : []
    const found = await Promise.all([
      ...datasets.map((dataset) => this.#open(dataset, broker)),
      ...untold.map((name) => this.#catalog.load(name)),
    ])
    for (const ref of parents.flatMap((parent) => Object.values(parent.artifacts)))
      await fetchObject(bucketOf(broker), this.store, ref)
    return found
  }

  /**
   * Whether it has the trial's experiment.
   * @returns the names of data sets that an orchestrator of an earlier version does not tell of.
   */
  async #lookAt(
    { trial, parents, engine }: TrialMessage['assignment'],
    datasets: readonly DatasetMessage[],
  ): Promise<string[]> {
    const experiment = await this.#find(trial.experiment)
    if (experiment.version !== trial.version)
      throw new MldsError(
        'VERSION',
        `experiment ${trial.experiment} is of another version here: ${experiment.version} (the trial was planned for ${trial.version})`,
      )
    const stage = experiment.stages.find((candidate) => candidate.name === trial.stage)
    if (stage === undefined) throw new MldsError('STAGE', `experiment ${trial.experiment} has no stage: ${trial.stage}`)
    const lacking = stage.engine === false ? undefined : this.#lacking.get(engine)
    if (lacking !== undefined) throw lacking
    const told = new Set(datasets.map(({ name }) => name))
    const family = new Map(parents.map((parent) => [parent.trial.id, parent.trial]))
    return namedDataOf(experiment, trial, (id) => family.get(id)).flatMap((named) => this.#untold(named, told))
  }

  /** The experiments that it has, with their versions; of a person's own those whose code is as it was given. */
  async experiments(): Promise<[name: string, version: number][]> {
    const found: [string, number][] = experimentVersions.map(([name, version]) => [name, version])
    for (const { name, source } of this.custom) {
      const experiment = await reopenCustom(source, name).catch(() => undefined)
      if (experiment !== undefined) found.push([name, experiment.version])
    }
    return found
  }

  /** Trials that need this engine are left to others from now on. */
  lack(engine: EngineName, error: Error): void {
    this.#lacking.set(engine, error)
  }

  /** A person's own is looked at anew for each trial: its name is that of its code, which may have changed. */
  async #find(name: string): Promise<Experiment> {
    const title = authorsName(name)
    if (title === undefined) return findExperiment(name)
    const known = this.custom.find((one) => one.name === name)
    if (known !== undefined) return reopenCustom(known.source, name)
    const other = this.custom.find((one) => authorsName(one.name) === title)
    throw new MldsError(
      'EXPERIMENT',
      other === undefined
        ? `this worker does not have the experiment ${name}: mlds worker start --experiment FILE gives it one`
        : `the experiment ${title} is of another version here: ${other.name} (the sweep was planned with ${name})`,
    )
  }

  /**
   * Data that an orchestrator of an earlier version does not tell of: that of the trial's parents.
   * @throws DataError when what is here under that name is not what the trial was planned with.
   */
  #untold({ trial, names }: NamedData, told: Set<string>): string[] {
    const untold = names.filter((name) => !told.has(name))
    if (untold.length === 0) return []
    untold.forEach((name) => told.add(name))
    const here = names.map((name) => [name, this.#catalog.resolve(name).fingerprint] as const)
    if (!isOfData(trial, here))
      throw new DataError(`the data of trial ${trial.id} are others here than it was planned with: ${names.join(', ')}`)
    return untold
  }

  async #open(dataset: DatasetMessage, broker: Broker): Promise<Dataset> {
    const { name, fingerprint } = dataset
    if (this.#localFingerprint(name) === fingerprint) return this.#catalog.load(name)
    const fetched = this.#fetched.get(fingerprint) ?? this.#fetch(dataset, broker)
    this.#fetched.set(fingerprint, fetched)
    return fetched.catch((error: unknown) => {
      this.#fetched.delete(fingerprint)
      throw error
    })
  }

  #localFingerprint(name: string): string | undefined {
    try {
      return this.#catalog.resolve(name).fingerprint
    } catch {
      return undefined
    }
  }

  async #fetch({ name, fingerprint, object, images }: DatasetMessage, broker: Broker): Promise<Dataset> {
    if (object === undefined || images === undefined)
      throw new DataError(`the data set ${name} is another here, or none (SHA-256 ${fingerprint} is wanted)`)
    // The fingerprint of an image set is the hash of its bytes: what is fetched by one is what the trial was planned with.
    if (object.sha256 !== fingerprint) throw new DataError(`the data set ${name} is offered under another hash`)
    await fetchObject(bucketOf(broker), this.store, object)
    const facts: Omit<AddedFacts, 'name'> & { name: string } = { name, sha256: fingerprint, ...images }
    return readImages(facts, await this.store.readObject(object))
  }
}
