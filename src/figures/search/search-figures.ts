import { hasFront } from '../../core/objective.js'
import type { FigureDefinition } from '../figure.js'
import { bestSoFar } from './best-so-far.js'
import { hypervolumeSoFar, paretoFronts } from './fronts.js'
import { importanceBars } from './importances.js'
import { parallelCoordinates } from './parallel-coordinates.js'
import type { Searched } from './settings.js'
import { pairs, slices } from './slices.js'

/** The figures of a search that learns, in the order in which a reader asks: what it found, when, why, and where. */
export function searchFigures(searched: Searched): FigureDefinition[] {
  return [
    ...(hasFront(searched.objective) ? [paretoFronts(searched), hypervolumeSoFar(searched)] : [bestSoFar(searched)]),
    importanceBars(searched),
    slices(searched),
    pairs(searched),
    parallelCoordinates(searched),
  ]
}
