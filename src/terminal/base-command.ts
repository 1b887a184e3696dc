import { Command, Flags, type Interfaces } from '@oclif/core'
import { printable, printableColours } from '../core/printable.js'
import { latest } from '../core/names.js'
import type { Store } from '../system/store.js'
import { exitCodes } from '../core/errors.js'
import type { RunChoices } from '../app/running/choices.js'
import type { SweepToRun } from '../app/running/parts.js'
import { explain } from './explain-error.js'
import { nameStore } from './name-store.js'
import { printJson } from './print-json.js'
import type { RanInTerminal } from './run-in-terminal.js'

export type FlagsOf<T extends typeof Command> = Interfaces.InferredFlags<(typeof BaseCommand)['baseFlags'] & T['flags']>

/**
 * What a command does with the store. `reads`: nothing is made or changed, and no permission to write is needed; `peeks`:
 * the same, and it need not be there; `changes`: it must be there and be writable; `makes`: it is made when it is not there.
 */
export type StoreUse = 'none' | 'peeks' | 'reads' | 'changes' | 'makes'

/** What every command shares: where the state lies, `--json`, and errors as sentences with honest exit codes. */
export abstract class BaseCommand extends Command {
  static override enableJsonFlag = true

  static override baseFlags = {
    store: Flags.string({
      description: 'folder that holds sweeps, results and data',
      env: 'MLDS_STORE',
      defaultHelp: async () => '.mlds, here or in a folder above',
      helpGroup: 'GLOBAL',
    }),
  }

  #exitCode: number = exitCodes.ok

  /** How the command uses the store; each says it itself. */
  static storeUse: StoreUse | undefined

  /**
   * The store that `--store` names or that is found; used as the command declares unless told otherwise.
   * @throws StoreError when it is not there and must be, or can't be written and must be.
   */
  protected async openStore(
    named: string | undefined,
    use = (this.ctor as typeof BaseCommand).storeUse,
  ): Promise<Store> {
    const { openStore, readStore } = await import('../system/store.js')
    const { findStore } = await import('../system/find-store.js')
    const { folder, how } = findStore(named)
    if (how === 'above' && !this.jsonEnabled()) process.stderr.write(`The store is ${folder}\n`)
    if (use === 'makes') return openStore(folder)
    const { existsSync } = await import('node:fs')
    const isThere = existsSync(folder)
    if (!isThere && how === 'named' && use !== 'peeks') {
      const { StoreError } = await import('../core/errors.js')
      throw new StoreError(`there is no store: ${folder}`, {
        hint: 'a sweep makes one: mlds sweep EXPERIMENT',
      })
    }
    return use === 'changes' && isThere ? openStore(folder) : readStore(folder)
  }

  /** What a sweep of the store was called first, by which MLflow knows it; `undefined` where the store has no such sweep. */
  protected async firstNameOf(named: string | undefined, sweep: string): Promise<string | undefined> {
    const { readStore } = await import('../system/store.js')
    const { findStore } = await import('../system/find-store.js')
    const { planFactsOf } = await import('../sweeps/sweep-folder.js')
    return planFactsOf(readStore(findStore(named).folder), sweep)?.sweep
  }

  protected override async parse<
    F extends Interfaces.OutputFlags<F>,
    B extends Interfaces.OutputFlags<B>,
    A extends Interfaces.OutputArgs<A>,
  >(options?: Interfaces.Input<F, B, A>, argv = this.argv): Promise<Interfaces.ParserOutput<F, B, A>> {
    if (!argv.some((word) => word.startsWith('--worker-arg='))) return super.parse(options, argv)
    const { guardWorkerArgs } = await import('./flags/fleet-flags.js')
    return super.parse(options, guardWorkerArgs(argv))
  }

  /** What a value, a program or another host brings along is shown to a terminal, never obeyed by it; colours are. */
  override log(message = '', ...args: unknown[]): void {
    super.log(printableColours(message), ...args)
  }

  /** Prints what advises commands of mlds. */
  protected advise(message: string): void {
    this.log(this.inNamedStore(message))
  }

  /** The text with its commands as they must be typed for the store that this command was told to use. */
  protected inNamedStore(text: string): string {
    const at = this.argv.findIndex((word) => /^--store(=|$)/.test(word))
    return nameStore(text, this.argv[at]?.split('=').slice(1).join('=') || this.argv[at + 1 || this.argv.length])
  }

  /** Says it on standard error with `--json` too, where oclif would swallow it: standard output stays pure JSON. */
  override warn(input: string | Error): string | Error {
    if (!this.jsonEnabled()) return super.warn(input)
    process.stderr.write(`Warning: ${printable(input instanceof Error ? input.message : input)}\n`)
    return input
  }

  /** Of what `--json` promises, some is longer than the longest string. */
  override logJson(json: unknown): void {
    printJson(json, process.stdout)
  }

  /** The full id of a sweep from what a person typed; says on standard error which one `latest`, the default, is. */
  protected async sweepId(store: Store, wanted = latest): Promise<string> {
    const { resolveSweepId } = await import('../sweeps/sweep-folder.js')
    const id = await resolveSweepId(store, wanted)
    if (wanted === latest && !this.jsonEnabled()) {
      const hidden = (await store.sweepIds()).includes(latest) && id !== latest
      process.stderr.write(`latest: ${id}${hidden ? ' (the sweep that is named latest: sweeps/latest)' : ''}\n`)
    }
    return id
  }

  /** Runs what a sweep lacks before a person's eyes, beside the JSON object that standard output may be for. */
  protected async runInTerminal(
    sweep: SweepToRun,
    choices: RunChoices,
    graceSeconds: number,
    answering?: (is: boolean) => void,
  ): Promise<RanInTerminal> {
    const { runInTerminal } = await import('./run-in-terminal.js')
    const output = this.jsonEnabled() ? process.stderr : process.stdout
    return runInTerminal(sweep, choices, {
      ...{ output, graceMs: 1_000 * graceSeconds, answering },
      reword: (text) => this.inNamedStore(text),
    })
  }

  /** The command's result, and what its process exits with: 0 unless a command says otherwise. */
  protected endWith<T>(exitCode: number, result: T): T {
    this.#exitCode = exitCode
    return result
  }

  /** Here alone a command's exit code is set. */
  protected override async finally(): Promise<void> {
    process.exitCode = this.#exitCode
  }

  /** Prints what the person should do, never a stack trace (unless DEBUG asks for it). */
  protected override async catch(error: Error & { exitCode?: number; oclif?: { exit?: number } }): Promise<void> {
    const { code, exitCode, ...told } = explain(error)
    const message = this.inNamedStore(told.message)
    const hint = told.hint === undefined ? undefined : this.inNamedStore(told.hint)
    if (this.jsonEnabled()) {
      process.stdout.write(
        `${JSON.stringify({ error: { code, message, ...(hint === undefined ? {} : { hint }) } }, null, 2)}\n`,
      )
    } else {
      process.stderr.write(printable(`Error: ${message}\n${hint === undefined ? '' : `  ${hint}\n`}`))
    }
    if (process.env['DEBUG'] !== undefined && error.stack !== undefined) process.stderr.write(`${error.stack}\n`)
    this.#exitCode = exitCode
  }
}
