import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { kubernetesYaml } from '../../src/app/fleet/print-kubernetes.js'
import { temporaryFolder } from '../helpers/cli.js'
import { requireService } from '../helpers/services.js'

const validator = 'kubernetes-validate'
const hasValidator = requireService(
  validator,
  spawnSync(validator, ['--version']).error === undefined,
  'pip install kubernetes-validate (1.37 or later), and have it on PATH',
)

const choice = {
  ...{ name: 'no', image: 'example.org/mlds:1', count: 8, namespace: 'on', cores: 4, memoryGb: 8 },
  ...{ graceSeconds: 60, workerArgs: ['--label=$(id)', '--label', 'yes', '--label', '1_000'], context: undefined },
  target: { nats: 'nats://server:4222', tenant: 'ours' },
}

describe.skipIf(!hasValidator)('the manifest of a fleet', () => {
  it.each(['1.27', '1.31', '1.37'])('is one of Kubernetes %s, to the letter', (version) => {
    const folder = temporaryFolder()
    for (const [kind, idleMs] of Object.entries({ deployment: undefined, job: 600_000 })) {
      const file = join(folder, `${kind}.yaml`)
      writeFileSync(file, kubernetesYaml({ ...choice, idleMs, gpus: idleMs === undefined ? 0 : 2 }, {}))
      const { status, stderr, stdout } = spawnSync(validator, ['-k', version, '--strict', file], { encoding: 'utf8' })
      expect(status, `${stdout}${stderr}`).toBe(0)
    }
  })
})
