import { onTestFinished } from 'vitest'
import type { SimulatedClock } from '../../src/core/clock.js'

/** Lets a simulated clock jump to its next timer whenever one is set and `moving` holds, until the test ends. */
export function keepMoving(clock: SimulatedClock, moving: () => boolean = () => true): void {
  const timer = setInterval(() => {
    if (moving()) clock.advanceToNext()
  }, 1)
  onTestFinished(() => clearInterval(timer))
}
