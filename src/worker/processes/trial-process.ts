import { fork, type ChildProcess } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { builtFile } from '../../system/built-file.js'
import { limitMemory } from '../../system/memory-limit.js'
import { ProcessTree } from '../../system/process-tree.js'
import { trialEnvironment } from '../../system/trial-environment.js'
import type { FromProcess, ToProcess } from './process-messages.js'

/** How the process of a trial ended. */
export interface ProcessEnd {
  /** In words that follow its name. */
  readonly how: string
  /** Why it was killed, where that is the trial's failure. */
  readonly failure: Error | undefined
}

/** The variable that marks all that the process of an isolated trial has started. */
const markVariable = 'MLDS_ISOLATED'
/** Of what the process wrote on its error output, as much as a person is told. */
const maxWords = 500
/** After its end, before what still holds its output open is left alone. */
const leftOpenMs = 1_000

/** A process of its own for one trial; what it starts goes with it. */
export class TrialProcess {
  /** Resolves when neither it nor anything that it started is left. */
  readonly ended: Promise<ProcessEnd>
  readonly #child: ChildProcess
  readonly #tree: ProcessTree
  #failure: Error | undefined
  #words = ''

  /** @param memoryGb that it may have, in GB of 10^9 bytes; `undefined`: any. */
  constructor(memoryGb: number | undefined, hear: (message: FromProcess) => void) {
    const mark = randomUUID()
    this.#child = fork(builtFile(import.meta.url, './process-entry.js'), [], {
      env: { ...trialEnvironment(process.env), [markVariable]: mark },
      // A group of its own: Ctrl-C is for mlds to hear, and what the trial starts goes with it.
      detached: true,
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    })
    this.#tree = new ProcessTree(this.#child.pid ?? -1, `${markVariable}=${mark}`)
    this.#child.on('message', hear)
    // A host that has no more files or processes to give makes no pipe either.
    this.#child.stderr?.on('data', (bytes: Buffer) => (this.#words = `${this.#words}${bytes.toString()}`.slice(-4_000)))
    const stopLooking =
      memoryGb === undefined || this.#child.pid === undefined
        ? () => {}
        : limitMemory(this.#tree, { limitGb: memoryGb, whose: 'trial' }, (error) => this.kill(error))
    this.ended = new Promise((resolve) => {
      const end = (how: string): void => {
        stopLooking()
        resolve({ how, failure: this.#failure })
      }
      this.#child.once('error', (error) => end(`can't be started: ${error.message}`))
      this.#child.once('exit', () => {
        // What it left running would hold its output open for ever; one that has hidden is not waited for.
        this.#tree.kill()
        setTimeout(() => this.#child.stderr?.destroy(), leftOpenMs).unref()
      })
      this.#child.once('close', (code, signal) =>
        end(`ended ${signal === null ? `with exit code ${code}` : `by ${signal}`}${this.#lastWords()}`),
      )
    })
  }

  /** What is told of it in the journal: no other process of this host is called so now. */
  get name(): string {
    return `process-${this.#child.pid}`
  }

  send(message: ToProcess): void {
    // What it no longer hears follows from its end, of which is told elsewhere.
    if (this.#child.connected) this.#child.send(message, () => {})
  }

  /** With all that it started. @param failure why, where that is the trial's failure. */
  kill(failure?: Error): void {
    this.#failure ??= failure
    this.#tree.kill()
  }

  /** A native crash says there what it was. */
  #lastWords(): string {
    const words = this.#words.trim().slice(-maxWords)
    return words === '' ? '' : `: ${words}`
  }
}
