/** What the operating system's error codes mean, for the person who must act. */
const reasons: Readonly<Record<string, string>> = {
  EACCES: 'no permission',
  EPERM: 'no permission',
  EROFS: 'it is read-only',
  ENOSPC: 'the disk is full',
  EDQUOT: 'the disk quota is used up',
  EFBIG: 'the file would be larger than is allowed there',
  ENOENT: 'no such file or folder',
  ENOTDIR: 'a part of the path is a file, not a folder',
  EISDIR: 'it is a folder',
  EEXIST: 'it is there already',
  ENOTEMPTY: 'the folder is not empty',
  ELOOP: 'its symbolic links go in a circle',
  ENAMETOOLONG: 'the name is too long',
  EMFILE: 'too many files are open (ulimit -n)',
  ENFILE: 'too many files are open on this host',
  ENOMEM: 'there is not enough memory',
  EAGAIN: 'the system has no more processes or memory to give (ulimit -u)',
  EIO: 'the disk fails to read or write',
  ESTALE: 'the network file system has lost it',
  EBUSY: 'it is in use',
  ETXTBSY: 'it is in use',
  EXDEV: 'it is on another disk',
  ENXIO: 'there is no such device',
  ENODEV: 'there is no such device',
  EINVAL: 'the file system does not allow it',
  EBADF: 'it is closed',
  ENOTSUP: 'the file system does not allow it',
  ENOTCONN: 'the connection is closed',
  ECONNREFUSED: 'nobody answers there',
  ECONNRESET: 'the other side closed the connection',
  ECONNABORTED: 'the connection was cut',
  ENOTFOUND: 'there is no host of that name',
  EAI_AGAIN: "the host's name can't be looked up now",
  ETIMEDOUT: 'nobody answered in time',
  EHOSTUNREACH: "that host can't be reached",
  ENETUNREACH: "that network can't be reached",
  EADDRINUSE: 'another program listens there',
  EADDRNOTAVAIL: 'this host has no such address',
  ERR_FS_FILE_TOO_LARGE: 'the file is too large to be read at once',
  ERR_NOT_A_FILE: 'it is not a file',
  ERR_STRING_TOO_LONG: 'the file is too large to be read at once',
  ERR_WORKER_OUT_OF_MEMORY: 'a thread had not enough memory (NODE_OPTIONS=--max-old-space-size=MEGABYTES gives more)',
}

/** What the codes mean where a stream is written or read: a terminal, a pipe, a connection. */
const streamReasons: Readonly<Record<string, string>> = {
  EIO: 'the terminal is gone',
  EAGAIN: 'the other side takes no more now',
  EPIPE: 'nobody reads it any more',
}

interface SystemError extends NodeJS.ErrnoException {
  readonly dest?: string
  readonly address?: string
  readonly port?: number
}

/** Node puts some errors into another: what the call said is in its `info`. */
function unwrap(error: unknown): SystemError {
  const { code, info } = error as SystemError & { readonly info?: SystemError }
  return code === 'ERR_SYSTEM_ERROR' && info !== undefined ? info : (error as SystemError)
}

/**
 * Whether a terminal, a pipe or a connection failed. Both they and files fail in a `write` without a path; what Node calls
 * the error tells them apart: `write EIO` of a stream, `EIO: i/o error, write` of a file.
 */
function isOfStream({ message, code, syscall, path }: SystemError): boolean {
  return (
    path === undefined &&
    syscall !== undefined &&
    Object.hasOwn(streams, syscall) &&
    message.startsWith(`${syscall} ${code}`)
  )
}

/** The reason in words, or `undefined` for an error that does not come from the system. */
export function systemReason(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined
  const failure = unwrap(error)
  const { code } = failure
  if (code === undefined) return undefined
  if (isOfStream(failure) && Object.hasOwn(streamReasons, code)) return streamReasons[code]
  return Object.hasOwn(reasons, code) ? reasons[code] : undefined
}

/** Why something can't be read or written, as a person says it. */
export const problemOf = (error: unknown): string =>
  systemReason(error) ?? (error instanceof Error ? error.message : String(error))

/** Calls that name no file, in words. */
const calls: Readonly<Record<string, string>> = {
  write: 'a file could not be written',
  writev: 'a file could not be written',
  fsync: 'a file could not be written',
  fdatasync: 'a file could not be written',
  ftruncate: 'a file could not be written',
  read: 'a file could not be read',
  fstat: 'a file could not be read',
  uv_cwd: 'the working folder is gone',
  uv_os_homedir: 'the home folder of this user is not known (HOME names it)',
  uv_os_get_passwd: 'this user has no name on this host',
}

/** Calls to a stream, in words. */
const streams: Readonly<Record<string, string>> = {
  write: 'what was printed is lost',
  writev: 'what was printed is lost',
  read: 'the input could not be read',
}

/** The whole sentence about an error of the system that came up where nobody had words for it; `undefined` for others. */
export function describeSystemError(error: unknown): string | undefined {
  const reason = systemReason(error)
  if (reason === undefined) return undefined
  const failure = unwrap(error)
  const { path, dest, syscall, address, port } = failure
  const words = isOfStream(failure) ? streams : calls
  const what =
    dest ??
    path ??
    (address === undefined ? undefined : port === undefined ? address : `${address}:${port}`) ??
    (syscall === undefined ? undefined : (words[syscall] ?? syscall))
  return what === undefined ? reason : `${what}: ${reason}`
}
