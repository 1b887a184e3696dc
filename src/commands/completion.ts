import { Args } from '@oclif/core'
import { BaseCommand } from '../terminal/base-command.js'
import { shells, type ArgumentKind, type Shell } from '../terminal/completion.js'

export default class Completion extends BaseCommand {
  static override storeUse = 'none' as const
  static override description =
    'Prints a script that teaches a shell to complete mlds: commands, flags, sweeps, experiments'
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
    const script = completionScript(args.shell as Shell, commands, experimentNames)
    this.log(script.trimEnd())
    return { shell: args.shell, script }
  }
}

/** What the arguments of a command are, by their names. */
function kindOf(id: string, names: readonly string[], experiments: readonly string[]): ArgumentKind {
  if (id === 'completion') return shells
  if (id === 'experiments' || id === 'schema') return experiments
  const [sweep, target] = [['sweep', 'first', 'second'].some((name) => names.includes(name)), names.includes('target')]
  if (sweep) return target ? 'sweep-and-target' : 'sweep'
  if (target) return 'target'
  return names.some((name) => name.startsWith('file')) ? 'file' : []
}
