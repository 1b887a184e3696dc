import { describe, expect, it } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { kubernetesYaml, type KubernetesChoice } from '../../src/app/fleet/print-kubernetes.js'

const choice: KubernetesChoice = {
  ...{ name: 'lab', image: 'example.org/mlds:1', count: 8, namespace: undefined, cores: 4, memoryGb: 8, gpus: 0 },
  ...{ graceSeconds: 60, idleMs: undefined, workerArgs: ['--label=$(id)'], context: undefined },
  target: { nats: 'nats://server:4222', tenant: 'ours' },
}
interface Workload {
  kind: string
  metadata: { name: string }
  spec: { replicas?: number; parallelism?: number; completions?: number; template: { spec: Pod } }
}
interface Pod {
  containers: [{ args: string[]; resources: unknown; securityContext: unknown; env: { name: string }[] }]
  securityContext: Record<string, unknown>
  terminationGracePeriodSeconds: number
  restartPolicy: string
}
function read(yaml: string): { secret: { data: Record<string, string> }; workload: Workload } {
  const [secret, workload] = parseAllDocuments(yaml).map((document) => document.toJS() as unknown)
  return { secret: secret as { data: Record<string, string> }, workload: workload as Workload }
}

describe('workers as a manifest of Kubernetes', () => {
  const { secret, workload } = read(kubernetesYaml(choice, {}))
  const pod = workload.spec.template.spec
  const [container] = pod.containers

  it('give the context in a Secret, and nothing of it in words or environment', () => {
    const context: unknown = JSON.parse(Buffer.from(secret.data['context.json']!, 'base64').toString())
    expect(context).toEqual({ url: 'nats://server:4222' })
    expect(JSON.stringify(workload)).not.toContain('server:4222')
    expect(container.env.map(({ name }) => name)).toEqual(['POD_NAME', 'HOME', 'NATS_CONTEXT'])
  })

  it('run as nobody, on a root that is read-only, with as much as was asked for', () => {
    expect(pod.securityContext).toMatchObject({ runAsNonRoot: true, runAsUser: 1000 })
    expect(container.securityContext).toEqual({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    })
    expect(container.resources).toEqual({ requests: { cpu: '4', memory: '8G' }, limits: { memory: '8G' } })
  })

  it('have longer to end than the worker gives its trials', () => {
    expect(pod.terminationGracePeriodSeconds).toBe(90)
    expect(container.args.join(' ')).toContain('--grace 60')
  })

  it('are given words as they are: Kubernetes puts no variable into them', () => {
    expect(container.args.slice(-3)).toEqual(['--tenant', 'ours', '--label=$$(id)'])
    expect(container.args.join(' ')).toContain('--slots 4')
    expect(
      read(kubernetesYaml({ ...choice, workerArgs: ['--slots=2'] }, {})).workload.spec.template.spec.containers[0].args,
    ).not.toContain('--slots')
  })

  it('are named and told what a person wrote, by readers of YAML 1.1 as of 1.2', () => {
    const words = [
      'no',
      'on',
      'yes',
      'n',
      'null',
      '~',
      '1_000',
      '0123',
      '0o17',
      '0x1f',
      '12:30',
      '1e3',
      '.inf',
      '=',
      '<<',
    ]
    const hostile = [
      '- a',
      'a: b',
      '#',
      "it's",
      '"',
      '\\',
      '',
      ' ',
      '2026-11-30',
      '!!int 1',
      '&a',
      '*a',
      '%',
      '@',
      'é\u2028',
    ]
    const workerArgs = [...words, ...hostile]
    const yaml = kubernetesYaml({ ...choice, name: 'no', namespace: 'on', image: '1.5', workerArgs }, {})
    for (const version of ['1.1', '1.2'] as const) {
      const [made, deployment] = parseAllDocuments(yaml, { version }).map((document) => document.toJS() as Workload)
      expect(made!.metadata).toMatchObject({ namespace: 'on', labels: { 'app.kubernetes.io/instance': 'no' } })
      const [worker] = deployment!.spec.template.spec.containers
      expect(worker).toMatchObject({ image: '1.5', args: expect.arrayContaining(['60']) as string[] })
      expect(worker.args.slice(-workerArgs.length)).toEqual(workerArgs)
    }
  })

  it('wait for ever as a Deployment, and end when idle as a Job', () => {
    expect([workload.kind, workload.spec.replicas, pod.restartPolicy]).toEqual(['Deployment', 8, 'Always'])
    const job = read(kubernetesYaml({ ...choice, idleMs: 600_000, gpus: 2 }, {})).workload
    expect([job.kind, job.spec.parallelism, job.spec.completions]).toEqual(['Job', 8, undefined])
    const [worker] = job.spec.template.spec.containers
    expect(worker.args.join(' ')).toContain('--gpus 2 --idle-timeout 600s')
    expect(worker.resources).toMatchObject({ limits: { 'nvidia.com/gpu': '2' } })
  })

  it('are not printed where no pod could find the server, or with credentials of the person', () => {
    const own = { ...choice, target: { nats: 'nats://127.0.0.1:4222', tenant: 'mlds' } }
    expect(() => kubernetesYaml(own, {})).toThrow("each pod's own address")
    expect(() => kubernetesYaml(choice, { NATS_USER: 'u', NATS_PASSWORD: 's3cret' })).toThrow(
      'yours are not for workers',
    )
  })
})
