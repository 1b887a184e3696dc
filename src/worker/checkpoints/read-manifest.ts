import { z } from 'zod'
import { NameCheck } from '../../core/names.js'
import type { Metrics } from '../../core/trial.js'
import { manifestFormat, maxCheckpointBytes, sizeOf, type Manifest } from './manifest.js'

const maxFiles = 10_000
const maxSaved = 1_000

/** One step below the checkpoint's own folder, and never out of it. */
const segment = /^(?!\.{1,2}$)[^/\\\u0000-\u001f\u007f-\u009f]{1,200}$/
const isInside = (path: string): boolean => path.length <= 1_000 && path.split('/').every((part) => segment.test(part))

const sha256 = z.string().regex(/^[0-9a-f]{64}$/)
const bytes = z.int().min(0).max(maxCheckpointBytes)
const count = z.int().min(0)
// JSON has no NaN: non-finite numbers are words.
const number = z.union([z.number(), z.enum(['NaN', 'Infinity', '-Infinity']).transform(Number)])
const metrics = z
  .array(z.tuple([z.string().min(1).max(240), number]))
  .transform((entries): Metrics => Object.fromEntries(entries))
const report = z.object({ step: z.int(), atMs: z.number().min(-8.64e15).max(8.64e15), metrics })

const manifestSchema = z
  .object({
    format: z.literal(manifestFormat),
    attempt: z.int().min(1),
    reports: z.array(report),
    saved: z
      .array(z.object({ name: z.string().min(1).max(250), after: count, sha256, sizeBytes: bytes }))
      .max(maxSaved),
    files: z.array(z.object({ path: z.string().refine(isInside), sha256, sizeBytes: bytes })).max(maxFiles),
  })
  .refine(({ files, saved }) => sizeOf({ files, saved }) <= maxCheckpointBytes)
  .refine(({ files }) => new Set(files.map(({ path }) => path)).size === files.length)
  .refine(({ reports }) => areNamed(reports))

function areNamed(reports: readonly { readonly metrics: Metrics }[]): boolean {
  const names = new NameCheck('metric')
  try {
    for (const { metrics: told } of reports) names.add(Object.keys(told))
    return true
  } catch {
    return false
  }
}

/** The manifest that a text says; `undefined` for one that is none, of another version, or that says more than a checkpoint may hold. */
export function decodeManifest(text: string): Manifest | undefined {
  try {
    const parsed = manifestSchema.safeParse(JSON.parse(text))
    if (!parsed.success) return undefined
    const { format: _, ...manifest } = parsed.data
    return manifest
  } catch {
    return undefined
  }
}
