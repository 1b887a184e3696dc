import { join } from 'node:path'
import { MldsError, StoreError } from '../core/errors.js'
import { refuseNewer } from '../core/newer-format.js'
import { problemOf } from '../core/system-error.js'
import { readRegularFile } from '../system/read-regular-file.js'
import { replaceFile } from '../system/replace-file.js'
import type { Plan } from './plan.js'

/** What people wrote of a sweep: kept in `note.json` of its folder. It changes no trial and no result. */
export interface SweepNote {
  /** Markdown; empty when there is none. */
  readonly note: string
  /** Sorted, each once. */
  readonly tags: readonly string[]
}

const noteFormat = 1
export const maxNoteLength = 20_000
const maxTags = 50
const tagPattern = /^[\p{L}\p{N}][\p{L}\p{N}._:=/-]{0,49}$/u

const fileOf = (folder: string): string => join(folder, 'note.json')

/** What is there of a sweep's folder; a file that holds no note is none. @throws StoreError when a newer mlds wrote it. */
export function readNote(folder: string): SweepNote {
  let stored: { format?: unknown; note?: unknown; tags?: unknown }
  try {
    stored = (JSON.parse(readRegularFile(fileOf(folder), 'utf8')) ?? {}) as typeof stored
  } catch {
    return { note: '', tags: [] }
  }
  refuseNewer(fileOf(folder), 'note format', { format: stored.format, known: noteFormat })
  const tags = Array.isArray(stored.tags) ? stored.tags.filter((tag) => typeof tag === 'string') : []
  return {
    note: typeof stored.note === 'string' ? stored.note.slice(0, maxNoteLength) : '',
    tags: [...new Set(tags.filter((tag) => tagPattern.test(tag)))].sort().slice(0, maxTags),
  }
}

/** What people wrote of a sweep, with the tags that its file gives it. @throws StoreError as {@link readNote} does. */
export function noteOf({ folder, plan }: { readonly folder: string; readonly plan: Pick<Plan, 'spec'> }): SweepNote {
  const { note, tags } = readNote(folder)
  return { note, tags: [...new Set([...(plan.spec.tags ?? []), ...tags])].sort() }
}

/** Replaces the sweep's note and tags. @throws MldsError for what is no tag or is too long, StoreError when it can't be written. */
export async function writeNote(folder: string, { note, tags }: SweepNote): Promise<SweepNote> {
  if (note.length > maxNoteLength)
    throw new MldsError('NOTE', `a note of ${note.length} characters: at most ${maxNoteLength} are kept`)
  for (const tag of tags)
    if (!tagPattern.test(tag))
      throw new MldsError(
        'TAG',
        `not a tag: ${JSON.stringify(tag.slice(0, 100))} (letters, digits and . _ : = / - after the first, at most 50)`,
      )
  const kept = { note, tags: [...new Set(tags)].sort() }
  if (kept.tags.length > maxTags) throw new MldsError('TAG', `${kept.tags.length} tags: a sweep has at most ${maxTags}`)
  const file = fileOf(folder)
  await replaceFile(file, `${JSON.stringify({ format: noteFormat, ...kept }, null, 2)}\n`).catch((error: unknown) => {
    throw new StoreError(`the note could not be kept: ${file}: ${problemOf(error)}`, { cause: error })
  })
  return kept
}
