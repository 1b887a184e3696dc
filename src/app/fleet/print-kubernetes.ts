import { stringify } from 'yaml'
import { MldsError } from '../../core/errors.js'
import { kubernetesManifest, type KubernetesFleet } from '../../fleet/kubernetes.js'
import type { NatsTarget } from '../backends/nats-target.js'
import { isOwnAddress, workerAccess } from './worker-access.js'

/** kubectl reads YAML 1.1, where `no`, `on`, `1_000` and `12:30` are no text unless they stand in quotes; others read 1.2. */
const written = {
  lineWidth: 0,
  aliasDuplicateObjects: false,
  defaultStringType: 'QUOTE_DOUBLE',
  defaultKeyType: 'PLAIN',
} as const

/** What a person says of pods. */
export interface KubernetesChoice extends Omit<KubernetesFleet, 'access'> {
  readonly target: NatsTarget
  readonly context: string | undefined
}

/**
 * The manifest as YAML, with the workers' credentials in its Secret.
 * @throws MldsError where pods could not find the server by its address, or the server wants credentials and none are there for workers.
 */
export function kubernetesYaml({ target, context, ...fleet }: KubernetesChoice, env: NodeJS.ProcessEnv): string {
  const access = workerAccess({ nats: target.nats, context, fleet: fleet.name, env })
  if (isOwnAddress(access.url))
    throw new MldsError('USAGE', `${access.url} is each pod's own address: none can find the server by it`, {
      hint: 'give an address that the pods can reach: --nats nats://HOST:4222',
    })
  const tenant = target.tenant === 'mlds' ? [] : ['--tenant', target.tenant]
  const workerArgs = [...tenant, ...fleet.workerArgs]
  const objects = kubernetesManifest({ ...fleet, workerArgs, access: access.files() })
  return objects.map((object) => stringify(object, written)).join('---\n')
}
