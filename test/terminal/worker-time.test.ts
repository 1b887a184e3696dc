import { expect, it } from 'vitest'
import { timeForTrialsMs } from '../../src/terminal/worker-time.js'

const given = (limit: string | undefined, env: NodeJS.ProcessEnv = {}) =>
  timeForTrialsMs({ limit, graceMs: 20_000, env, nowMs: 0, upMs: 1_500 })

it('has the worker begin to leave so early that it is gone when its time is up', async () => {
  expect(await given(undefined)).toBeUndefined()
  // What it took to start is gone too; a job's end stays where it is.
  expect(await given('2h')).toBe(7_200_000 - 30_000 - 1_500)
  expect(await given('auto', { SLURM_JOB_END_TIME: '3600' })).toBe(3_600_000 - 30_000)
})

it('refuses a time that leaves none for trials, and what is no time', async () => {
  await expect(given('30s')).rejects.toThrow('--time-limit: 30.0 s are too short')
  await expect(given('auto', { SLURM_JOB_END_TIME: '12' })).rejects.toThrow('12.0 s are too short')
  await expect(given('2')).rejects.toThrow('--time-limit: 2 is not a time (such as 90s, 12h or 7d, or auto)')
})

it('never waits for longer than a timer can', async () => {
  expect(await given('9999d')).toBeLessThan(2 ** 31)
})
