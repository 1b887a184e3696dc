import type { DataSource } from '../../data/sets.js'
import { BaseCommand } from '../../terminal/base-command.js'
import { formatTable } from '../../terminal/table.js'

export default class DataList extends BaseCommand {
  static override storeUse = 'peeks' as const
  static override description = 'Lists the data sets: which are here, and how to get the others'

  async run(): Promise<unknown> {
    const { flags } = await this.parse(DataList)
    const store = await this.openStore(flags.store)
    const { addedFacts } = await import('../../data/added.js')
    const { dataSets, isPublished } = await import('../../data/sets.js')
    const sets = Object.entries<DataSource>(dataSets).map(([name, source]) => {
      const { what, shape } = source
      const listed = { name, what, shape: [...shape] }
      if (isPublished(source)) {
        const facts = addedFacts(store.dataFolder, name)
        return { ...listed, here: facts !== undefined, rows: facts?.rows, fingerprint: facts?.sha256 }
      }
      const { family, rows, fingerprint } = source
      return family === undefined
        ? { ...listed, here: true, rows, fingerprint }
        : { ...listed, name: family, here: true, rows: undefined, fingerprint: undefined }
    })
    const rows = sets.map(({ name, what, shape, here, rows: count, fingerprint }) => [
      name,
      count ?? '',
      shape.join('×'),
      here ? 'here' : this.inNamedStore(`mlds data fetch ${name}`),
      fingerprint?.slice(0, 12) ?? '',
      what,
    ])
    this.log(formatTable(['name', 'rows', 'shape', 'state', 'SHA-256', 'what'], rows))
    return sets
  }
}
