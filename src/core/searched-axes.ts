import { isMapping } from './is-mapping.js'

/** What trials call an axis that is written with the stage that it is of. */
export function axisNamed(written: string, stages: readonly { readonly name: string }[]): string {
  const dot = written.indexOf('.')
  return dot > 0 && stages.some(({ name }) => name === written.slice(0, dot)) ? written.slice(dot + 1) : written
}

/** Axes that a plan's search draws evenly in their logarithm; the plan may come from elsewhere. */
export function logarithmicAxes(
  search: { readonly axes: unknown } | undefined,
  stages: readonly { readonly name: string }[],
): ReadonlySet<string> {
  const axes = Object.entries(isMapping(search?.axes) ? search.axes : {})
  return new Set(
    axes.flatMap(([written, axis]) =>
      isMapping(axis) && typeof axis['kind'] === 'string' && axis['kind'].startsWith('log')
        ? [axisNamed(written, stages)]
        : [],
    ),
  )
}
