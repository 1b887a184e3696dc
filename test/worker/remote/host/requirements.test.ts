import { describe, expect, it } from 'vitest'
import { codeVersion } from '../../../../src/core/version.js'
import { authorsName } from '../../../../src/experiments/custom/custom.js'
import { Requirements } from '../../../../src/worker/remote/host/requirements.js'
import { protocolVersion, type TrialMessage } from '../../../../src/worker/remote/wire/protocol.js'
import { toyAssignment } from '../../../conformance/backend.js'
import { hasNats } from '../../../helpers/nats.js'
import { toyCustom } from '../../../helpers/custom-modules.js'
import { RemoteLab } from '../../../helpers/remote-lab.js'

const fingerprint = 'a'.repeat(64)
const absent = { sha256: 'b'.repeat(64), sizeBytes: 4 }
const images = { rows: 2, trainRows: 1, shape: [1] }
const dataset = (facts: object) => ({ datasets: [{ name: 'mine', fingerprint, ...facts }] })

function trialMessage(change: Partial<TrialMessage> = {}, trial: object = {}): TrialMessage {
  const assignment = toyAssignment({})
  return {
    v: protocolVersion,
    codeVersion,
    maxAttempts: 3,
    datasets: [],
    assignment: { ...assignment, trial: { ...assignment.trial, ...trial } },
    ...change,
  } as TrialMessage
}

/** What asks too much of this worker, and why it says that it leaves the trial to others. */
const table: [string, TrialMessage, string][] = [
  ['code of another version', trialMessage({ codeVersion: '99.0.0' }), 'the sweep was planned by 99.0.0'],
  ['an experiment of another version', trialMessage({}, { version: 9 }), 'of another version here: 1'],
  ['a stage that there is not', trialMessage({}, { stage: 'second' }), 'has no stage: second'],
  ['an experiment that nobody has', trialMessage({}, { experiment: 'nonesuch' }), 'unknown experiment: nonesuch'],
  [
    "a person's experiment that it was not given",
    trialMessage({}, { experiment: 'theirs.01234567' }),
    'this worker does not have the experiment theirs.01234567',
  ],
  [
    "a person's experiment whose code is another here",
    trialMessage({}, { experiment: `${authorsName(toyCustom.name)}.01234567` }),
    `of another version here: ${toyCustom.name}`,
  ],
  ['data that are nowhere', trialMessage(dataset({})), 'the data set mine is another here, or none'],
  [
    'data under the hash of others',
    trialMessage(dataset({ object: absent, images })),
    'the data set mine is offered under another hash',
  ],
  [
    'data that are gone from the server',
    trialMessage(dataset({ object: { ...absent, sha256: fingerprint }, images })),
    'an artifact is missing from the object store',
  ],
]

describe.skipIf(!hasNats)('what a worker must have for a trial', () => {
  const lab = RemoteLab.open()
  const requirements = () => new Requirements(lab.store('worker'), [toyCustom])

  it('is there for a trial of an experiment that it was given', async () => {
    expect(await requirements().prepare(trialMessage(), await lab.broker('met'))).toEqual([])
  })

  it.each(table)('is not there where it asks for %s', async (_, message, reason) => {
    await expect(requirements().prepare(message, await lab.broker('unmet'))).rejects.toThrow(reason)
  })

  it('lacks an engine from when it did not load', async () => {
    const broker = await lab.broker('engine')
    const worker = requirements()
    worker.lack('cpu', new Error('the cpu engine does not load here'))
    await expect(worker.prepare(trialMessage(), broker)).rejects.toThrow('the cpu engine does not load here')
    const other = trialMessage()
    expect(await worker.prepare({ ...other, assignment: { ...other.assignment, engine: 'wasm' } }, broker)).toEqual([])
  })
})
