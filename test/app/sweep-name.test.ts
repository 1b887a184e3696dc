import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { freezePlan } from '../../src/app/planning/freeze-plan.js'
import { planTarget } from '../../src/app/planning/plan.js'
import { openStore } from '../../src/system/store.js'
import { temporaryFolder } from '../helpers/cli.js'

it('calls a sweep after its file, and one of another plan of it after its plan too, unless the first is to grow', async () => {
  const folder = temporaryFolder()
  const store = openStore(join(folder, 'store'))
  const run = async (values: string, flags: { extend?: boolean; nats?: string } = {}, file = 'my sweep.v2.yaml') => {
    writeFileSync(join(folder, file), `experiment: { command: 'echo loss={x}' }\naxes: { x: ${values} }\n`)
    const { plan, experiment, beside } = await planTarget(join(folder, file), { set: [], ...flags }, store)
    const { sweep } = await freezePlan(store, plan, experiment, flags)
    return beside === undefined ? sweep.id : `${sweep.id} beside ${beside}`
  }
  expect(await run('[1, 2]')).toBe('my-sweep.v2')
  expect(await run('[2, 1]')).toBe('my-sweep.v2')
  expect(await run('[1, 3]')).toMatch(/^my-sweep\.v2-[0-9a-f]{8} beside my-sweep\.v2$/)
  expect(await run('[1, 3]')).toMatch(/^my-sweep\.v2-[0-9a-f]{8}$/)
  expect(await run('[1, 3]', { extend: true })).toBe('my-sweep.v2')
  expect(await run('[1]', { nats: 'nats://shared:4222' }, 'other.yaml')).toMatch(/^other-[0-9a-f]{8}$/)
  expect(await run('[1]', {}, 'latest.yaml')).toMatch(/^echo\.[0-9a-f]{8}-[0-9a-f]{8}$/)
})
