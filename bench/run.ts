import { benchEngine } from './engine.js'
import { benchOverhead } from './overhead.js'
import { benchSweep } from './sweep.js'
import { benchTracking } from './tracking.js'

/** `npm run bench` runs all; `npm run bench engine m1`, `npm run bench overhead`, `npm run bench sweep` a part. */
const [what, ...only] = process.argv.slice(2)
if (what === undefined || what === 'overhead') await benchOverhead()
if (what === undefined || what === 'engine') await benchEngine(only)
if (what === undefined || what === 'sweep') await benchSweep()
if (what === 'tracking') await benchTracking()
