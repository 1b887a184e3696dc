import type { TarFile } from './tar.js'

/** Workers in pods of Kubernetes. */
export interface KubernetesFleet {
  readonly name: string
  readonly image: string
  readonly count: number
  readonly namespace: string | undefined
  /** Of each pod. */
  readonly cores: number
  readonly memoryGb: number
  readonly gpus: number
  readonly graceSeconds: number
  /** Workers that end after so long without a trial are a Job; those that wait for ever a Deployment. */
  readonly idleMs: number | undefined
  /** The context of NATS, and the files that it names. */
  readonly access: readonly TarFile[]
  readonly workerArgs: readonly string[]
}

const places = { access: '/etc/mlds', work: '/work', temporary: '/tmp' }
/** The user `node` of the official image. */
const user = 1_000
/** What a worker needs beyond its grace: last words, and handing back. */
const lastWordsSeconds = 30

/** Kubernetes would put a variable in the place of `$(NAME)` (kubernetes.io, "Define a Command and Arguments for a Container"). */
const literally = (word: string): string => word.replaceAll('$(', '$$$$(')

/** A Secret, and a Deployment or Job that mounts it: objects for `kubectl apply`, in this order. */
export function kubernetesManifest(fleet: KubernetesFleet): Record<string, unknown>[] {
  const { name, count, namespace, idleMs } = fleet
  const labels = { 'app.kubernetes.io/name': 'mlds-worker', 'app.kubernetes.io/instance': name }
  const metadata = { name: `mlds-${name}`, ...(namespace === undefined ? {} : { namespace }), labels }
  const secret = { apiVersion: 'v1', kind: 'Secret', metadata, type: 'Opaque', data: dataOf(fleet.access) }
  if (idleMs === undefined) {
    const template = { metadata: { labels }, spec: { ...podOf(fleet), restartPolicy: 'Always' } }
    const spec = { replicas: count, selector: { matchLabels: labels }, template }
    return [secret, { apiVersion: 'apps/v1', kind: 'Deployment', metadata, spec }]
  }
  const template = { metadata: { labels }, spec: { ...podOf(fleet), restartPolicy: 'Never' } }
  // A pod whose node goes away is no failure of the worker (kubernetes.io, "Pod failure policy").
  const disrupted = { action: 'Ignore', onPodConditions: [{ type: 'DisruptionTarget', status: 'True' }] }
  const spec = { parallelism: count, backoffLimit: count, podFailurePolicy: { rules: [disrupted] }, template }
  return [secret, { apiVersion: 'batch/v1', kind: 'Job', metadata, spec }]
}

const dataOf = (files: readonly TarFile[]): Record<string, string> =>
  Object.fromEntries(
    files.map(({ path, content }) => {
      if (!(content instanceof Uint8Array)) throw new Error(`a Secret holds bytes, not the file ${content.file}`)
      return [path, Buffer.from(content).toString('base64')]
    }),
  )

/** Runs as nobody in particular, with what it may write in two empty folders. */
function podOf(fleet: KubernetesFleet): Record<string, unknown> {
  const { name, image, graceSeconds } = fleet
  const mounts = [
    { name: 'access', mountPath: places.access, readOnly: true },
    { name: 'work', mountPath: places.work },
    { name: 'temporary', mountPath: places.temporary },
  ]
  const container = {
    name: 'worker',
    image,
    args: argsOf(fleet),
    workingDir: places.work,
    env: [
      { name: 'POD_NAME', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
      { name: 'HOME', value: places.work },
      { name: 'NATS_CONTEXT', value: `${places.access}/context.json` },
    ],
    resources: resourcesOf(fleet),
    securityContext: {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    },
    volumeMounts: mounts,
  }
  return {
    containers: [container],
    // A worker needs nothing of Kubernetes: neither its API, nor the variables of a Service that is called nats.
    ...{ automountServiceAccountToken: false, enableServiceLinks: false },
    terminationGracePeriodSeconds: graceSeconds + lastWordsSeconds,
    securityContext: {
      ...{ runAsNonRoot: true, runAsUser: user, runAsGroup: user, fsGroup: user },
      seccompProfile: { type: 'RuntimeDefault' },
    },
    volumes: [
      { name: 'access', secret: { secretName: `mlds-${name}`, defaultMode: 0o440 } },
      { name: 'work', emptyDir: {} },
      { name: 'temporary', emptyDir: {} },
    ],
  }
}

function argsOf({ cores, memoryGb, gpus, graceSeconds, idleMs, workerArgs }: KubernetesFleet): string[] {
  const said = (flag: string): boolean => workerArgs.some((word) => word === flag || word.startsWith(`${flag}=`))
  // The cores that a process sees are the node's.
  const slots = said('--slots') ? [] : ['--slots', String(cores)]
  const idle = idleMs === undefined ? [] : ['--idle-timeout', `${Math.ceil(idleMs / 1_000)}s`]
  const accelerators = gpus === 0 ? [] : ['--gpus', String(gpus)]
  return [
    ...['worker', 'start', '--name', '$(POD_NAME)', '--store', `${places.work}/store`],
    ...['--grace', String(graceSeconds), '--memory', String(memoryGb), ...slots, ...accelerators, ...idle],
    ...workerArgs.map(literally),
  ]
}

/** What is asked for is all there is: a pod beyond its memory is ended alone, not with its neighbours. */
function resourcesOf({ cores, memoryGb, gpus }: KubernetesFleet): Record<string, unknown> {
  const memory = `${memoryGb}G`
  const accelerators = gpus === 0 ? {} : { 'nvidia.com/gpu': String(gpus) }
  return { requests: { cpu: String(cores), memory }, limits: { memory, ...accelerators } }
}
