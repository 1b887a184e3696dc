import { generateKeyPairSync } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createUser } from '@nats-io/nkeys'
import { describe, expect, it } from 'vitest'
import { shipCode } from '../../../src/app/backends/ship-code.js'
import { codeFiles } from '../../../src/experiments/custom/code-files.js'
import { copiedFiles, copyCode, describeChanges } from '../../../src/experiments/custom/code-copy.js'
import { parseCommand } from '../../../src/experiments/custom/command.js'
import type { SweepFolder } from '../../../src/sweeps/sweep-folder.js'
import { readPack, sha256Of } from '../../../src/worker/remote/wire/code-pack.js'
import { temporaryFolder } from '../../helpers/cli.js'

const seed = new TextDecoder().decode(createUser().getSeed())
const pem = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
const keys = {
  'orchestrator.nk': `${seed}\n`,
  'user.creds': `-----BEGIN NATS USER JWT-----\neyJ0\n------END NATS USER JWT------\n\n-----BEGIN USER NKEY SEED-----\n${seed}\n------END USER NKEY SEED------\n`,
  'server.key': pem,
  'both.pem': `-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n${pem}`,
  'from-pkcs12.pem': `Bag Attributes\n    friendlyName: me\nKey Attributes: <No Attributes>\n${pem}`,
  'with-text.pem': `ED25519 Private-Key:\npriv:\n    93:20\n${pem}`,
  'with-password.json': '{ "url": "nats://host", "user": "me", "password": "x" }',
  'with-userinfo.json': '{ "url": "nats://me:secret@host" }',
}
const code = {
  'train.py': `KEY = """\n${pem}"""\nprint(1)\n`,
  'ca.pem': '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n',
  'orchestrator.json': '{ "url": "nats://host", "nkey": "orchestrator.nk" }',
  'tokens.json': '{ "token": "<s>", "size": 3 }',
  empty: '',
}

function program() {
  const cwd = temporaryFolder()
  for (const [name, text] of Object.entries({ ...keys, ...code })) writeFileSync(join(cwd, name), text)
  return parseCommand({ command: 'python3 train.py {x}' }, cwd)
}

function shippedFiles(command: ReturnType<typeof program>, codeFolder: string): Promise<string[]> {
  const plan = { experiment: 'train', spec: { own: { kind: 'command', command } } } as unknown as SweepFolder['plan']
  const env = { XDG_CONFIG_HOME: temporaryFolder() }
  const ship = shipCode({ plan, codeFolder }, { tenant: 'mlds', env }, () => {})
  return ship.read().then((pack) => readPack(pack).list.files.map(({ path }) => path))
}

describe('private keys that lie beside a program', () => {
  it('are in no copy of it and travel to no worker; a program still finds them where it runs here', async () => {
    const command = program()
    const folder = join(temporaryFolder(), 'code')
    await copyCode(codeFiles(command)!, folder)
    const copied = copiedFiles(folder)!
    expect(Object.keys(copied.files).sort()).toEqual(Object.keys(code).sort())
    expect((await shippedFiles(command, folder)).sort()).toEqual(Object.keys(code).sort())
    expect(readFileSync(join(copied.folder, 'orchestrator.nk'), 'utf8')).toBe(keys['orchestrator.nk'])
    expect(describeChanges(command, folder)).toBeUndefined()
  })

  it('do not travel from a copy that an earlier version made with them', async () => {
    const command = program()
    const folder = temporaryFolder()
    const files: Record<string, string> = {}
    mkdirSync(join(folder, 'files'))
    for (const [name, text] of Object.entries({ ...keys, ...code })) {
      writeFileSync(join(folder, 'files', name), text)
      files[name] = sha256Of(Buffer.from(text))
    }
    writeFileSync(join(folder, 'code.json'), JSON.stringify({ root: command.cwd, files }))
    expect((await shippedFiles(command, folder)).sort()).toEqual(Object.keys(code).sort())
  })
})
