import type { Params, ParamValue } from '../../core/trial.js'

/** Every setting of these axes, for a profile that crosses some of them and not others. */
export const crossed = (axes: Readonly<Record<string, readonly ParamValue[]>>): Params[] =>
  Object.entries(axes).reduce<Params[]>(
    (settings, [axis, values]) => settings.flatMap((setting) => values.map((value) => ({ ...setting, [axis]: value }))),
    [{}],
  )
