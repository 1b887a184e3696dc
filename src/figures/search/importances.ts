import { formatCount } from '../../core/format.js'
import type { FigureDefinition } from '../figure.js'
import { frame, palette, size } from '../style.js'
import { importancesOf, settingsOf, type Searched } from './settings.js'

/** More bars do not fit a page. */
const maxBars = 24

/** How much each axis has to do with being among the best tenth. */
export function importanceBars(searched: Searched): FigureDefinition {
  return {
    name: 'importances',
    caption:
      'How much each axis has to do with being among the best tenth of the settings, by PED-ANOVA; the bars add up to 100 %.',
    async draw(records) {
      const { settings } = settingsOf(records, searched)
      const shares = importancesOf(settings, searched)
      if (shares.length === 0) return undefined
      const shown = shares.slice(0, maxBars).map(([{ title }, share]) => ({ axis: title, share }))
      const left = shares.length - shown.length
      return {
        ...frame('Which axis matters', [
          [
            `${formatCount(settings.length, 'setting')}, the best tenth against all`,
            ...(left === 0 ? [] : [`the ${left} least of ${shares.length} axes left out`]),
          ].join(' · '),
        ]),
        width: size.width,
        height: Math.max(60, shown.length * 30),
        data: { values: shown },
        encoding: {
          y: {
            field: 'axis',
            type: 'nominal',
            title: null,
            sort: null,
            axis: { labelLimit: 220, labelOverlap: false },
          },
          x: {
            field: 'share',
            type: 'quantitative',
            title: 'importance',
            axis: { format: '.0%' },
            scale: { domain: [0, Math.min(1, 1.12 * shown[0]!.share)], nice: false },
          },
        },
        layer: [
          { mark: { type: 'bar', color: palette[0], height: { band: 0.6 } } },
          {
            mark: { type: 'text', align: 'left', dx: 4, fontSize: 12 },
            encoding: { text: { field: 'share', type: 'quantitative', format: '.0%' } },
          },
        ],
      }
    },
  }
}
