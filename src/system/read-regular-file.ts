import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs'

/**
 * Opens a file of a store to be read. What stands in its place may be somebody's trap: a pipe would never answer, a
 * device never end. The caller closes the descriptor.
 * @throws as the file system does, and an error of code `EISDIR` or `ERR_NOT_A_FILE` for what is no file.
 */
export function openRegularFile(file: string): number {
  const descriptor = openSync(file, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0))
  const found = fstatSync(descriptor)
  if (found.isFile()) return descriptor
  closeSync(descriptor)
  const [code, what] = found.isDirectory() ? ['EISDIR', 'it is a folder'] : ['ERR_NOT_A_FILE', 'it is not a file']
  throw Object.assign(new Error(what), { code, path: file, syscall: 'open' })
}

/** All bytes of a file of a store. @throws as {@link openRegularFile}. */
export function readRegularFile(file: string): Uint8Array
/** All text of a file of a store. @throws as {@link openRegularFile}. */
export function readRegularFile(file: string, encoding: 'utf8'): string
export function readRegularFile(file: string, encoding?: 'utf8'): Uint8Array | string {
  const descriptor = openRegularFile(file)
  try {
    return readFileSync(descriptor, encoding)
  } finally {
    closeSync(descriptor)
  }
}
