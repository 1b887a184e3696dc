import { createReadStream } from 'node:fs'
import { Readable } from 'node:stream'

/** A file of an archive: bytes at hand, or a file of this host of just that size. */
export interface TarFile {
  /** Relative, with `/`; at most 255 bytes, of which the last part at most 100. */
  readonly path: string
  readonly executable?: boolean
  readonly content: Uint8Array | { readonly file: string; readonly size: number }
}

const block = 512
export const sizeOf = ({ content }: TarFile): number =>
  content instanceof Uint8Array ? content.byteLength : content.size

/** An archive in the format that every `tar` reads (POSIX.1-1988, ustar): no owners, no times, for its user alone, so that the same files give the same bytes. */
export const tarOf = (files: Iterable<TarFile>): Readable => Readable.from(blocksOf(files), { objectMode: false })

async function* blocksOf(files: Iterable<TarFile>): AsyncGenerator<Uint8Array> {
  for (const file of files) {
    const size = sizeOf(file)
    yield headerOf(file, size)
    if (file.content instanceof Uint8Array) yield file.content
    else {
      let sent = 0
      for await (const chunk of createReadStream(file.content.file)) {
        sent += (chunk as Buffer).length
        yield chunk as Buffer
      }
      if (sent !== size) throw new Error(`${file.content.file} changed while it was read`)
    }
    const over = size % block
    if (over > 0) yield Buffer.alloc(block - over)
  }
  yield Buffer.alloc(2 * block)
}

function headerOf({ path, executable = false }: TarFile, size: number): Buffer {
  const header = Buffer.alloc(block)
  const { prefix, name } = splitPath(path)
  const octal = (value: number, digits: number): string => `${value.toString(8).padStart(digits, '0')}\0`
  header.write(name, 0, 100)
  header.write(octal(executable ? 0o700 : 0o600, 7), 100)
  header.write(octal(0, 7), 108)
  header.write(octal(0, 7), 116)
  header.write(octal(size, 11), 124)
  header.write(octal(0, 11), 136)
  header.write(' '.repeat(8), 148)
  header.write('0', 156)
  header.write('ustar\0' + '00', 257)
  header.write(prefix, 345, 155)
  const sum = header.reduce((total, byte) => total + byte, 0)
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  return header
}

function splitPath(path: string): { prefix: string; name: string } {
  if (Buffer.byteLength(path) <= 100) return { prefix: '', name: path }
  for (let at = path.indexOf('/'); at > 0; at = path.indexOf('/', at + 1)) {
    const [prefix, name] = [path.slice(0, at), path.slice(at + 1)]
    if (Buffer.byteLength(name) <= 100 && Buffer.byteLength(prefix) <= 155) return { prefix, name }
  }
  throw new Error(`too long a path for an archive: ${path}`)
}
