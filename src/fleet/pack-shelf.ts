import { randomUUID } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import { UnavailableError } from '../core/errors.js'
import { problemOf } from '../core/system-error.js'
import { packMlds, type Pack } from './pack.js'
import { tarOf } from './tar.js'

/** What is copied to hosts, packed once for all of them, and only if one wants it. */
export class PackShelf {
  readonly #packs = new Map<boolean, Pack>()
  readonly #archives = new Map<string, Promise<string>>()

  constructor(private readonly folder = tmpdir()) {}

  /** @param node for a host that has none. */
  pack(node: boolean): Pack {
    const pack = this.#packs.get(node) ?? packMlds(node)
    this.#packs.set(node, pack)
    return pack
  }

  /** The archive, and how many bytes go over the wire. @throws UnavailableError when it can't be written here. */
  async open({ digest, files }: Pack): Promise<{ stream: Readable; bytes: number }> {
    const archive = this.#archives.get(digest) ?? this.#write(files)
    this.#archives.set(digest, archive)
    const file = await archive
    return { stream: createReadStream(file), bytes: (await stat(file)).size }
  }

  async #write(files: Pack['files']): Promise<string> {
    const file = join(this.folder, `mlds-${randomUUID()}.tgz`)
    try {
      await pipeline(tarOf(files), createGzip({ level: 1 }), createWriteStream(file, { mode: 0o600 }))
    } catch (error) {
      await rm(file, { force: true })
      throw new UnavailableError(`mlds can't be packed: ${file}: ${problemOf(error)}`, { cause: error })
    }
    return file
  }

  async close(): Promise<void> {
    for (const archive of this.#archives.values()) {
      const file = await archive.catch(() => undefined)
      if (file !== undefined) await rm(file, { force: true })
    }
  }
}
