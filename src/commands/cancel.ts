import { HaltCommand } from '../terminal/halt-command.js'

export default class Cancel extends HaltCommand {
  static override storeUse = 'peeks' as const
  static override description =
    'Ends a sweep on NATS from any host: nothing more starts, what runs is given up; results that are there stay'
  static override examples = [
    '<%= config.bin %> cancel latest',
    '<%= config.bin %> cancel params-1a2b3c4d --nats nats://host:4222',
  ]

  async run(): Promise<unknown> {
    return this.halt('cancel')
  }
}
