import { describe, expect, it } from 'vitest'
import type { Where } from '../../../src/app/backends/open-backend.js'
import type { NatsTarget } from '../../../src/app/backends/nats-target.js'
import { limitsFrom, whereFrom } from '../../../src/terminal/flags/run-flags.js'

const metadata = (isDefault: boolean) => ({ flags: { workers: { setFromDefault: isDefault } } })
const flags = { tenant: 'mlds', workers: 8 }
const server: NatsTarget = { nats: 'nats://there', tenant: 'ours' }

describe('where a sweep runs', () => {
  it.each<[string, { nats?: string; typed: boolean; remembered?: NatsTarget }, Where]>([
    ['on threads where no flag says otherwise', { typed: false }, { threads: 8 }],
    ['on as many threads as --workers says', { typed: true }, { threads: 8 }],
    [
      'on the server of --nats alone',
      { nats: 'nats://here', typed: false },
      { nats: 'nats://here', tenant: 'mlds', threads: 0 },
    ],
    [
      'on the server of --nats and the threads of --workers',
      { nats: 'nats://here', typed: true },
      { nats: 'nats://here', tenant: 'mlds', threads: 8 },
    ],
    ['on the server that it last ran on', { typed: false, remembered: server }, { ...server, threads: 0 }],
    [
      'on threads where --workers alone asks for them, wherever it last ran',
      { typed: true, remembered: server },
      { threads: 8 },
    ],
    [
      'on the server of --nats, wherever it last ran',
      { nats: 'nats://here', typed: false, remembered: server },
      { nats: 'nats://here', tenant: 'mlds', threads: 0 },
    ],
  ])('is %s', (_, { nats, typed, remembered }, where) => {
    expect(whereFrom({ ...flags, nats }, metadata(!typed), remembered)).toEqual(where)
  })

  it('is not on threads that would end with a process that leaves', () => {
    expect(() => whereFrom({ ...flags, nats: 'nats://here', detach: true }, metadata(false))).toThrow(
      '--detach: --workers 8 would end with this process (leave it out)',
    )
    expect(whereFrom({ ...flags, nats: 'nats://here', detach: true }, metadata(true))).toMatchObject({ threads: 0 })
  })
})

describe('the limits of a sweep', () => {
  const rest = { retries: 2, 'failing-alike': 0 }
  it.each([
    ['none without a flag', { 'fail-fast': false }, Infinity],
    ['what --max-failures says', { 'fail-fast': false, 'max-failures': 4 }, 4],
    ['one failure with --fail-fast, whatever --max-failures says', { 'fail-fast': true, 'max-failures': 4 }, 1],
  ])('are %s', (_, given, maxFailures) => {
    expect(limitsFrom({ ...rest, ...given })).toEqual({ maxFailures, retries: 2, failingAlike: 0 })
  })
})
