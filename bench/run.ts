import { benchAdopt } from './adopt.js'
import { benchCoverage } from './coverage.js'
import { benchDashboard } from './dashboard.js'
import { benchEngine } from './engine.js'
import { benchExperiments } from './experiments.js'
import { benchFleet } from './fleet.js'
import { benchLargeSweep } from './large-sweep.js'
import { benchOverhead } from './overhead.js'
import { benchRemote } from './remote.js'
import { benchScale } from './scale.js'
import { benchScheduling } from './scheduling.js'
import { benchSearch } from './search.js'
import { benchSearchIdle } from './search-idle.js'
import { benchSearchParams } from './search-params.js'
import { benchSearchQuality } from './search-quality.js'
import { benchSequential } from './sequential.js'
import { benchShell } from './shell.js'
import { benchSweep } from './sweep.js'
import { benchRebuild, benchTrackedSweep } from './tracked-sweep.js'
import { benchLargeTracked } from './tracked-large.js'
import { benchTracking } from './tracking.js'

/**
 * `npm run bench` measures overhead, scheduling, shell, engine and sweep; `npm run bench engine m1`, `npm run bench shell`,
 * `npm run bench experiments interpolate`, `npm run bench tracking`, `npm run bench remote`, `fleet`, `scale`, `large` a part,
 * `npm run bench large 316` with 316² trials; `npm run bench adopt 50000` how long another host takes to take over a sweep;
 * `npm run bench dashboard` the dashboard in Chromium, `npm run bench dashboard open`, `report`, `peers`, `cost`, `stream 1` a part;
 * `npm run bench coverage` how often the claims' 95 % intervals hold the truth, `npm run bench coverage 2000` in fewer rounds;
 * `npm run bench search-idle` how long workers of a search wait for results, by `parallel`;
 * `npm run bench search` how long samplers take to suggest, and
 * `npm run bench search-quality FILE tables random tpe optuna-tpe` how near samplers come to the best, beside Optuna's,
 * `workers=8` with so many trials at once,
 * `npm run bench search-quality FILE cuts from=1000 seeds=20 tpe gp` on functions whose axes have few values, and `npm run bench search-params FOLDER` the same of `params` against a grid;
 * `npm run bench sequential` how often chance decides claims that are looked at after each seed, and how many seeds effects take;
 * `npm run bench tracking rate`, `sweep` or `rebuild` a part of that; `npm run bench tracking large 10000` what a large sweep takes.
 */
const [what, ...only] = process.argv.slice(2)
if (what === undefined || what === 'overhead') await benchOverhead()
if (what === undefined || what === 'scheduling') await benchScheduling()
if (what === undefined || what === 'shell') await benchShell()
if (what === undefined || what === 'engine') await benchEngine(only)
if (what === undefined || what === 'sweep') await benchSweep()
if (what === 'remote') await benchRemote()
if (what === 'dashboard') await benchDashboard(only)
if (what === 'adopt') await benchAdopt(...only.map(Number))
if (what === 'fleet') await benchFleet()
if (what === 'scale') await benchScale()
if (what === 'large') await benchLargeSweep(...only.map(Number))
if (what === 'tracking') {
  const parts = { rate: benchTracking, sweep: benchTrackedSweep, rebuild: benchRebuild }
  for (const [name, bench] of Object.entries(parts)) if (only.length === 0 || only.includes(name)) await bench()
  if (only[0] === 'large') await benchLargeTracked(...only.slice(1).map(Number))
}
if (what === 'experiments') await benchExperiments(only)
if (what === 'sequential') benchSequential(...only.map(Number))
if (what === 'coverage') benchCoverage(...only.map(Number))
if (what === 'search-quality') await benchSearchQuality(only)
if (what === 'search-params') await benchSearchParams(only)
if (what === 'search') await benchSearch()
if (what === 'search-idle') benchSearchIdle()
