import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import type { Assignment } from '../../src/core/trial.js'
import type { ShippedCode } from '../../src/worker/remote/orchestrator/remote-backend.js'
import { sha256Of, writePack, type PackedExperiment } from '../../src/worker/remote/wire/code-pack.js'
import { signed, writtenKey } from '../../src/worker/remote/wire/code-signature.js'
import { toyAssignment } from '../conformance/backend.js'

export interface Signer {
  readonly written: string
  readonly privateKey: KeyObject
}

export function newSigner(): Signer {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  return { written: writtenKey(publicKey), privateKey }
}

/** Where the files are on a host that the worker does not have. */
export const root = '/nowhere/study'

const files = (texts: Readonly<Record<string, string>>) =>
  Object.entries(texts).map(([path, text]) => ({ path, bytes: Buffer.from(text), executable: path.endsWith('.sh') }))

/** `sh run.sh X` beside these files, as a pack. */
export const programPack = (texts: Readonly<Record<string, string>>): Uint8Array =>
  writePack({ kind: 'program', root, command: { argv: ['sh', 'run.sh', '{x}'], cwd: root, env: {} } }, files(texts))

export const modulePack = (file: string, texts: Readonly<Record<string, string>>): Uint8Array =>
  writePack({ kind: 'module', file }, files(texts))

/** What an orchestrator of this tenant sends along. */
export const shipped = (
  pack: Uint8Array,
  kind: PackedExperiment['kind'],
  { written: key, privateKey }: Signer,
  tenant: string,
): ShippedCode => ({
  object: { sha256: sha256Of(pack), sizeBytes: pack.length },
  ...{ kind, key },
  read: async () => pack,
  sign: (message, run) => signed(message, privateKey, { tenant, run }),
})

/** A trial of an experiment that no worker was given. */
export function shippedAssignment(x: number, change: Partial<Assignment> = {}): Assignment {
  const assignment = toyAssignment({})
  return { ...assignment, trial: { ...assignment.trial, experiment: 'run.01234567', params: { x } }, ...change }
}
