import { formatCount } from '../core/format.js'
import { Args, Flags } from '@oclif/core'
import { BaseCommand } from '../terminal/base-command.js'
import type { Audit as AuditResult, AuditedSweep } from '../app/audit.js'
import type { GoneSweep } from '../app/mlflow/gone-sweeps.js'
import { systemClock } from '../core/clock.js'
import { exitCodes, MldsError } from '../core/errors.js'
import { groupBy } from '../core/group-by.js'
import { integerFlag } from '../terminal/flags/integer-flag.js'

export default class Audit extends BaseCommand {
  static override storeUse = 'peeks' as const
  static override description =
    'Finds what is wrong with the sweeps that an MLflow server holds: runs that never ended, are there twice, are missing, or do not say what they should; exit code 0 only when nothing is'
  static override examples = [
    '<%= config.bin %> audit http://127.0.0.1:5000',
    '<%= config.bin %> audit http://127.0.0.1:5000 --repair',
  ]
  static override args = {
    url: Args.string({ description: 'the MLflow server (default: MLFLOW_TRACKING_URI)' }),
  }
  static override flags = {
    repair: Flags.boolean({
      description: 'sync sweeps whose journal is here; of others, end runs and mark duplicates, deleting nothing',
    }),
    deep: Flags.boolean({
      description: 'look at every point and file too, not only at what a search tells of the runs (slower)',
    }),
    'idle-minutes': integerFlag({
      description: 'minutes without a sign of life until a sweep whose journal is elsewhere counts as not running',
      default: 60,
      min: 0,
      helpValue: 'MINUTES',
    }),
  }

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(Audit)
    const { auditTracking } = await import('../app/audit.js')
    const { trackingUrl } = await import('../tracking/mlflow/rest/settings.js')
    const url = trackingUrl(args.url)
    if (url === undefined)
      throw new MldsError('USAGE', 'no MLflow server was named', {
        hint: 'give its address, such as http://HOST:5000, or MLFLOW_TRACKING_URI',
      })
    const audit = await auditTracking({
      store: await this.openStore(flags.store),
      url,
      idleMs: flags['idle-minutes'] * 60_000,
      repair: flags.repair,
      deep: flags.deep,
      clock: systemClock,
      warn: (message) => void this.warn(message),
      say: (sentence) => void process.stderr.write(`${sentence}\n`),
    })
    await this.#print(audit, flags.deep)
    const { url: address, repairs, sweeps, gone } = audit
    const sound = gone.length === 0 && sweeps.every(({ findings }) => findings.length === 0)
    const result = {
      ...{ url: address, sound, repairs: repairs.map(plainRepair), sweeps: sweeps.map(plain) },
      ...(gone.length === 0
        ? {}
        : {
            gone: gone.map(({ sweep }) => sweep),
            deletedExperiments: deletedExperimentsOf(gone).map(({ id, name }) => ({ id, name })),
          }),
    }
    return this.endWith(sound ? exitCodes.ok : exitCodes.incomplete, result)
  }

  async #print(audit: AuditResult, deep: boolean): Promise<void> {
    const { url, sweeps, repairs } = audit
    const { formatTable } = await import('../terminal/table.js')
    const { describeFindings } = await import('../app/audit.js')
    for (const { sweep, run, did } of repairs)
      this.log(`${sweep}: ${run === undefined ? did : `${run.name} ${did} (run ${run.id})`}`)
    if (repairs.length > 0) this.log('')
    const header = ['sweep', 'state', 'planned', 'runs', 'finished', 'not ended', 'twice', 'missing']
    const rows = sweeps.map((sweep) => [
      sweep.sweep,
      stateOf(sweep),
      sweep.planned ?? '–',
      sweep.runs,
      sweep.finished,
      count(sweep, 'unended'),
      count(sweep, 'duplicate'),
      sweep.planned === undefined ? '–' : count(sweep, 'missing') + sweep.left,
    ])
    this.log(sweeps.length === 0 ? `${url} holds no sweep` : formatTable(header, rows))
    for (const { sweep, left, journalHere } of sweeps.filter((each) => each.left > 0))
      this.log(
        `\n${sweep} is incomplete, as its ${journalHere ? 'journal' : 'parent run'} says: ${formatCount(left, 'planned trial')} did not run`,
      )
    for (const { sweep, shared } of sweeps.filter((each) => each.shared > 0))
      this.log(
        `\n${sweep}: programs logged to ${formatCount(shared, 'run')} themselves; what mlds put there was looked at, not what is theirs`,
      )
    for (const audited of sweeps.filter(({ findings }) => findings.length > 0)) {
      this.log(`\n${audited.sweep}:`)
      for (const line of describeFindings(audited.findings)) this.log(`  ${line}`)
      const hint = hintFor(audited, url, deep)
      // What is to be typed where its journal is has nothing to do with this store.
      if (hint !== undefined && audited.journalHere) this.advise(`  ${hint}`)
      else if (hint !== undefined) this.log(`  ${hint}`)
    }
    if (!deep && sweeps.length > 0) this.log('\nPoints, files and notes were not looked at; --deep does.')
    const wrong = sweeps.filter(({ findings }) => findings.length > 0).length
    if (wrong > 0 && repairs.length === 0)
      this.log(
        `\n${wrong} of ${formatCount(sweeps.length, 'sweep')} ${wrong === 1 ? 'is' : 'are'} wanting; --repair ${deep ? '--deep ' : ''}mends what it can`,
      )
    this.#printGone(audit)
  }

  #printGone({ url, gone, repairs }: AuditResult): void {
    if (gone.length === 0) return
    this.log(`\nSent there, and with no run there any more: ${listed(gone)}`)
    for (const { id, name, sweeps } of deletedExperimentsOf(gone))
      this.log(
        `The experiment ${name} is deleted, and ${listed(sweeps)} with it; this brings it back: mlflow experiments restore --experiment-id ${id}`,
      )
    const lost = gone.filter(({ deletedExperiment }) => deletedExperiment === undefined)
    if (lost.length === 0 || repairs.length > 0) return
    this.advise(
      `Brought again by: mlds audit ${url} --repair, or one of them by: mlds sync ${lost[0]!.sweep} --track ${url}`,
    )
  }
}

