import type { FiguresAnswer } from '../wire.js'
import type { SweepContext, View } from './context.js'
import { fill, h, notice } from './dom.js'
import { source } from './source.js'

/** What made the sweep: spec, plan, code, data, seeds and times. */
export function manifestView({ id }: SweepContext): View {
  const body = h('div')
  const element = h('section', { 'aria-label': 'Manifest' }, h('h2', {}, 'Manifest'), body)
  fill(body, notice('waiting', 'Waiting for the manifest …'))
  const fetchManifest = async (): Promise<void> => {
    try {
      const { manifest } = await source.ask<FiguresAnswer>('figures', { sweep: id })
      const rows = manifest.map(([name, value]) => h('tr', {}, h('th', { scope: 'row' }, name), h('td', {}, value)))
      fill(body, h('table', { class: 'facts' }, h('tbody', {}, rows)))
    } catch (error) {
      fill(body, notice('broken', `The manifest could not be read: ${(error as Error).message}`))
    }
  }
  void fetchManifest()
  return { element, update: () => {} }
}
