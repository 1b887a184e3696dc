import { readFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { Args } from '@oclif/core'
import { BaseCommand } from '../../terminal/base-command.js'

export default class DataAdd extends BaseCommand {
  static override storeUse = 'makes' as const
  static override description = 'Adds MNIST (IDX files) or CIFAR-10 (binary batches or the archive), gzipped or not'
  static override examples = [
    '<%= config.bin %> data add train-images-idx3-ubyte.gz train-labels-idx1-ubyte.gz t10k-images-idx3-ubyte.gz t10k-labels-idx1-ubyte.gz',
    '<%= config.bin %> data add cifar-10-binary.tar.gz',
  ]
  static override args = { files: Args.string({ description: 'all files of one set', required: true }) }
  static override strict = false

  async run(): Promise<unknown> {
    const { argv, flags } = await this.parse(DataAdd)
    const store = await this.openStore(flags.store)
    const { readPieces } = await import('../../data/formats.js')
    const { addPieces, describeAdded } = await import('../../data/added.js')
    const { DataError, fileProblem } = await import('../../core/errors.js')
    const pieces = []
    for (const file of argv as string[]) {
      const bytes = await readFile(file).catch((error: unknown) => {
        throw new DataError(`${file}: ${fileProblem(error)}`, { exitCode: 2, cause: error })
      })
      for (const piece of readPieces(basename(file), bytes)) pieces.push(piece)
    }
    const facts = await addPieces(store.dataFolder, pieces)
    this.log(describeAdded(facts))
    return facts
  }
}
