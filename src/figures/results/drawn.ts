import type { FigureScale } from '../../core/written-figure.js'
import type { Layout } from './lay-out.js'
import type { Told } from './looks.js'
import type { Spread } from './settings.js'

export interface ResultsOptions {
  readonly name: string
  readonly caption: string
  /** An axis, or else a final metric. */
  readonly x: string
  /** A final metric. Default: the objective where a trial has it, else the first that one has. */
  readonly y?: string
  readonly objective: string
  /** The stage whose trials are drawn. Default: the first of which a trial has `y`, and `x` where that is a metric. */
  readonly stage?: string
  /** Axes told by colour and by panels. Default: as `layOut` chooses. */
  readonly colour?: string
  readonly panel?: string
  /** Whether lines join settings that differ in x alone. Default: where most of them have several points. */
  readonly joined?: boolean
  /** Default: logarithmic where the axis is searched or spaced so, and for a metric above 0 that spans twentyfold. */
  readonly scale?: { readonly x?: FigureScale; readonly y?: FigureScale }
  /** Nothing is drawn of an axis with one value. Default: it is. */
  readonly mustVary?: boolean
}

/** A mark: one setting, its mean over seeds. */
export interface Row extends Told {
  readonly x: number | string
  readonly mean: number
  /** The ends of the band or bar; missing of a single seed. */
  readonly low?: number
  readonly high?: number
  readonly seeds: number
}

/** A figure's parts, before they are marks and scales. */
export interface Results {
  readonly options: ResultsOptions
  readonly metric: string
  readonly layout: Layout
  readonly rows: readonly Row[]
  /** Of a single line, each seed's own value. */
  readonly seeds: readonly { readonly x: number | string; readonly value: number }[]
  readonly joined: boolean
  readonly spread: Spread | undefined
  readonly scales: { readonly x: FigureScale; readonly y: FigureScale }
  /** Of an x axis of names: all of them, in order. */
  readonly categories?: readonly string[]
}
