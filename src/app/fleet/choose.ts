import { MldsError, UnknownNameError } from '../../core/errors.js'
import { fleetNames } from '../../fleet/state.js'

/**
 * The fleet of that name, or the only one; none where none is.
 * @throws UnknownNameError when it is not there; MldsError when several may be meant.
 */
export function chooseFleets(folder: string, wanted: string | undefined): string[] {
  const there = fleetNames(folder)
  if (wanted !== undefined) {
    if (!there.includes(wanted)) throw new UnknownNameError('fleet', wanted, there)
    return [wanted]
  }
  if (there.length > 1)
    throw new MldsError('USAGE', `several fleets are there: ${there.join(', ')}`, { hint: 'name one' })
  return there
}
