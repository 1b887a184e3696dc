import { readFile } from 'node:fs/promises'
import { Args } from '@oclif/core'
import { BaseCommand } from '../terminal/base-command.js'

export default class Helper extends BaseCommand {
  static override storeUse = 'none' as const
  static override description =
    'Prints a file by which a program reads its parameters, reports metrics and saves files, and a notebook loads a sweep'
  static override examples = ['<%= config.bin %> helper python > mlds.py']
  static override args = {
    language: Args.string({ description: 'what the program is written in', default: 'python', options: ['python'] }),
  }

  async run(): Promise<unknown> {
    const { args } = await this.parse(Helper)
    const file = await readFile(new URL('../../python/mlds.py', import.meta.url), 'utf8')
    this.log(file.trimEnd())
    return { language: args.language, file }
  }
}
