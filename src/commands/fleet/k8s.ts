import { Flags } from '@oclif/core'
import { MldsError } from '../../core/errors.js'
import { BaseCommand } from '../../terminal/base-command.js'
import { durationFlag } from '../../terminal/flags/duration-flag.js'
import { checkWorkerArgs, fleetFlags, partedArgv, wordsToAccept } from '../../terminal/flags/fleet-flags.js'
import { integerFlag } from '../../terminal/flags/integer-flag.js'

const { name, nats, tenant, context, 'accept-code': acceptCode, 'worker-arg': workerArg } = fleetFlags

export default class FleetK8s extends BaseCommand {
  static override storeUse = 'none' as const
  static override strict = false
  static override usage = 'fleet k8s --print --image IMAGE --count N --nats URL [FLAGS] [-- WORDS FOR WORKER START]'
  static override description =
    'Prints workers as a manifest of Kubernetes, with their key in a Secret; kubectl starts and ends them'
  static override examples = [
    '<%= config.bin %> fleet k8s --print --image registry.example.org/mlds:0.1.0 --count 8 --nats nats://host:4222',
    '<%= config.bin %> fleet k8s --print --image registry.example.org/mlds:0.1.0 --count 8 --idle-timeout 10m --nats nats://host:4222 -- --label gpu',
  ]
  static override flags = {
    ...{ name, nats, tenant, context, 'accept-code': acceptCode, 'worker-arg': workerArg },
    print: Flags.boolean({ description: 'print the manifest; nothing is started', required: true }),
    image: Flags.custom<string>({
      description: 'an image that runs it (docs/fleet.md has the Dockerfile)',
      helpValue: 'IMAGE',
      required: true,
      parse: async (raw) => {
        // distribution/reference: a name, a tag, a digest.
        if (/^[\w.:/@-]{1,512}$/.test(raw) && /^[a-z0-9]/i.test(raw)) return raw
        throw new MldsError(
          'USAGE',
          `--image: ${raw} is not the name of an image (such as registry.example.org/mlds:1)`,
        )
      },
    })(),
    count: integerFlag({ description: 'how many pods', min: 1, max: 10_000, required: true, helpValue: 'N' }),
    namespace: Flags.custom<string>({
      description: 'of Kubernetes (default: what kubectl takes)',
      helpValue: 'NAME',
      parse: async (raw) => {
        if (/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(raw)) return raw
        throw new MldsError('USAGE', `--namespace: ${raw} is not a name (small letters, digits and dashes, at most 63)`)
      },
    })(),
    cores: integerFlag({ description: 'of each pod', min: 1, max: 1_024, default: 1, helpValue: 'N' }),
    memory: integerFlag({ description: 'GB of each pod', min: 1, max: 100_000, default: 2, helpValue: 'GB' }),
    gpus: integerFlag({ description: 'of each pod (nvidia.com/gpu)', min: 0, max: 64, default: 0, helpValue: 'N' }),
    grace: integerFlag({
      description: 'seconds that running trials have, once a pod is told to end',
      min: 0,
      max: 86_400,
      default: 60,
      helpValue: 'SECONDS',
    }),
    'idle-timeout': durationFlag({
      description: 'a worker ends once no trial has come for so long: a Job instead of a Deployment',
      helpValue: '10m',
    }),
  }

  async run(): Promise<unknown> {
    const { before, after } = partedArgv(this.argv)
    this.argv = before
    const { argv, flags } = await this.parse(FleetK8s)
    if (argv.length > 0)
      throw new MldsError('USAGE', `${String(argv[0])} is not expected here (words for the workers stand after --)`)
    const { default: WorkerStart } = await import('../worker/start.js')
    const said = [...flags['worker-arg'], ...after]
    await checkWorkerArgs(said, WorkerStart.flags, ['grace', 'idle-timeout', 'memory', 'gpus'])
    const workerArgs = [...(await wordsToAccept(flags['accept-code'])), ...said]
    const { kubernetesYaml } = await import('../../app/fleet/print-kubernetes.js')
    const { image, count, namespace, cores, memory, gpus, grace } = flags
    const manifest = kubernetesYaml(
      {
        ...{ name: flags.name, image, count, namespace, cores, gpus, workerArgs, context: flags.context },
        ...{ memoryGb: memory, graceSeconds: grace, idleMs: flags['idle-timeout'] },
        target: { nats: flags.nats, tenant: flags.tenant },
      },
      process.env,
    )
    this.log(manifest.trimEnd())
    return { manifest }
  }
}
