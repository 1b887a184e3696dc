import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Args, Flags } from '@oclif/core'
import { BaseCommand } from '../../terminal/base-command.js'

export default class DataFetch extends BaseCommand {
  static override storeUse = 'makes' as const
  static override description =
    'Fetches a data set, checks it and adds it; an interrupted download goes on where it stopped'
  static override examples = [
    '<%= config.bin %> data fetch mnist',
    '<%= config.bin %> data fetch mnist --from https://mirror.example/mnist/',
  ]
  static override args = {
    name: Args.string({ description: 'which set, such as mnist (mlds data list shows all)', required: true }),
  }
  static override flags = { from: Flags.string({ description: 'a mirror that has the same files', helpValue: 'URL' }) }

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(DataFetch)
    const store = await this.openStore(flags.store)
    const { addPieces, describeAdded } = await import('../../data/added.js')
    const { download } = await import('../../data/download.js')
    const { readPieces } = await import('../../data/formats.js')
    const { publishedSets } = await import('../../data/sets.js')
    const { UnknownNameError } = await import('../../core/errors.js')
    const sets = publishedSets()
    const [, set] = sets.find(([name]) => name === args.name) ?? []
    if (set === undefined)
      throw new UnknownNameError(
        'data set to fetch',
        args.name,
        sets.map(([name]) => name),
      )
    const { base, files } = set.published
    const pieces = []
    for (const file of files) {
      const path = await download(file, {
        base: flags.from ?? base,
        folder: join(store.dataFolder, 'downloads'),
        signal: new AbortController().signal,
        onProgress: progressOn(process.stderr),
      })
      for (const piece of readPieces(file.name, await readFile(path))) pieces.push(piece)
    }
    const facts = await addPieces(store.dataFolder, pieces)
    this.log(describeAdded(facts))
    return facts
  }
}

/** One line a file on a terminal, written over; nothing elsewhere. */
function progressOn(output: NodeJS.WriteStream): (name: string, bytes: number, total: number | undefined) => void {
  if (!output.isTTY) return () => {}
  return (name, bytes, total) => {
    const done = total === undefined ? '' : ` of ${(total / 1e6).toFixed(1)}`
    output.write(`\r${name}: ${(bytes / 1e6).toFixed(1)}${done} MB${bytes === total ? '\n' : ''}`)
  }
}
