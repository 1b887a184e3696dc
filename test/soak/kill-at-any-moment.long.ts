import { it } from 'vitest'
import { killAtAnyMoment } from '../helpers/kill-at-any-moment.js'

it('loses nothing to kill -9 at any of forty moments: planned = finished = unique, and the same numbers', () =>
  killAtAnyMoment(40))
