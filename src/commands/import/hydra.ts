import { dirname, isAbsolute, join } from 'node:path'
import { Args, Flags } from '@oclif/core'
import { MldsError } from '../../core/errors.js'
import type { HydraConfigs } from '../../sweeps/spec/import/hydra-folder.js'
import { BaseCommand } from '../../terminal/base-command.js'
import { importFlags, printImported } from '../../terminal/print-imported.js'

export default class ImportHydra extends BaseCommand {
  static override storeUse = 'none' as const
  static override description = 'Prints a sweep file for Hydra multirun overrides; what has no counterpart is refused'
  static override examples = [
    '<%= config.bin %> import hydra "lr=1e-3,1e-2 seed=range(5)" --program train.py > mine.yaml',
    `<%= config.bin %> import hydra "python train.py -m lr=1e-3,1e-2" > mine.yaml`,
    '<%= config.bin %> import hydra optimizer=sgd,adam --config-path conf > mine.yaml',
  ]
  static override strict = false
  static override args = {
    overrides: Args.string({
      description: 'the overrides, as Hydra was given them or as one text, or the whole line as it was typed',
    }),
  }
  static override flags = {
    ...importFlags,
    multirun: Flags.boolean({ char: 'm', description: "Hydra's own flag, for a line as it was typed" }),
    program: Flags.string({ description: 'what Hydra ran', default: 'train.py' }),
    'config-path': Flags.string({
      description:
        "the folder of Hydra's configs, from the program's on: the sweep that they hold is taken in, and checked",
      helpValue: 'FOLDER',
    }),
    'config-name': Flags.string({
      description: 'the config that the program begins with (default: config)',
      helpValue: 'NAME',
      dependsOn: ['config-path'],
    }),
  }

  async run(): Promise<unknown> {
    this.argv = this.argv.flatMap(partedFlags)
    const { argv, flags } = await this.parse(ImportHydra)
    const { importHydra, readTypedLine } = await import('../../sweeps/spec/import/hydra.js')
    const words = argv as string[]
    const { 'config-path': path, 'config-name': name } = flags
    if (words.every((word) => word.trim() === '') && path === undefined)
      throw new MldsError('USAGE', 'no overrides, and no configs: nothing to import', {
        hint: 'give one of them: mlds import hydra lr=0.1,0.2, or mlds import hydra --config-path conf',
      })
    const line = words.length === 1 ? words[0]! : words
    const { script = '' } = readTypedLine(line, flags.program)
    const configs = path === undefined ? undefined : await hydraConfigs(script, path, name)
    const imported = importHydra(line, flags.program, configs)
    await printImported(imported, flags, (text) => this.log(text))
    return imported
  }
}

/** Of a whole line in quotes: Hydra's own flags at its beginning, apart; `-cn` and `-cp` are long ones to us. */
function partedFlags(word: string): string[] {
  const long = word.replace(/^-c([np])(?=[\s=]|$)/, (_, letter) => (letter === 'n' ? '--config-name' : '--config-path'))
  const [, flag, rest] = /^(-m|--multirun|--config-(?:name|path)[=\s]\s*\S+)\s+(.*)$/s.exec(long) ?? []
  if (flag === undefined || rest === undefined) return [long]
  const parted = flag.startsWith('-m') ? [] : flag.split(/[=\s]\s*/)
  return [...parted, ...partedFlags(rest)]
}

async function hydraConfigs(program: string, path: string, name: string | undefined): Promise<HydraConfigs> {
  const { ConfigFolder } = await import('../../sweeps/spec/import/hydra-folder.js')
  const folder = isAbsolute(path) ? path : join(dirname(program), path)
  return {
    configs: new ConfigFolder(folder),
    name: (name ?? 'config').replace(/\.yaml$/, ''),
    code: folder,
    words: [`--config-path=${path}`, ...(name === undefined ? [] : [`--config-name=${name}`])],
  }
}
