import { artifactReader } from '../../app/conclude.js'
import { planFacts } from '../../app/planning/plan-facts.js'
import type { Clock } from '../../core/clock.js'
import { drawFigure } from '../../figures/draw.js'
import { svgSource } from '../../figures/page.js'
import { experimentToRead } from '../../experiments/registry.js'
import { describeManifest } from '../../report/report.js'
import { judge } from '../../sweeps/verdicts.js'
import type { Store } from '../../system/store.js'
import { verdictsAnswer } from '../verdicts-answer.js'
import type { FiguresAnswer } from '../wire.js'
import type { LiveSweep } from './live-sweep.js'

/** Drawing takes this share of the server's time at most, however often a page asks. */
const drawingShare = 0.1

interface Drawn {
  readonly live: LiveSweep
  readonly offset: number
  readonly answer: FiguresAnswer
  readonly notBeforeMs: number
}

/** Verdicts and figures of sweeps as they stand, drawn when a page asks for them. */
export class FigureMaker {
  readonly #drawn = new Map<string, Drawn>()
  #busy: Promise<unknown> = Promise.resolve()

  constructor(
    private readonly store: Store,
    private readonly clock: Clock,
    private readonly trustCode: boolean,
  ) {}

  /** Those of now, or the last ones when they were drawn only just. */
  async of(live: LiveSweep): Promise<FiguresAnswer> {
    // One after the other: two pages that ask at once get the same figures.
    const mine = this.#busy.then(() => this.#orDraw(live))
    this.#busy = mine.catch(() => {})
    return mine
  }

  async #orDraw(live: LiveSweep): Promise<FiguresAnswer> {
    const known = this.#drawn.get(live.sweep.id)
    const { offset } = live.position
    if (known?.live === live && (known.offset === offset || this.clock.monotonic() < known.notBeforeMs))
      return known.answer
    const begunMs = this.clock.monotonic()
    const answer = await this.#draw(live)
    const endedMs = this.clock.monotonic()
    const notBeforeMs = endedMs + (endedMs - begunMs) / drawingShare
    this.#drawn.set(live.sweep.id, { live, offset, answer, notBeforeMs })
    return answer
  }

  async #draw(live: LiveSweep): Promise<FiguresAnswer> {
    const { sweep, state } = live
    const troubles: string[] = []
    const warn = (message: string): void => void troubles.push(message)
    const experiment = await experimentToRead(sweep, { trustCode: this.trustCode, warn })
    const [records, ended] = [live.records(), state.ended]
    const verdicts = judge(experiment.claims, records)
    const figures: FiguresAnswer['figures'][number][] = []
    const read = artifactReader(this.store)
    for (const definition of ended === 0 ? [] : experiment.figures) {
      const { name, caption } = definition
      const drawn = await drawFigure(definition, records, read)
      if (drawn === undefined) continue
      if ('trouble' in drawn) troubles.push(drawn.trouble)
      else figures.push({ name, caption, src: svgSource(drawn.svg) })
    }
    return {
      ...verdictsAnswer(verdicts),
      manifest: describeManifest(experiment, planFacts(this.store, sweep, experiment, live.engines), records),
      ...{ figures, troubles, ended },
    }
  }
}
