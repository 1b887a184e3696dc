import { Args } from '@oclif/core'
import { BaseCommand } from '../terminal/base-command.js'

export default class Schema extends BaseCommand {
  static override storeUse = 'none' as const
  static override description = 'Prints a JSON Schema of sweep files, for editors'
  static override examples = ['<%= config.bin %> schema > sweep.schema.json', '<%= config.bin %> schema params']
  static override args = { experiment: Args.string({ description: 'only this experiment’s axes (default: all)' }) }

  async run(): Promise<unknown> {
    const { args } = await this.parse(Schema)
    const { experimentNames, findExperiment } = await import('../experiments/registry.js')
    const { sweepSchema } = await import('../sweeps/spec/schema.js')
    const names = args.experiment === undefined ? experimentNames : [args.experiment]
    const schema = sweepSchema(await Promise.all(names.map(findExperiment)))
    this.log(JSON.stringify(schema, null, 2))
    return schema
  }
}
