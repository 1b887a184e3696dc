import type { Outcome } from './trial.js'

/** As a program ends that a system has asked to end, by a signal or with the exit code that shells give it then. */
const asked = /^the program ended (?:by SIG(?:TERM|HUP|INT)|with exit code (?:129|130|143))\b/

/**
 * Whether a trial failed since its program was told to end from outside. Where mlds itself was told to go at that time (by
 * `scancel`, or systemd), that is no failure: the trial runs again elsewhere or later.
 */
export const wasToldToGo = (outcome: Outcome): boolean =>
  outcome.state === 'failed' && isToldToGo(outcome.error.message)

/** The same of what is said of the program's end. */
export const isToldToGo = (message: string): boolean => asked.test(message)

/** How much later than its program mlds may get the signal by which both were told. */
export const toldTogetherMs = 500
