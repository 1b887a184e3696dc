import { describe, expect, it, onTestFinished } from 'vitest'
import { Random } from '../../../src/core/seed.js'
import { MlflowClient } from '../../../src/tracking/mlflow/rest/client.js'
import { mlflowSettings } from '../../../src/tracking/mlflow/rest/settings.js'
import { temporaryFolder } from '../../helpers/cli.js'
import { faults, openFaultProxy } from '../../helpers/fault-proxy.js'
import { hasMlflow, readWithPython, startMlflow } from '../../helpers/mlflow.js'
import { openTracker, story } from '../../helpers/open-tracker.js'
import { eventfulJournal, expectEqual, type Entry } from '../../helpers/told-by-journal.js'

const seeds = Array.from({ length: 20 }, (_, i) => i + 1)

describe.skipIf(!hasMlflow)('a sweep that is told while it runs', () => {
  it.each(seeds)(
    'equals its journal in the end, by itself, after two kill -9 of the server and faults in 30 % of requests (seed %i)',
    async (seed) => {
      const random = new Random(seed, 'kills and faults')
      const { entries } = eventfulJournal()
      let current = await startMlflow()
      onTestFinished(() => current.close())
      const kills = [5 + random.below(15), 30 + random.below(20)]
      const killings: Promise<void>[] = []
      const restart = async (): Promise<void> => {
        await current.kill()
        current = await startMlflow({ folder: current.folder })
      }
      let requests = 0
      const proxy = await openFaultProxy(
        () => current.url,
        () => {
          if (++requests === kills[killings.length]) killings.push(restart())
          return random.uniform() < 0.3 ? faults[random.below(faults.length)]! : 'none'
        },
      )
      onTestFinished(() => proxy.close())
      const told: Entry[] = []
      const giveUp = new AbortController()
      const env = { MLDS_TRACKING_BACKOFF_MS: '100' }
      const { tracker, info } = openTracker(proxy.url, `killed-${seed}`, temporaryFolder(), [], {
        client: new MlflowClient(mlflowSettings(proxy.url, env), giveUp.signal),
        // Far longer than it takes: this machine's speed is not what is tested.
        patience: { answeredMs: 900_000, silentMs: 900_000, giveUp },
        history: () => told,
      })
      await tracker.open(info)
      for (const { event, offset } of entries) {
        told.push({ event, offset })
        await tracker.record(event, offset)
        await new Promise((resolve) => setImmediate(resolve))
      }
      await tracker.finish(story)
      await tracker.close()
      await Promise.all(killings)
      expect(killings).toHaveLength(2)
      expectEqual(readWithPython(current.url, `killed-${seed}`), entries)
    },
  )
})
