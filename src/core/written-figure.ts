export const figureKinds = ['results', 'line', 'points', 'course'] as const
export type FigureKind = (typeof figureKinds)[number]
export type FigureScale = 'linear' | 'log'

/** A figure as a sweep file describes it: plain data, checked against an experiment when its sweep is planned. */
export interface WrittenFigure {
  /** `results`: final metrics, joined by lines where settings differ in x alone; `line` and `points` say which. `course`: over steps. */
  readonly kind: FigureKind
  /** The file's name without extension. Default: by what it shows. */
  readonly name?: string
  /** An axis; of points a final metric too; of a course nothing, since that is its steps. */
  readonly x?: string
  /** Metrics: one of results, up to four of a course. Default: the objective. */
  readonly y?: readonly string[]
  /** Axes that are told by colour, and by panels. Default: by what varies. */
  readonly colour?: string
  readonly panel?: string
  readonly scale?: { readonly x?: FigureScale; readonly y?: FigureScale }
}

/** What stands for all figures that a sweep has without a list of its own. */
export const allFigures = 'all'

/** The figures of a sweep, in order: a text names one that it has without this list, or is `all`. */
export type WrittenFigures = readonly (string | WrittenFigure)[]
