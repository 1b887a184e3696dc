import { openFrozenSource } from './frozen-source.js'
import { liveSource } from './live-source.js'
import type { Source } from './source-type.js'

/** Where this page has what it shows from; set by `openSource` before anything is shown. */
export let source: Source

export async function openSource(): Promise<void> {
  const held = document.getElementById('frozen')?.textContent
  source = held === undefined || held === null ? liveSource() : await openFrozenSource(held)
}
