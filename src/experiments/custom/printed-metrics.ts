import { quoteInput } from '../../core/quote-input.js'
import { stripVTControlCharacters } from 'node:util'
import { NameCheck } from '../../core/names.js'
import { printableLine } from '../../core/printable.js'
import type { Metrics } from '../../core/trial.js'
import { linearPattern } from './linear-pattern.js'
import { readJson, readJsonLine, readNamed, readPairs, type Reading } from './metric-lines.js'

/** Of an object over several lines; what is longer is none. */
const maxObjectCharacters = 1 << 20
/** Lines that a pattern is held against; longer ones are none of a person's. */
const maxPatternLine = 10_000
const maxNotes = 20
/** Of what a program printed, told where nothing of it was understood. */
const lastLines = 3
const lastLineCharacters = 160

/** Without colours and cursor moves, which loggers and progress bars print around names and numbers. */
const asSeen = (line: string): string =>
  line.includes('\x1b') && line.length <= maxObjectCharacters ? stripVTControlCharacters(line) : line

/** What one stream has told so far. */
interface Told {
  readonly result: Map<string, number>
  /** Pairs without a step. */
  readonly loose: Map<string, number>
  readonly lastSteps: Map<string, number>
  hasJson: boolean
}

/** Where what a program prints goes. */
export interface Sinks {
  /** A line that tells no metrics, or what was left out of one that does. */
  readonly log: (line: string) => void
  /** Rejects when the trial is to end. */
  readonly report: (step: number, metrics: Metrics) => Promise<void>
}

/**
 * What a program tells of its metrics, by lines of its output streams. A line with a step is a report, any other part of the
 * result, of which the last value of each name counts. With `parse`, patterns with named groups, nothing but these is read.
 * Else pairs are read until the stream's first JSON, and pairs without a step count only where no JSON comes: a program that
 * prints JSON means that. Which stream is read first is a matter of chance, so no stream changes what another's lines mean.
 */
export class PrintedMetrics {
  readonly #patterns: readonly RegExp[]
  readonly #names = new NameCheck('metric')
  readonly #told: Told[] = []
  readonly #notes = new Set<string>()
  readonly #last: string[] = []

  constructor(
    private readonly sinks: Sinks,
    private readonly isParameter: (name: string) => boolean,
    parse: readonly string[] = [],
  ) {
    this.#patterns = parse.map(linearPattern)
  }

  /** One output stream: takes its lines in turn. Where two tell the same of the result, the one made later counts. */
  stream(): { readonly take: (line: string) => Promise<void>; readonly end: () => void } {
    const told = this.#begin()
    let gathered: string[] | undefined
    let characters = 0
    const giveUp = (): void => {
      gathered?.forEach((line) => this.unread(line))
      gathered = undefined
    }
    const take = async (line: string): Promise<void> => {
      const seen = asSeen(line)
      this.#remember(seen)
      if (this.#patterns.length === 0 && seen.trimEnd() === '{') {
        giveUp()
        gathered = [line]
        characters = 0
      } else if (gathered === undefined) await this.#line(line, seen, told)
      else {
        gathered.push(line)
        characters += line.length
        if (characters > maxObjectCharacters) giveUp()
        else if (seen.trimEnd() === '}') {
          const object = readJson(gathered.map(asSeen).join('\n'))
          if (object === undefined) return giveUp()
          gathered = undefined
          await this.#json(object, told)
        }
      }
    }
    return { take, end: giveUp }
  }

  /** What a file of metrics tells, which counts before what is printed. */
  async file(readings: readonly Reading[]): Promise<void> {
    const told = this.#begin()
    for (const reading of readings) await this.#json(reading, told)
  }

  /** The final metrics; none where nothing was understood. */
  result(): Metrics {
    const hasJson = this.#told.some((told) => told.hasJson)
    return Object.fromEntries(this.#told.flatMap(({ loose, result }) => [...(hasJson ? [] : loose), ...result]))
  }

  #begin(): Told {
    const told: Told = { result: new Map(), loose: new Map(), lastSteps: new Map(), hasJson: false }
    this.#told.push(told)
    return told
  }

  async #json(reading: Reading, told: Told): Promise<void> {
    told.hasJson = true
    await this.#tell(reading, told, told.result)
  }

  /** The end of what it printed, as the end of a sentence. */
  lastWords(): string {
    if (this.#last.length === 0) return 'it printed nothing'
    return `it ended with ${this.#last.map((line) => JSON.stringify(printableLine(line.slice(0, lastLineCharacters)))).join(', ')}`
  }

  /** @param seen The line as a terminal shows it; the log keeps it as it was printed. */
  async #line(line: string, seen: string, told: Told): Promise<void> {
    if (this.#patterns.length > 0) {
      const named = seen.length > maxPatternLine ? undefined : this.#byPattern(seen)
      return named === undefined ? this.unread(line) : await this.#tell(named, told, told.result)
    }
    const json = readJsonLine(seen)
    if (json !== undefined) return await this.#json(json, told)
    const pairs = told.hasJson ? undefined : readPairs(seen, this.isParameter)
    this.unread(line)
    if (pairs !== undefined) await this.#tell(pairs, told, pairs.step === undefined ? told.loose : told.result)
  }

  #byPattern(line: string): Reading | undefined {
    for (const pattern of this.#patterns) {
      const groups = pattern.exec(line)?.groups
      if (groups === undefined) continue
      const texts = Object.entries(groups).filter(([, text]) => text !== undefined)
      const reading = readNamed(texts)
      if (reading !== undefined) return reading
    }
    return undefined
  }

  async #tell({ step, metrics, leftOut }: Reading, { lastSteps }: Told, into: Map<string, number>): Promise<void> {
    for (const [name, value] of leftOut) this.#note(name, `${name}: ${quoteInput(value)} is not a number`)
    const problem = this.#problem(step, metrics, lastSteps)
    if (problem !== undefined) return this.#note(problem.key, `a line: ${problem.what}`)
    for (const [name, value] of metrics) into.set(name, value)
    if (step === undefined) return
    for (const [name] of metrics) lastSteps.set(name, step)
    await this.sinks.report(step, Object.fromEntries(metrics))
  }

  /** Why a line can't count, which costs the line and not the trial. */
  #problem(
    step: number | undefined,
    metrics: Reading['metrics'],
    lastSteps: Told['lastSteps'],
  ): { key: string; what: string } | undefined {
    if (step !== undefined && !Number.isSafeInteger(step))
      return { key: 'a broken step', what: `its step is not a whole number: ${step}` }
    const later = metrics.find(([name]) => step !== undefined && step < (lastSteps.get(name) ?? step))
    if (later !== undefined)
      return { key: 'an earlier step', what: `its step ${step} is before ${lastSteps.get(later[0])}, the last` }
    try {
      this.#names.add(metrics.map(([name]) => name))
    } catch (error) {
      return { key: (error as Error).message, what: (error as Error).message }
    }
    return undefined
  }

  /** Tells once of each kind what is left out. */
  #note(kind: string, what: string): void {
    if (this.#notes.has(kind) || this.#notes.size > maxNotes) return
    this.#notes.add(kind)
    const isLast = this.#notes.size > maxNotes
    this.sinks.log(isLast ? 'more is left out, and not told' : `left out from here on: ${what.slice(0, 300)}`)
  }

  /** A line that tells no metrics: it goes to the log. */
  unread(line: string): void {
    this.sinks.log(line)
  }

  #remember(line: string): void {
    if (line.trim() === '') return
    this.#last.push(line.slice(0, lastLineCharacters))
    if (this.#last.length > lastLines) this.#last.shift()
  }
}
