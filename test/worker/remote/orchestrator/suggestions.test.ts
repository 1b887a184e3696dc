import { describe, expect, it } from 'vitest'
import { sweepToken } from '../../../../src/worker/remote/wire/names.js'
import { encode, protocolVersion } from '../../../../src/worker/remote/wire/protocol.js'
import type { KeptSuggestion } from '../../../../src/worker/backend.js'
import { hasNats } from '../../../helpers/nats.js'
import { recorded, RemoteLab, toySweep } from '../../../helpers/remote-lab.js'

const suggestion = (setting: number, more: Partial<KeptSuggestion> = {}): KeptSuggestion => ({
  ...{ setting, values: { width: 5 + setting }, trialsHash: '0123456789abcdef', rule: 'tpe', modelSize: 3 },
  ...{ criterion: -Infinity, ended: 4, told: [3, 1], tookMs: 2 },
  ...more,
})

describe.skipIf(!hasNats)('what a server keeps of a search', () => {
  const lab = RemoteLab.open()
  const open = async (tenant: string, more: object = {}) => {
    const { backend } = await lab.backend(tenant, { ...recorded(), ...more })
    return { backend, suggestions: backend.suggestions! }
  }

  it('is told again as it was kept, hundreds of settings too, by whichever process comes next', async () => {
    const first = await open('again')
    const all = Array.from({ length: 230 }, (_, i) => suggestion(8 + i))
    for (const one of all) await first.suggestions.keep(one)
    await first.backend.close()
    const next = await open('again')
    expect(await next.suggestions.read(8)).toEqual(all)
    // What was read is not sent again, and what comes after it is.
    await next.suggestions.keep(suggestion(20, { rule: 'cma-es' }))
    await next.suggestions.keep(suggestion(238))
    expect(await next.suggestions.read(8)).toEqual([...all, suggestion(238)])
    expect(await next.suggestions.read(239)).toEqual([])
  })

  it('keeps the first of each setting, and takes the same once more for an answer that was lost', async () => {
    const { suggestions } = await open('first')
    const broker = await lab.broker('first')
    await suggestions.keep(suggestion(8))
    const text = encode({ v: 3, ...suggestion(9) })
    await broker.publisher.publish(broker.names.suggestion(sweepToken(toySweep), 0, 9), text)
    await suggestions.keep(suggestion(9))
    await broker.publisher.publish(broker.names.suggestion(sweepToken(toySweep), 0, 10), text)
    await expect(suggestions.keep(suggestion(10))).rejects.toThrow(
      'another process has suggested setting 10 of sweep toy-sweep meanwhile',
    )
  })

  it('begins anew where results are void, and what was before is gone', async () => {
    const first = await open('void')
    await first.suggestions.keep(suggestion(8))
    await first.backend.close()
    const { suggestions } = await open('void', { fresh: true, voids: 1 })
    const broker = await lab.broker('void')
    expect(await suggestions.read(8)).toEqual([])
    expect((await broker.jsm.streams.info(broker.names.suggestions)).state.messages).toBe(0)
  })

  it.each([
    ['no JSON', '{', 'what the NATS server keeps is no suggestion of mlds: setting 8 of sweep toy-sweep'],
    ['of another setting', encode({ v: 3, ...suggestion(9) }), 'what the NATS server keeps is no suggestion of mlds'],
    ['with a path', encode({ v: 3, ...suggestion(8), trialsHash: '../../etc' }), 'is no suggestion of mlds'],
    ['told of less than nothing', encode({ v: 3, ...suggestion(8, { told: [-1] }) }), 'is no suggestion of mlds'],
    ['of a newer mlds', encode({ ...suggestion(8), v: protocolVersion + 1 }), 'was written by a newer mlds'],
  ])('says what is wrong with an entry: %s', async (what, text, sentence) => {
    const tenant = what.replaceAll(' ', '-').toLowerCase()
    const { suggestions } = await open(tenant)
    const broker = await lab.broker(tenant)
    await broker.publisher.publish(broker.names.suggestion(sweepToken(toySweep), 0, 8), text)
    await expect(suggestions.read(8)).rejects.toThrow(sentence)
  })
})
