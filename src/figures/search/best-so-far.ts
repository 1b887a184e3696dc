import { formatCount, formatNumber } from '../../core/format.js'
import { compareStandings } from '../../core/standing.js'
import type { FigureDefinition } from '../figure.js'
import { frame, palette, size } from '../style.js'
import { objectiveScale } from './scales.js'
import { kindsOfSetting, settingsOf, type Searched, type Setting } from './settings.js'

/** The settings that were the best when they were suggested, each better than the one before. */
function incumbentsOf(settings: readonly Setting[], { objective }: Searched): Setting[] {
  const incumbents: Setting[] = []
  for (const one of settings) {
    const best = incumbents.at(-1)
    if (one.kind === kindsOfSetting[3]) continue
    if (best === undefined || compareStandings(one.standing, best.standing, objective) < 0) incumbents.push(one)
  }
  return incumbents
}

/** What each setting came to, and the best so far with its seeds; of one objective. */
export function bestSoFar(searched: Searched): FigureDefinition {
  const caption =
    'What each setting came to, in the order in which they were suggested; the line is the best so far by the mean over seeds, the ticks are the seeds of each new best.'
  const { metric, direction } = searched.objective
  return {
    name: 'best-so-far',
    caption,
    async draw(records) {
      const { settings, without } = settingsOf(records, searched)
      if (settings.length < 2) return undefined
      const incumbents = incumbentsOf(settings, searched)
      const last = settings.at(-1)!.number
      const line = incumbents.map(({ number, means }) => ({ number, value: means[0]! }))
      const end = line.length === 0 || line.at(-1)!.number === last ? [] : [{ number: last, value: line.at(-1)!.value }]
      const seeds = incumbents.flatMap(({ number, standing }) =>
        standing.values.length < 2 ? [] : standing.values.map((value) => ({ number, value })),
      )
      const values = [...settings.map(({ means }) => means[0]!), ...seeds.map(({ value }) => value)]
      const present = kindsOfSetting.filter((kind) => settings.some((one) => one.kind === kind))
      const x = {
        ...{ field: 'number', type: 'quantitative', title: 'setting' },
        ...{ scale: { domain: [0, last + 1], nice: false }, axis: { tickMinStep: 1, format: 'd', tickCount: 8 } },
      }
      const y = { field: 'value', type: 'quantitative', title: metric, ...objectiveScale(values) }
      const shape = {
        ...{ field: 'kind', type: 'nominal', title: null, scale: { domain: present, range: shapesOf(present) } },
        legend: present.length > 1 ? {} : null,
      }
      const best = incumbents.at(-1)
      return {
        ...frame(`Best ${metric} so far`, [
          [
            formatCount(last, 'setting'),
            ...(without === 0 ? [] : [`${without} without a value`]),
            ...(best === undefined ? [] : [`best: ${formatNumber(best.means[0]!)}, setting ${best.number}`]),
            direction === 'minimize' ? 'the lower the better' : 'the higher the better',
            ...(seeds.length === 0 ? [] : ['ticks: the seeds of each new best']),
          ].join(' · '),
        ]),
        ...size,
        layer: [
          {
            data: { values: settings.map(({ number, means, kind }) => ({ number, value: means[0]!, kind })) },
            mark: { type: 'point', filled: false, size: 36, color: '#777', opacity: 0.9 },
            encoding: { x, y, shape },
          },
          {
            data: { values: [...line, ...end] },
            mark: { type: 'line', interpolate: 'step-after', color: palette[0], strokeWidth: 2 },
            encoding: { x, y },
          },
          ...(seeds.length === 0
            ? []
            : [
                {
                  data: { values: seeds },
                  mark: { type: 'tick', orient: 'horizontal', size: 12, thickness: 1.5, color: palette[1] },
                  encoding: { x, y },
                },
              ]),
          {
            data: { values: line },
            mark: { type: 'point', filled: true, size: 46, color: palette[0], opacity: 1 },
            encoding: { x, y },
          },
        ],
      }
    },
  }
}

const shapes = {
  'ran to its end': 'circle',
  'stopped early': 'triangle-down',
  'with a seed that diverged': 'diamond',
  'breaks a constraint': 'cross',
}
const shapesOf = (kinds: readonly (keyof typeof shapes)[]): string[] => kinds.map((kind) => shapes[kind])
