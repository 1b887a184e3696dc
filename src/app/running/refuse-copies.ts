import { MldsError } from '../../core/errors.js'
import type { SweepSpec } from '../../sweeps/spec/spec.js'

/** @throws MldsError where what a sweep decides could depend on copies of trials, or none could run. */
export function refuseCopies({ scheduler = [], search, own }: SweepSpec, copies: number): void {
  if (copies === 0) return
  const refuse = (why: string): never => {
    throw new MldsError('USAGE', `copies: ${copies} is not possible here: ${why} (leave it out)`)
  }
  if (scheduler.length > 0) refuse(`the rule ${scheduler[0]!.rule} judges by what ran first, which copies would change`)
  if (search !== undefined) refuse('a search goes by what ran first, which copies would change')
  if (own?.kind === 'program') refuse('an object of a program runs on one thread')
}
