import { BaseCommand } from '../../terminal/base-command.js'

export default class FleetKey extends BaseCommand {
  static override storeUse = 'none' as const
  static override description =
    'Says the key by which workers know the code that your sweeps send with --ship; makes it where there is none'
  static override examples = ['<%= config.bin %> fleet key']

  async run(): Promise<unknown> {
    await this.parse(FleetKey)
    const { openCodeKey } = await import('../../app/backends/code-key.js')
    const { file, written: key } = openCodeKey(process.env)
    this.log(key)
    process.stderr.write(`Workers take what it signs: mlds worker start --nats URL --accept-code ${key}\n`)
    return { key, file }
  }
}
