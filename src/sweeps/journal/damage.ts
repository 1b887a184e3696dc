import { formatCount } from '../../core/format.js'
import type { JournalDamage } from './journal.js'

/** More places than this help nobody. */
const maxPlaces = 10

/** Damage of a whole journal as one sentence, however many lines it concerns. */
export class DamageTally {
  /** Lines from which nothing was read. */
  unreadable = 0
  /** Lines that held several events, or one among other bytes. */
  runTogether = 0
  readonly #reasons = new Set<string>()
  /** Lines that follow each other. */
  readonly #places: { from: number; to: number }[] = []

  readonly add = ({ line, reason, events }: JournalDamage): void => {
    if (events > 0) this.runTogether++
    else {
      this.unreadable++
      this.#reasons.add(reason)
    }
    const last = this.#places.at(-1)
    if (last !== undefined && line <= last.to + 1) last.to = line
    else if (this.#places.length <= maxPlaces) this.#places.push({ from: line, to: line })
  }

  get lines(): number {
    return this.unreadable + this.runTogether
  }

  /** Such as `3 lines can't be read (lines 2, 5–6: no checksum)`; empty without damage. */
  toString(): string {
    if (this.lines === 0) return ''
    const places = this.#places.slice(0, maxPlaces).map(({ from, to }) => (from === to ? `${from}` : `${from}–${to}`))
    const where = `line${this.lines === 1 ? '' : 's'} ${places.join(', ')}${this.#places.length > maxPlaces ? ' …' : ''}`
    const told = [
      ...(this.unreadable > 0 ? [`${count(this.unreadable)} can't be read`] : []),
      ...(this.runTogether > 0
        ? [`${count(this.runTogether)} lost line ends and ${this.runTogether === 1 ? 'is' : 'are'} read`]
        : []),
    ]
    const reasons = this.#reasons.size === 0 ? '' : `: ${[...this.#reasons].slice(0, 3).join(', ')}`
    return `${told.join(', ')} (${where}${reasons})`
  }
}

const count = (lines: number): string => formatCount(lines, 'line')
