import { lstatSync, mkdtempSync } from 'node:fs'
import { chmod, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { DataError, MldsError } from '../../../core/errors.js'
import type { ArtifactRef } from '../../../core/trial.js'
import type { CustomExperiment, CustomSource } from '../../../experiments/custom/source.js'
import { bytesInFolder } from '../../../system/read-folder.js'
import { makeFolder } from '../../../system/make-folder.js'
import type { ProgramUser } from '../../../system/program-user.js'
import { readPack, runnableCommand, sha256Of, type PackedExperiment, type PackedFile } from '../wire/code-pack.js'
import { lackingConsent, type Abilities } from '../wire/needs.js'
import type { ReadObject } from '../wire/objects.js'
import type { TrialMessage } from '../wire/protocol.js'

/** What of shipped code a worker runs. */
export interface AcceptedCodeChoice {
  /** Whose: public keys, as they are written. */
  readonly keys: readonly string[]
  /** As whom programs run; modules are not taken then. Default: as the worker itself. */
  readonly user?: ProgramUser
}

export const acceptedBy = ({ keys, user }: AcceptedCodeChoice): NonNullable<Abilities['code']> => ({
  keys: [...keys],
  modules: user === undefined,
})

/** A trial's code as it lies on this worker's disk; nothing of it is removed until it is released. */
export interface CodeInUse {
  readonly custom: CustomExperiment
  release(): void
}

/** Code that no trial uses stays until there is more than this of it and of what trials have left beside it. */
export interface KeptCodeBounds {
  readonly bytes: number
  readonly copies: number
}

const defaultBounds: KeptCodeBounds = { bytes: 2 ** 30, copies: 16 }

interface Copy {
  readonly folder: string
  readonly experiment: PackedExperiment
  readonly files: readonly PackedFile[]
  /** What the disk says of each file since its bytes were seen to be right. */
  readonly seen: Map<string, string>
  /** On the disk, when it was last out of use. */
  bytes: number
  users: number
}

/**
 * The code that came with trials, each under its hash in a folder of its own: files are checked one by one before a trial
 * begins, and those that something has changed since are put back.
 */
export class AcceptedCode {
  /** The one used last comes last. */
  readonly #copies = new Map<string, Promise<Copy>>()
  /** One after the other, so that nothing is removed that is just being taken. */
  #turn: Promise<unknown> = Promise.resolve()

  /** @param parent a folder that is this worker's alone, and goes with it. */
  constructor(
    private readonly parent: string,
    private readonly read: ReadObject,
    private readonly choice: AcceptedCodeChoice | undefined,
    private readonly say: (message: string) => void,
    private readonly bounds = defaultBounds,
  ) {}

  /** @throws MldsError where this worker was not told to run code of that key, whatever it is. */
  requireConsent(key: string): void {
    const accepted = this.choice === undefined ? {} : { code: acceptedBy(this.choice) }
    const lacks = lackingConsent({ key, kind: 'program' }, accepted)
    if (lacks !== undefined) throw new MldsError('CODE', lacks.replace(/^it /, 'this worker '))
  }

  /**
   * The code of a trial whose signature was found right.
   * @throws DataError when it is not what its hash says, or names a place outside its folder.
   */
  take({ assignment, code }: TrialMessage): Promise<CodeInUse> {
    const taking = this.#turn.then(() => this.#take(assignment.trial.experiment, code!.object))
    this.#turn = taking.catch(() => {})
    return taking
  }

  async #take(name: string, ref: ArtifactRef): Promise<CodeInUse> {
    const known = this.#copies.get(ref.sha256)
    const unpacking = known ?? this.#unpack(ref)
    this.#copies.delete(ref.sha256)
    this.#copies.set(ref.sha256, unpacking)
    const copy = await unpacking.catch((error: unknown) => {
      this.#copies.delete(ref.sha256)
      throw error
    })
    copy.users++
    const release = this.#releaseOf(copy)
    try {
      if (known !== undefined) await this.#restore(copy, ref)
      return { custom: { name, source: this.#sourceOf(copy) }, release }
    } catch (error) {
      release()
      throw error
    }
  }

  /** To be called once the trial has ended; what it left beside its code counts from then on. */
  #releaseOf(copy: Copy): () => void {
    let isHeld = true
    return () => {
      if (!isHeld) return
      isHeld = false
      copy.users--
      if (copy.users > 0) return
      copy.bytes = bytesInFolder(copy.folder)
      this.#turn = this.#turn.then(() => this.#evict()).catch(() => {})
    }
  }

  async #unpack(ref: ArtifactRef): Promise<Copy> {
    const { list, contents } = readPack(await this.#fetch(ref))
    const folder = mkdtempSync(join(this.parent, `${ref.sha256.slice(0, 16)}-`))
    try {
      // A program of another user reads it, and can change nothing of it.
      if (this.choice?.user !== undefined) await chmod(folder, 0o755)
      const copy = {
        ...{ folder, experiment: list.experiment, files: list.files, users: 0, bytes: 0 },
        seen: new Map<string, string>(),
      }
      for (const [i, file] of list.files.entries()) await this.#write(copy, file, contents[i]!)
      return copy
    } catch (error) {
      await rm(folder, { recursive: true, force: true })
      throw error
    }
  }

  async #fetch(ref: ArtifactRef): Promise<Uint8Array> {
    const pack = await this.read(ref)
    if (pack === undefined) throw new DataError(`the trial's code is missing from the object store: ${ref.sha256}`)
    const sha256 = sha256Of(pack)
    if (sha256 !== ref.sha256)
      throw new DataError(`the trial's code was altered on its way: ${ref.sha256} came as ${sha256}`)
    return pack
  }

  async #write({ folder, seen }: Copy, { path, executable }: PackedFile, bytes: Uint8Array): Promise<void> {
    const place = join(folder, path)
    await makeFolder(dirname(place))
    const [plain, run] = this.choice?.user === undefined ? [0o600, 0o700] : [0o644, 0o755]
    // What is there already, a link above all, is not written to.
    await writeFile(place, bytes, { flag: 'wx', mode: plain })
    // For everyone whom this is for, whatever this process takes away from the files that it makes.
    await chmod(place, executable === true ? run : plain)
    if (this.choice?.user !== undefined)
      for (let at = dirname(place); at !== folder; at = dirname(at)) await chmod(at, 0o755)
    seen.set(path, standingOf(place)!)
  }

  /** Puts back what is not as it came. */
  async #restore(copy: Copy, ref: ArtifactRef): Promise<void> {
    const changed: PackedFile[] = []
    for (const file of copy.files) {
      const place = join(copy.folder, file.path)
      const standing = standingOf(place)
      if (standing !== undefined && standing === copy.seen.get(file.path)) continue
      const isSame = standing !== undefined && sha256Of(await readFile(place)) === file.sha256
      if (isSame) copy.seen.set(file.path, standing)
      else changed.push(file)
    }
    if (changed.length === 0) return
    const { list, contents } = readPack(await this.#fetch(ref))
    for (const file of changed) {
      await rm(join(copy.folder, file.path), { recursive: true, force: true })
      await this.#write(copy, file, contents[list.files.findIndex(({ path }) => path === file.path)]!)
    }
    this.say(
      `files of a trial's code had been changed on this host, and are as they came again: ${changed[0]!.path}${changed.length > 1 ? ` and ${changed.length - 1} more` : ''}`,
    )
  }

  #sourceOf({ experiment, folder }: Copy): CustomSource {
    const { user } = this.choice ?? {}
    if (experiment.kind === 'program') {
      const { root, command } = experiment
      const copy = { root, folder, isAll: true } as const
      const host = { copy, ...(user === undefined ? {} : { user }) }
      return { kind: 'command', command: { ...runnableCommand(command), ...host } }
    }
    if (user !== undefined)
      throw new MldsError('CODE', 'this worker runs programs as another user, and takes no modules (--trial-user)')
    return { kind: 'file', file: join(folder, experiment.file) }
  }

  /** Removes what is not in use until the rest is within the bounds, the one used longest ago first. */
  async #evict(): Promise<void> {
    const copies = await Promise.all([...this.#copies].map(async ([sha256, copy]) => ({ sha256, copy: await copy })))
    const idle = copies.filter(({ copy }) => copy.users === 0)
    let [bytes, count] = [idle.reduce((sum, { copy }) => sum + copy.bytes, 0), idle.length]
    for (const { sha256, copy } of idle) {
      if (bytes <= this.bounds.bytes && count <= this.bounds.copies) return
      this.#copies.delete(sha256)
      await rm(copy.folder, { recursive: true, force: true })
      bytes -= copy.bytes
      count--
    }
  }
}

/** Changes with the file: nobody but the system sets when its entry was changed. `undefined` for what is no file. */
function standingOf(place: string): string | undefined {
  const found = lstatSync(place, { bigint: true, throwIfNoEntry: false })
  return found?.isFile() === true ? [found.ino, found.size, found.ctimeNs].join() : undefined
}
