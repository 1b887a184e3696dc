import { SpaceError, SpecError, UnknownNameError } from '../../core/errors.js'
import { isSeedName, isTogether, parseSeedList, parseSeeds, seedNames } from './seeds.js'
import { located, type SweepSpec } from './spec.js'
import { expandValues } from './values.js'

/** Applies `--set axis=values` in the order given; `seed=0..4` and `seed.init=0..4` set seeds. */
export function applyOverrides(spec: SweepSpec, overrides: readonly string[]): SweepSpec {
  refuseTwice(overrides)
  return overrides.reduce((current, override) => {
    const equals = override.indexOf('=')
    if (equals <= 0)
      throw new SpecError(`--set ${override}`, 'not of the form axis=values (such as --set width=8,32,128)')
    const name = override.slice(0, equals).trim()
    const raw = override.slice(equals + 1)
    const { language = 1, own } = current
    return located(`--set ${override}`, () => {
      if (name === 'seed' || name === 'seeds') return { ...current, seeds: parseSeeds(raw, language) }
      if (name.startsWith('seed.')) {
        const seedName = name.slice('seed.'.length)
        if (!isSeedName(seedName)) throw new UnknownNameError('seed', seedName, seedNames)
        const apart = current.seeds === undefined || isTogether(current.seeds) ? {} : current.seeds
        return { ...current, seeds: { ...apart, [seedName]: parseSeedList(raw, language) } }
      }
      const zipped = current.zip?.find((group) => Object.hasOwn(group, name))
      if (zipped !== undefined)
        throw new SpaceError(
          `${name} is zipped with ${Object.keys(zipped)
            .filter((other) => other !== name)
            .join(', ')}: one of them can't be set alone (change the file)`,
        )
      const holder = settingsWith(current, name)
      if (holder !== undefined)
        throw new SpaceError(`${name} has its values in ${holder}: it can't be set alone (change the file)`)
      // A value given by hand takes an axis out of a search, and one that is derived from its expression.
      const { [name]: _, ...searched } = current.search?.axes ?? {}
      const { [name]: _expression, ...derived } = current.derived ?? {}
      const search = current.search === undefined ? {} : { search: { ...current.search, axes: searched } }
      const values = expandValues(name, raw, { language, isLiteral: own?.kind === 'command' })
      return {
        ...current,
        ...search,
        ...(current.derived === undefined ? {} : { derived }),
        axes: { ...current.axes, [name]: values },
      }
    })
  }, spec)
}

/** What of a spec gives this axis values that belong to others', if anything does. */
function settingsWith({ points = [], around, blocks = [] }: SweepSpec, name: string): string | undefined {
  if (points.some((row) => Object.hasOwn(row, name))) return 'points'
  if (around !== undefined && [around.baseline, around.vary].some((part) => Object.hasOwn(part, name))) return 'around'
  const isInBlock = blocks.some(
    (block) =>
      [block.axes, block.derived ?? {}, ...(block.zip ?? []), ...(block.points ?? [])].some((part) =>
        Object.hasOwn(part, name),
      ) ||
      (block.around !== undefined && settingsWith({ around: block.around } as SweepSpec, name) !== undefined),
  )
  return isInBlock ? 'blocks' : undefined
}

/** Two sets of values for one axis, in two flags or in one (`x=1,x=2`): neither is what a person can have meant without the other. */
function refuseTwice(overrides: readonly string[]): void {
  const first = new Map<string, string>()
  for (const override of overrides) {
    const [axis, ...values] = override.split('=')
    const name = axis!.trim() === 'seeds' ? 'seed' : axis!.trim()
    const before = first.get(name)
    if (before !== undefined)
      throw new SpecError(`--set ${before} --set ${override}`, `both set ${name}`, {
        hint: `all its values in one: --set ${before},${values.join('=')}`,
      })
    if (
      values
        .join('=')
        .split(',')
        .some((part) => part.trim().startsWith(`${axis!.trim()}=`))
    )
      throw new SpecError(`--set ${override}`, `it sets ${axis!.trim()} twice`, {
        hint: `all its values in one: --set ${axis}=${values.join('=').replaceAll(`${axis!.trim()}=`, '')}`,
      })
    first.set(name, override)
  }
}
