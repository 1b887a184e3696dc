import { existsSync } from 'node:fs'
import type { SweepFolder } from '../../sweeps/sweep-folder.js'

/**
 * Gives a sweep of a command its own copy of the program, unless it has one, and tells how the program differs from the copy
 * that it has. Where the sweep has no result that counts, the copy is made anew.
 * @returns whether trials run the code of now, and not a copy of before.
 */
export async function keepOwnCode(
  sweep: SweepFolder,
  hasResults: boolean,
  say: (message: string) => void,
): Promise<boolean> {
  const { own } = sweep.plan.spec
  if (own?.kind !== 'command') return true
  const { copyCode } = await import('../../experiments/custom/code-copy.js')
  const { openCustom } = await import('../../experiments/custom/custom.js')
  // A file that makes the trials' ids is another matter: with that as it is now they would be other trials.
  const mayCopy = !hasResults && (await openCustom(own)).name === sweep.plan.experiment
  if (existsSync(sweep.codeFolder) && !mayCopy) {
    await tellChanges(sweep, { consequence: 'The sweep goes on with its own copy', withNew: true }, say)
    return false
  }
  const { codeFiles } = await import('../../experiments/custom/code-files.js')
  const files = codeFiles(own.command)
  const caution = files === undefined ? undefined : await copyCode(files, sweep.codeFolder)
  if (caution !== undefined) say(caution)
  return true
}

/**
 * Tells how the program differs from the copy that a sweep of a command has; nothing where it does not. `consequence` is a
 * sentence without its full stop; `withNew` as in `describeChanges`.
 */
export async function tellChanges(
  { plan, codeFolder }: SweepFolder,
  { consequence, withNew }: { readonly consequence: string; readonly withNew: boolean },
  say: (message: string) => void,
): Promise<void> {
  const { own } = plan.spec
  if (own?.kind !== 'command') return
  const { describeChanges } = await import('../../experiments/custom/code-copy.js')
  const changes = describeChanges(own.command, codeFolder, withNew)
  if (changes !== undefined) say(`The program has changed since: ${changes}. ${consequence}.`)
}
