import { DataError, UnknownNameError } from '../core/errors.js'
import { addedFacts, loadAdded, readAdded, type AddedFacts } from './added.js'
import type { Dataset } from './dataset.js'
import { dataSets, isPublished, sourceOf, type DataSource, type DataSources } from './sets.js'

/** Data sets by name. */
export interface DataCatalog {
  /** A set's fingerprint, without reading its rows. @throws UnknownNameError, DataError when it is not here. */
  resolve(name: string): { name: string; fingerprint: string }
  /** For a set that does not come with the package: what is known of it, and its bytes as they are stored. */
  stored(name: string): { facts: AddedFacts; read: () => Promise<Uint8Array> } | undefined
  /** The set, in shared memory; read once. @throws DataError when its bytes are not what they should be. */
  load(name: string): Promise<Dataset>
}

export interface DataFolders {
  /** Decoded sets; made anew when deleted. */
  readonly cacheFolder: string
  /** Sets that a person added. */
  readonly dataFolder: string
}

/** Opens sets by name; `sets` are those there are. */
export function openData({ cacheFolder, dataFolder }: DataFolders, sets: DataSources = dataSets): DataCatalog {
  const loaded = new Map<string, Promise<Dataset>>()
  const find = (name: string): DataSource => {
    const source = sourceOf(sets, name)
    if (source === undefined) throw new UnknownNameError('data set', name, Object.keys(sets))
    return source
  }
  const open = (name: string): Promise<Dataset> => {
    const source = find(name)
    return isPublished(source) ? loadAdded(dataFolder, added(dataFolder, name)) : source.load(name, cacheFolder)
  }
  return {
    resolve(name) {
      const source = find(name)
      return { name, fingerprint: isPublished(source) ? added(dataFolder, name).sha256 : source.fingerprint }
    },
    stored(name) {
      if (!isPublished(sourceOf(sets, name))) return undefined
      return { facts: added(dataFolder, name), read: () => readAdded(dataFolder, name) }
    },
    load(name) {
      // Whoever asks for a set that is not here is told so at once.
      this.resolve(name)
      let dataset = loaded.get(name)
      if (dataset === undefined) loaded.set(name, (dataset = open(name)))
      return dataset
    },
  }
}

function added(folder: string, name: string): AddedFacts {
  const facts = addedFacts(folder, name)
  if (facts !== undefined) return facts
  throw new DataError(`the data set ${name} is not here`, {
    hint: `mlds data fetch ${name}, or mlds data add FILES… for files you have`,
    exitCode: 2,
  })
}
