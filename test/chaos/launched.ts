import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import type { TrialId } from '../../src/core/trial.js'
import { chaosCustom } from '../helpers/custom-modules.js'
import { linesOf, mlds, startMlds, until, type Running } from '../helpers/cli.js'
import { coursesOf, endsOf, journalOf } from './courses.js'
import type { Shape } from './lab.js'

/** A person's host: where they type, and what is set there. */
export interface Place {
  readonly cwd: string
  readonly env: Record<string, string>
}

/**
 * The sweep of the chaos as a person runs it, by the built command, on workers that a launcher started. Its last trial ends
 * its process, unless it is left out.
 */
export class LaunchedSweep {
  readonly #file: string
  readonly #store: string
  readonly #undisturbed: string
  readonly #executions: string
  readonly #planned: number
  #orchestrator: Running | undefined

  constructor(
    private readonly at: Place,
    private readonly url: string,
    private readonly shape: Shape & { readonly poison: boolean },
    /** For `mlds sweep`, such as `--ship`. */
    private readonly words: readonly string[] = [],
  ) {
    const named = ['chaos.yaml', 'store', 'undisturbed', 'executions'].map((name) => join(at.cwd, name))
    ;[this.#file, this.#store, this.#undisturbed, this.#executions] = named as [string, string, string, string]
    this.#planned = shape.trials + (shape.poison ? 1 : 0)
    const axes = { n: Array.from({ length: this.#planned }, (_, n) => n), ms: [shape.ms], poison: [shape.trials] }
    const experiment = (chaosCustom.source as { readonly file: string }).file
    writeFileSync(this.#file, JSON.stringify({ experiment, axes }))
    // Where trials really run is written down on the hosts.
    writeFileSync(this.setup, `export MLDS_CHAOS_LOG=${this.#executions}\n`)
  }

  /** What the workers have to read first. */
  get setup(): string {
    return join(this.at.cwd, 'setup.sh')
  }

  /** The sweep's file, which workers of the same disk may be given. */
  get file(): string {
    return this.#file
  }

  /** The same sweep on threads of this host, with nothing killed. */
  async runUndisturbed(): Promise<void> {
    const words = ['--workers', '8', '--retries', '0', '--store', this.#undisturbed]
    const { code, stderr } = await mlds(['sweep', this.#file, ...words], this.at)
    expect(code, stderr).toBe(this.shape.poison ? 1 : 0)
  }

  start(): void {
    this.#orchestrator = startMlds(
      ['sweep', this.#file, '--nats', this.url, '--store', this.#store, ...this.words],
      this.at,
    )
  }

  /** Kills the orchestrator, and goes on as a person would. */
  async killAndResume(): Promise<void> {
    this.#orchestrator!.child.kill('SIGKILL')
    await this.#orchestrator!.finished
    this.#orchestrator = startMlds(['resume', 'latest', '--nats', this.url, '--store', this.#store], this.at)
  }

  /** Trials that the orchestrator has written down as ended. */
  ended = (): number => endsOf(journalOf(this.#store)).size

  /** Attempts that have begun anywhere. */
  begun = (): number => linesOf(this.#executions).length

  /** @throws Error when the orchestrator ended before so many trials did. */
  async untilEnded(count: number): Promise<void> {
    let last: string | undefined
    void this.#orchestrator!.finished.then(({ code, stderr }) => (last = `code ${code}: ${stderr}`))
    await until(() => last !== undefined || this.ended() >= count)
    if (this.ended() < count) throw new Error(`the sweep ended after ${this.ended()} trials, before ${count}: ${last}`)
  }

  /** Every trial has one end, of the numbers that it has undisturbed; the poison alone is dead. */
  async expectWhole(): Promise<void> {
    const { code, stdout, stderr } = await this.#orchestrator!.finished
    expect(code, stdout + stderr).toBe(this.shape.poison ? 1 : 0)
    const numbers = this.#numbers()
    const events = journalOf(this.#store)
    expect(events.filter(({ type }) => type === 'ended')).toHaveLength(this.#planned)
    expect(endsOf(events).size).toBe(this.#planned)
    const [mine, expected] = [coursesOf(events, numbers), coursesOf(journalOf(this.#undisturbed), numbers)]
    if (this.shape.poison) {
      expect(mine.get(this.shape.trials)).toContain('dead')
      for (const courses of [mine, expected]) courses.delete(this.shape.trials)
    }
    expect(mine).toEqual(expected)
    expect(mine.size).toBe(this.shape.trials)
    const verified = await mlds(['verify', '--store', this.#store], this.at)
    expect(verified.code, verified.stdout + verified.stderr).toBe(this.shape.poison ? 1 : 0)
  }

  #numbers(): Map<TrialId, number> {
    const [opened] = journalOf(this.#store)
    const sweep = opened?.type === 'opened' ? opened.sweep : ''
    const plan = JSON.parse(readFileSync(join(this.#store, 'sweeps', sweep, 'plan.json'), 'utf8')) as {
      trials: { id: TrialId; params: { n: number } }[]
    }
    return new Map(plan.trials.map(({ id, params }) => [id, params.n]))
  }
}
