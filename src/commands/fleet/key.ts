import { BaseCommand } from '../../terminal/base-command.js'

export default class FleetKey extends BaseCommand {
  static override storeUse = 'none' as const
  static override description =
    'Says the key by which workers know code that you send with mlds sweep --ship; makes it where there is none'
  static override examples = ['<%= config.bin %> fleet key', '<%= config.bin %> fleet key >my.key']

  async run(): Promise<unknown> {
    await this.parse(FleetKey)
    const { openCodeKey } = await import('../../app/backends/code-key.js')
    const { file, written: key } = openCodeKey(process.env)
    this.log(key)
    process.stderr.write(`Workers take what it signs: mlds worker start --nats URL --accept-code ${key}\n`)
    return { key, file }
  }
}