/** The first ten, by name. */
const listed = (sweeps: readonly Pick<GoneSweep, 'sweep'>[]): string =>
  sweeps.length <= 10
    ? sweeps.map(({ sweep }) => sweep).join(', ')
    : `${sweeps
        .slice(0, 10)
        .map(({ sweep }) => sweep)
        .join(', ')} and ${sweeps.length - 10} more`

/** Each deleted experiment once, with the sweeps that lie in it. */
function deletedExperimentsOf(gone: readonly GoneSweep[]): { id: string; name: string; sweeps: GoneSweep[] }[] {
  const groups = groupBy(gone, ({ deletedExperiment }) => deletedExperiment?.id)
  return [...groups.values()].flatMap((sweeps) => {
    const experiment = sweeps[0]?.deletedExperiment
    return experiment === undefined ? [] : [{ ...experiment, sweeps }]
  })
}

function stateOf({ running, findings, left }: AuditedSweep): string {
  if (running) return 'running'
  return findings.length > 0 ? 'wanting' : left > 0 ? 'incomplete' : 'sound'
}

/** What only a deep look sees, only a deep sync mends. */
function hintFor(
  { sweep, findings, journalHere, running }: AuditedSweep,
  url: string,
  deep: boolean,
): string | undefined {
  if (running) return undefined
  const where = journalHere ? '' : 'where its journal is: '
  if (findings.every((finding) => finding.kind === 'missing' && finding.attempt === undefined))
    return `${where}mlds resume ${sweep} --track ${url} brings what has run and runs the rest`
  return `${where}mlds sync ${sweep} --track ${url}${deep ? ' --deep' : ''} mends it exactly`
}

function count({ findings }: AuditedSweep, kind: string): number {
  return findings.filter((finding) => finding.kind === kind).length
}

function plain({ parent, findings, ...rest }: AuditedSweep): object {
  return {
    ...rest,
    parentRun: parent?.id,
    findings: findings.map((finding) => ({
      kind: finding.kind,
      ...('run' in finding && { run: finding.run.id, name: finding.run.name, status: finding.run.status }),
      ...('of' in finding && { of: finding.of.id }),
      ...('trial' in finding && { trial: finding.trial, attempt: finding.attempt }),
      ...('what' in finding && { what: finding.what }),
    })),
  }
}

function plainRepair({ sweep, run, did }: AuditResult['repairs'][number]): object {
  return { sweep, run: run?.id, did }
}
