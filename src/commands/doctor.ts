import { formatCount } from '../core/format.js'
import { join } from 'node:path'
import { BaseCommand } from '../terminal/base-command.js'
import { exitCodes, MldsError } from '../core/errors.js'
import { engineNames } from '../core/trial.js'

interface Finding {
  readonly what: string
  readonly state: 'works' | 'absent' | 'broken'
  readonly detail: string
  /** Without it the main job does not run. */
  readonly required: boolean
}

const marks = { works: '✓', absent: '–', broken: '✗' } as const

export default class Doctor extends BaseCommand {
  static override storeUse = 'peeks' as const
  static override description = 'Says what is installed, which engines work here, and what to do about what is missing'

  async run(): Promise<unknown> {
    const { flags } = await this.parse(Doctor)
    const findings = [
      this.#node(),
      ...(await this.#engines()),
      await this.#store(flags.store),
      ...(await this.#programs()),
    ]
    for (const { what, state, detail } of findings) this.log(`${marks[state]} ${what.padEnd(18)} ${detail}`)
    const wrong = findings.filter(({ state, required }) => required && state !== 'works')
    this.log(
      wrong.length === 0
        ? '\nEverything that sweeps need is here.'
        : `\nTo be mended first: ${wrong.map(({ what }) => what).join(', ')}.`,
    )
    const healthy = wrong.length === 0
    return this.endWith(healthy ? exitCodes.ok : exitCodes.environment, { healthy, findings })
  }

  #node(): Finding {
    const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
    const recent = major > 20 || (major === 20 && minor >= 15)
    return {
      what: 'node',
      state: recent ? 'works' : 'broken',
      required: true,
      detail: `${process.version}${recent ? '' : ': mlds needs at least 20.15'}`,
    }
  }

  /** An engine works when it trains: loading is not enough. */
  async #engines(): Promise<Finding[]> {
    const { createEngine } = await import('../engines/create-engine.js')
    const { defineNet, initialize } = await import('../net/net.js')
    const net = defineNet([2], [{ kind: 'dense', units: 2 }])
    const findings: Finding[] = []
    for (const name of engineNames) {
      const facts = { what: `engine ${name}`, required: name === 'compiled' }
      try {
        const engine = await createEngine(name)
        const rows = { features: Float32Array.of(1, 0, 0, 1), targets: Int32Array.of(0, 1) }
        const training = await engine.train({
          net,
          loss: 'softmax-cross-entropy',
          optimizer: { kind: 'sgd', learningRate: 1 },
          rows,
          batch: 2,
          parameters: initialize(net, 0),
        })
        const first = await training.run(Int32Array.of(0, 1))
        const second = await training.run(Int32Array.of(0, 1))
        await engine.dispose()
        findings.push({
          ...facts,
          state: second.loss < first.loss ? 'works' : 'broken',
          detail: second.loss < first.loss ? 'trains' : 'runs, but does not learn',
        })
      } catch (error) {
        const hint = error instanceof MldsError && error.hint !== undefined ? ` (${error.hint})` : ''
        findings.push({
          ...facts,
          state: facts.required ? 'broken' : 'absent',
          detail: `${(error as Error).message}${hint}`,
        })
      }
    }
    return findings
  }

  async #store(named: string | undefined): Promise<Finding> {
    try {
      const { existsSync } = await import('node:fs')
      const { canWrite } = await import('../system/make-folder.js')
      const store = await this.openStore(named)
      const sweeps = await store.sweepIds()
      if (!canWrite(existsSync(store.folder) ? join(store.folder, 'sweeps') : store.folder))
        return {
          ...{ what: 'store', state: 'broken', required: true },
          detail: `${store.folder} can be read but not written: sweeps need another, named with --store DIR or MLDS_STORE`,
        }
      return {
        what: 'store',
        state: 'works',
        required: true,
        detail: `${store.folder}, ${formatCount(sweeps.length, 'sweep')}`,
      }
    } catch (error) {
      return { what: 'store', state: 'broken', required: true, detail: (error as Error).message }
    }
  }

  async #programs(): Promise<Finding[]> {
    const { spawnSync } = await import('node:child_process')
    const { mlflowSilence } = await import('../tracking/mlflow/server.js')
    const env = { ...process.env, ...mlflowSilence }
    const programs = [
      { what: 'mlflow', args: ['--version'], use: 'pip install mlflow gives the tracking server' },
      { what: 'nats-server', args: ['--version'], use: 'needed for workers on other hosts only' },
    ]
    return programs.map(({ what, args, use }) => {
      const { status, stdout } = spawnSync(what, args, { encoding: 'utf8', timeout: 20_000, env })
      return status === 0
        ? { what, state: 'works', required: false, detail: stdout.trim() }
        : { what, state: 'absent', required: false, detail: `not found: ${use}` }
    })
  }
}
