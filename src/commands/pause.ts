import { HaltCommand } from '../terminal/halt-command.js'

export default class Pause extends HaltCommand {
  static override storeUse = 'peeks' as const
  static override description =
    'Lets a sweep on NATS start nothing more until mlds resume; what runs goes on to its end'
  static override examples = [
    '<%= config.bin %> pause latest',
    '<%= config.bin %> pause params-1a2b3c4d --nats nats://host:4222',
  ]

  async run(): Promise<unknown> {
    return this.halt('pause')
  }
}
