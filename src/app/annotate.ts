import { MldsError } from '../core/errors.js'
import type { SweepFolder } from '../sweeps/sweep-folder.js'
import { noteOf, readNote, writeNote, type SweepNote } from '../sweeps/sweep-note.js'

/** Puts this note, in Markdown, in the place of the sweep's; an empty one removes it. @throws MldsError, StoreError as {@link writeNote} does. */
export async function changeNote(sweep: SweepFolder, note: string): Promise<SweepNote> {
  await writeNote(sweep.folder, { ...readNote(sweep.folder), note })
  return noteOf(sweep)
}

/**
 * Gives a sweep tags, or takes them away. @returns its note and tags then.
 * @throws MldsError for what is no tag, and for a tag to take away that the sweep's file gives it.
 */
export async function changeTags(
  sweep: SweepFolder,
  { add = [], remove = [] }: { readonly add?: readonly string[]; readonly remove?: readonly string[] },
): Promise<SweepNote> {
  const ofFile = remove.filter((tag) => sweep.plan.spec.tags?.includes(tag))
  if (ofFile.length > 0)
    throw new MldsError(
      'USAGE',
      `${ofFile.join(' ')}: can't be taken away, the sweep's file gives it that tag (under tags:)`,
    )
  const before = readNote(sweep.folder)
  const tags = [...before.tags.filter((tag) => !remove.includes(tag)), ...add]
  await writeNote(sweep.folder, { ...before, tags })
  return noteOf(sweep)
}
