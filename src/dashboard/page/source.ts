import { frozenSource } from './frozen-source.js'
import { liveSource } from './live-source.js'
import type { Source } from './source-type.js'

const held = document.getElementById('frozen')?.textContent

/** Where this page has what it shows from. */
export const source: Source = held === undefined || held === null ? liveSource() : frozenSource(held)
