import { Flags } from '@oclif/core'
import { MldsError } from '../core/errors.js'
import type { Imported } from '../sweeps/spec/import/imported.js'

/** What the sweep runs, where the source does not say it. */
export const programFlag = Flags.string({
  description: 'the Python program that takes the parameters as --name=value',
  default: 'train.py',
  helpValue: 'FILE',
})

export const importFlags = {
  partial: Flags.boolean({ description: 'translate the rest where something has no counterpart; that is listed' }),
}

/**
 * A sweep file for standard output; what was left open in the source goes to standard error, and so does what can't be said.
 * @throws MldsError that lists what has no counterpart, unless a part of it will do.
 */
export async function printImported(
  { spec, leftOut, taken }: Imported,
  { partial }: { readonly partial: boolean },
  log: (text: string) => void,
): Promise<void> {
  if (leftOut.length > 0 && !partial)
    throw new MldsError('USAGE', `this has no counterpart in a sweep file: ${leftOut.join('; ')}`, {
      hint: 'add --partial to translate the rest: it is another sweep without these',
    })
  const { stringify } = await import('yaml')
  log(stringify(spec).trimEnd())
  for (const left of leftOut) process.stderr.write(`not translated: ${left}\n`)
  for (const each of taken) process.stderr.write(`left open: ${each}\n`)
}
