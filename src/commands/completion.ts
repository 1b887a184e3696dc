import { Args } from '@oclif/core'
import { BaseCommand } from '../terminal/base-command.js'
import { shells, type ArgumentKind, type CompletableExperiment, type Shell } from '../terminal/completion.js'

export default class Completion extends BaseCommand {
  static override storeUse = 'none' as const
  static override description =
    'Prints a script that teaches a shell to complete mlds: commands, flags, sweeps, trials, experiments, axes'
  static override examples = [
    { description: 'bash, in ~/.bashrc', command: 'eval "$(<%= config.bin %> completion bash)"' },
    { description: 'zsh, in ~/.zshrc', command: 'eval "$(<%= config.bin %> completion zsh)"' },
    { description: 'fish', command: '<%= config.bin %> completion fish > ~/.config/fish/completions/mlds.fish' },
  ]
  static override args = {
    shell: Args.string({ description: 'whose completion', required: true, options: [...shells] }),
  }

  async run(): Promise<unknown> {
    const { args } = await this.parse(Completion)
    const { completionScript } = await import('../terminal/completion.js')
    const { experimentNames } = await import('../experiments/registry.js')
    const commands = this.config.commands
      .filter(({ hidden }) => !hidden)
      .map((command) => ({
        words: command.id.replaceAll(':', ' '),
        summary: command.summary ?? command.description ?? '',
        flags: Object.values(command.flags)
          .filter(({ hidden }) => hidden !== true)
          .map((flag) => ({
            name: flag.name,
            ...(flag.char === undefined ? {} : { letter: flag.char }),
            summary: flag.summary ?? flag.description ?? '',
            takesValue: flag.type === 'option',
            ...(flag.type === 'option' && flag.options !== undefined ? { options: flag.options } : {}),
          })),
        values: kindOf(command.id, Object.keys(command.args), experimentNames),
      }))
    const script = completionScript(args.shell as Shell, commands, await axesOf(experimentNames))
    this.log(script.trimEnd())
    return { shell: args.shell, script }
  }
}

/** What `--set` may name for each experiment, and the values of an axis that has only a few. */
async function axesOf(names: readonly string[]): Promise<CompletableExperiment[]> {
  const { findExperiment } = await import('../experiments/registry.js')
  return await Promise.all(
    names.map(async (name) => {
      const spaces = (await findExperiment(name)).stages.map(({ space }) => Object.entries(space))
      const axes = new Map<string, readonly string[]>([['seed', []]])
      for (const [axis, spec] of spaces.flat()) {
        const values = spec.kind === 'choice' ? spec.choices : spec.kind === 'boolean' ? ['true', 'false'] : []
        axes.set(axis, [...new Set([...(axes.get(axis) ?? []), ...values])])
      }
      return { name, axes }
    }),
  )
}

/** What the arguments of a command are, by their names. */
function kindOf(id: string, names: readonly string[], experiments: readonly string[]): ArgumentKind {
  if (id === 'completion') return shells
  if (names.includes('trial')) return 'trial'
  if (id === 'experiments' || id === 'schema') return experiments
  const [sweep, target] = [['sweep', 'first', 'second'].some((name) => names.includes(name)), names.includes('target')]
  if (sweep) return target ? 'sweep-and-target' : 'sweep'
  if (target) return 'target'
  return names.some((name) => name.startsWith('file')) ? 'file' : []
}
