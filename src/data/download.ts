import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { open, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { makeFolder } from '../system/make-folder.js'
import { DataError, UnavailableError } from '../core/errors.js'
import { moveIntoPlace } from '../system/replace-file.js'

export interface RemoteFile {
  readonly name: string
  readonly md5: string
}

/** Where a set is published, and what its files are. */
export interface Publication {
  readonly base: string
  readonly files: readonly RemoteFile[]
}

export interface DownloadOptions {
  readonly base: string
  readonly folder: string
  readonly signal: AbortSignal
  readonly onProgress: (name: string, bytes: number, total: number | undefined) => void
}

/** Attempts per file in one call; each goes on where the one before broke off. */
const attempts = 4

/**
 * Brings a file into a folder, going on where an earlier attempt broke off, and checks it. Returns its path.
 * @throws UnavailableError when the server can't be reached or has no such file, DataError when the file is another.
 */
export async function download(file: RemoteFile, options: DownloadOptions): Promise<string> {
  const whole = join(options.folder, file.name)
  if ((await hashOf(whole)) === file.md5) return whole
  const part = `${whole}.part`
  await makeFolder(options.folder)
  let broken: unknown
  for (let attempt = 0; attempt < attempts; attempt++) {
    options.signal.throwIfAborted()
    try {
      await receive(file.name, part, options)
      broken = undefined
      break
    } catch (error) {
      if (error instanceof UnavailableError || options.signal.aborted) throw error
      broken = error
    }
  }
  if (broken !== undefined)
    throw new UnavailableError(`${file.name} broke off ${attempts} times: ${(broken as Error).message}`, {
      hint: 'run the same command again: it goes on from there',
    })
  const md5 = await hashOf(part)
  if (md5 !== file.md5) {
    await rm(part, { force: true })
    throw new DataError(`${file.name} from ${options.base} is not the file expected: MD5 ${md5}, expected ${file.md5}`)
  }
  await moveIntoPlace(part, whole)
  return whole
}

async function receive(name: string, part: string, { base, signal, onProgress }: DownloadOptions): Promise<void> {
  const url = new URL(name, base.endsWith('/') ? base : `${base}/`)
  const have = (await stat(part).catch(() => undefined))?.size ?? 0
  let response: Response
  try {
    response = await fetch(url, { signal, headers: have > 0 ? { range: `bytes=${have}-` } : {} })
  } catch (error) {
    const { cause, message } = error as Error
    throw new UnavailableError(`${url.href} can't be reached: ${cause instanceof Error ? cause.message : message}`, {
      hint: 'bring the files some other way and use: mlds data add FILES…',
      cause: error,
    })
  }
  // All of it is here already.
  if (response.status === 416) return
  if (!response.ok || response.body === null)
    throw new UnavailableError(`${url.href} answered ${response.status} ${response.statusText}`)
  // A server that knows no ranges sends the file from its beginning.
  const from = response.status === 206 ? have : 0
  const length = response.headers.get('content-length')
  const total = length === null ? undefined : from + Number(length)
  const handle = await open(part, from > 0 ? 'a' : 'w')
  let bytes = from
  try {
    for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
      await handle.writeFile(chunk)
      bytes += chunk.length
      onProgress(name, bytes, total)
    }
  } finally {
    await handle.close()
  }
  if (total !== undefined && bytes < total) throw new Error(`${bytes} of ${total} bytes came`)
}

async function hashOf(path: string): Promise<string | undefined> {
  const hash = createHash('md5')
  try {
    for await (const chunk of createReadStream(path)) hash.update(chunk as Uint8Array)
  } catch {
    return undefined
  }
  return hash.digest('hex')
}
