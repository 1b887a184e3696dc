import { join } from 'node:path'
import { Args, Flags } from '@oclif/core'
import { BaseCommand } from '../terminal/base-command.js'
import { fromFlags, sweepNamed, trustCodeFlag } from '../terminal/flags/flags.js'
import { refuseIdle } from '../terminal/flags/idle-flags.js'
import { formatVerdicts } from '../terminal/summary.js'
import { exitCodes } from '../core/errors.js'
import { figureFormats, parseWidthInches } from '../figures/formats.js'
import type { DrawnFigure } from '../figures/draw.js'
import type { Conclusion } from '../sweeps/conclusion.js'

export default class Figure extends BaseCommand {
  static override storeUse = 'reads' as const
  static override description =
    "Draws a sweep's figures anew from its journal, or from MLflow alone, for a screen or for print"
  static override examples = [
    '<%= config.bin %> figure latest',
    '<%= config.bin %> figure latest --format pdf --width 3.25in --no-title --grayscale -o paper',
    '<%= config.bin %> figure latest --show',
    '<%= config.bin %> figure --from http://127.0.0.1:5000 --sweep params-1a2b3c4d',
  ]
  static override args = {
    sweep: Args.string({ description: 'a sweep id, or the beginning of one (default: latest)' }),
  }
  static override flags = {
    ...fromFlags,
    output: Flags.string({
      char: 'o',
      description: "the folder for the figures (default: in the sweep's, with --from figures/ID)",
      helpValue: 'DIR',
    }),
    format: Flags.option({
      options: figureFormats,
      multiple: true,
      delimiter: ',',
      description: 'kinds of file to write (default: all but pdf)',
    })(),
    width: Flags.custom<number>({
      description: "the whole figure's width in print, its text at 8 points",
      helpValue: '3.25in',
      parse: (text) => Promise.resolve(parseWidthInches(text)),
    })(),
    beside: Flags.string({
      multiple: true,
      helpValue: 'SWEEP',
      description: 'another sweep of the same objective, whose distribution of points is drawn beside this one',
    }),
    'no-title': Flags.boolean({ description: 'no title and subtitle in the figure: the paper has a caption' }),
    font: Flags.string({ description: 'a font of this system (default: DejaVu Sans)', helpValue: 'NAME' }),
    grayscale: Flags.boolean({ description: 'greys instead of colours; lines differ by their dashes' }),
    show: Flags.boolean({
      description: 'show them in the terminal too: as images (Kitty, iTerm2, Sixel), else as letters',
    }),
    'trust-code': trustCodeFlag,
  }

  async run(): Promise<unknown> {
    const { args, flags, raw } = await this.parse(Figure)
    refuseIdle(raw, flags.from === undefined ? {} : { beside: 'only sweeps of this store are drawn beside each other' })
    const id = sweepNamed(args.sweep, flags)
    const trustCode = flags['trust-code']
    const warn = (message: string): void => void this.warn(message)
    const troubles: string[] = []
    const trouble = (message: string): void => {
      warn(message)
      troubles.push(message)
    }
    const { systemFont } = await import('../figures/font.js')
    const shown: DrawnFigure[] = []
    const drawing = {
      ...(flags.format === undefined ? {} : { formats: flags.format }),
      ...(flags.width === undefined ? {} : { widthInches: flags.width }),
      ...(flags.font === undefined ? {} : { font: await systemFont(flags.font) }),
      ...{ titled: !flags['no-title'], grey: flags.grayscale },
      ...(flags.show ? { onDrawn: (figure: DrawnFigure): void => void shown.push(figure) } : {}),
    }
    if (flags.from !== undefined) {
      const { drawFromMlflow } = await import('../app/from-mlflow.js')
      const folder = flags.output ?? `figures/${id}`
      const options = { warn, trustCode, firstName: await this.firstNameOf(flags.store, id) }
      const conclusion = await drawFromMlflow(flags.from, id, folder, options, trouble, drawing)
      await this.#showInTerminal(shown)
      return this.#show(id, conclusion, troubles)
    }
    const store = await this.openStore(flags.store)
    const { SweepFolder } = await import('../sweeps/sweep-folder.js')
    const { experimentToRead } = await import('../experiments/registry.js')
    const { mustBeWritable } = await import('../system/store.js')
    const { concludeAndDraw } = await import('../app/conclude.js')
    const { sweepObjective } = await import('../core/objective.js')
    const sweep = await SweepFolder.open(store, await this.sweepId(store, id))
    if (flags.output === undefined) mustBeWritable(sweep.folder, `draw elsewhere with: mlds figure ${sweep.id} -o DIR`)
    const own = await experimentToRead(sweep, { warn, trustCode })
    const others = []
    for (const named of flags.beside ?? []) {
      const other = await SweepFolder.open(store, await this.sweepId(store, named))
      const { plan } = other
      const read = await experimentToRead(other, { warn, trustCode })
      others.push({ sweep: other, objective: sweepObjective(plan.spec, read) })
    }
    const { besideFigure } = await import('../app/beside.js')
    const beside = others.length === 0 ? [] : [besideFigure(sweep, sweepObjective(sweep.plan.spec, own), others)]
    const experiment = { ...own, figures: [...own.figures, ...beside] }
    // What is dressed for print does not replace what the sweep draws by itself.
    const isForPrint = flags.width !== undefined || flags.font !== undefined || flags.grayscale || flags['no-title']
    const elsewhere = flags.output ?? (isForPrint ? join(sweep.figuresFolder, 'print') : undefined)
    const where = elsewhere === undefined ? {} : { elsewhere }
    const conclusion = await concludeAndDraw({ store, sweep, experiment }, trouble, { ...where, ...drawing })
    await this.#showInTerminal(shown)
    return this.#show(sweep.id, conclusion, troubles)
  }

  async #showInTerminal(figures: readonly DrawnFigure[]): Promise<void> {
    if (figures.length === 0 || this.jsonEnabled()) return
    const { showFigures } = await import('../terminal/images/show-figures.js')
    await showFigures(figures)
  }

  #show(sweep: string, { figures, verdicts }: Conclusion, troubles: readonly string[]): unknown {
    for (const file of figures) this.log(file)
    if (figures.length === 0 && troubles.length === 0)
      this.log('Nothing has finished yet, so there is nothing to draw.')
    if (verdicts.length > 0) this.log(`\n${formatVerdicts(verdicts)}`)
    return this.endWith(troubles.length > 0 ? exitCodes.incomplete : exitCodes.ok, { sweep, figures, verdicts })
  }
}
