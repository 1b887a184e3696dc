import { StoreError } from './errors.js'
import { codeVersion } from './version.js'

/** Something that a newer mlds wrote. */
export class NewerFormatError extends StoreError {}

/**
 * Refuses what a newer mlds wrote: it is never guessed at, and never written over. A number that is absent means 1.
 * @param what what was found, as the sentence begins: a file, a sweep.
 * @param kind what is numbered: "journal format".
 * @param by the version that wrote it, where that is known.
 * @throws NewerFormatError when `format` is above `known`.
 */
export function refuseNewer(
  what: string,
  kind: string,
  { format, known, by }: { readonly format: unknown; readonly known: number; readonly by?: unknown },
): void {
  if (typeof format !== 'number' || format <= known) return
  throw new NewerFormatError(`${what} was written by a newer mlds: ${kind} ${format} (this one reads up to ${known})`, {
    hint:
      typeof by === 'string' && isLater(by) ? `update mlds to at least ${by}` : `update mlds: this is ${codeVersion}`,
  })
}

function isLater(version: string): boolean {
  const [theirs, ours] = [version, codeVersion].map((text) => text.split('.').map(Number))
  const place = theirs!.findIndex((part, i) => part !== ours![i])
  return place >= 0 && theirs![place]! > (ours![place] ?? 0)
}
