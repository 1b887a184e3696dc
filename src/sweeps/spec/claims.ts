import { quoteInput } from '../../core/quote-input.js'
import { isMapping } from '../../core/is-mapping.js'
import { SpaceError, UnknownNameError, writtenAt, type SpecPath } from '../../core/errors.js'
import type { WrittenClaim, WrittenSetting } from '../../core/written-claim.js'
import { expandValues, type Reading } from './values.js'

/** What a claim may say. */
export const claimKeys = ['says', 'metric', 'of', 'compare', 'trend', 'scale', 'above', 'below', 'within'] as const

export const claimIdPattern = /^[a-zA-Z0-9][a-zA-Z0-9_-]{0,59}$/
const maxClaims = 100
const maxWords = 300
const example = 'such as {compare: [{width: 64}, {width: 8}], below: 0}'

type Mapping = Readonly<Record<string, unknown>>

/** Reads `claims:`, a mapping of ids to claims. @throws SpaceError, UnknownNameError, with the path from there. */
export function parseClaims(raw: unknown, reading: Reading): WrittenClaim[] {
  if (!isMapping(raw)) throw new SpaceError(`claims: ${quoteInput(raw)} is not a mapping of names to claims`)
  const entries = Object.entries(raw)
  if (entries.length > maxClaims) throw new SpaceError(`claims: ${entries.length} claims (at most ${maxClaims})`)
  return entries.map(([id, claim]) => parseClaim(id, claim, reading))
}

function parseClaim(id: string, raw: unknown, reading: Reading): WrittenClaim {
  const at = <T>(path: SpecPath, read: () => T): T => writtenAt([id, ...path], read)
  const refuse = (path: SpecPath, problem: string): never =>
    at(path, () => {
      throw new SpaceError(`claims: ${[id, ...path.filter((step) => typeof step === 'string')].join(': ')}: ${problem}`)
    })
  if (!claimIdPattern.test(id)) refuse([], 'not a name (letters, digits, - and _, at most 60)')
  if (!isMapping(raw)) return refuse([], `${quoteInput(raw)} is not a claim (${example})`)
  for (const key of Object.keys(raw))
    if (!(claimKeys as readonly string[]).includes(key))
      at([key], () => {
        throw new UnknownNameError('key of a claim', key, claimKeys)
      })
  const { says, metric, of, compare, trend, scale = 'linear' } = raw
  for (const [key, value] of Object.entries({ says, metric, trend }))
    if (value !== undefined && (typeof value !== 'string' || value === '' || value.length > maxWords))
      refuse([key], `${quoteInput(value)} is not a text of 1 to ${maxWords} characters`)
  if (scale !== 'linear' && scale !== 'log')
    at(['scale'], () => {
      throw new UnknownNameError('scale', JSON.stringify(scale), ['linear', 'log'])
    })
  if (compare !== undefined && trend !== undefined)
    refuse(['trend'], 'a claim has a trend or a comparison (make it two)')
  if (trend !== undefined && scale === 'log')
    refuse(['scale'], 'a trend is a rank correlation, which has no scale (leave it out)')
  const setting = (value: unknown, path: SpecPath): WrittenSetting => {
    if (!isMapping(value) || Object.keys(value).length === 0)
      return refuse(path, `${quoteInput(value)} is not a setting (such as {width: 64})`)
    const axes = Object.entries(value).map(
      ([axis, values]) => [axis, at([...path, axis], () => expandValues(axis, values, reading))] as const,
    )
    return Object.fromEntries(axes)
  }
  if (compare !== undefined && !(Array.isArray(compare) && compare.length === 2))
    refuse(['compare'], `${quoteInput(compare)} is not a list of two settings (${example})`)
  const pair = compare as readonly [unknown, unknown] | undefined
  return {
    id,
    ...(says === undefined ? {} : { says: says as string }),
    ...(metric === undefined ? {} : { metric: metric as string }),
    ...(of === undefined ? {} : { of: setting(of, ['of']) }),
    ...(pair === undefined ? {} : { compare: [setting(pair[0], ['compare', 0]), setting(pair[1], ['compare', 1])] }),
    ...(trend === undefined ? {} : { trend: trend as string }),
    scale: scale as 'linear' | 'log',
    ...boundsOf(raw, refuse),
  }
}

/** Between which numbers the claim wants the truth; `within` is a margin to both sides of no difference. */
function boundsOf(
  { compare, trend, scale, above, below, within }: Mapping,
  refuse: (path: SpecPath, problem: string) => never,
): { above?: number; below?: number } {
  const isLog = scale === 'log'
  for (const [key, value] of Object.entries({ above, below, within })) {
    if (value === undefined) continue
    if (typeof value !== 'number') refuse([key], `${quoteInput(value)} is not a number`)
    if (!Number.isFinite(value)) refuse([key], `${value} is not a ${Number.isNaN(value) ? '' : 'finite '}number`)
    if (isLog && value <= 0) refuse([key], `${String(value)} is not above 0, as all is on a logarithmic scale`)
    if (trend !== undefined && Math.abs(value) >= 1)
      refuse([key], `${String(value)} is no bound of a rank correlation (between -1 and 1)`)
  }
  const [low, high, margin] = [above, below, within] as readonly (number | undefined)[]
  if (margin !== undefined) {
    if (compare === undefined)
      refuse(['within'], 'only a comparison is within a margin (for others give above and below)')
    if (low !== undefined || high !== undefined) refuse(['within'], 'stands beside above or below (keep one)')
    if (margin <= (isLog ? 1 : 0))
      refuse(['within'], `${margin} is no margin (a ${isLog ? 'ratio above 1, such as 1.1' : 'difference above 0'})`)
    return isLog ? { above: 1 / margin, below: margin } : { above: -margin, below: margin }
  }
  if (low === undefined && high === undefined) refuse([], `claims nothing: give above, below or within (${example})`)
  if (low !== undefined && high !== undefined && low >= high)
    refuse(['above'], `${low} is not less than below, ${high}`)
  return { ...(low === undefined ? {} : { above: low }), ...(high === undefined ? {} : { below: high }) }
}
