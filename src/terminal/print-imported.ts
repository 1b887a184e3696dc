import type { Imported } from '../sweeps/spec/import/imported.js'

/** A sweep file for standard output; what could not be said in it goes to standard error. */
export async function printImported({ spec, leftOut }: Imported, log: (text: string) => void): Promise<void> {
  const { stringify } = await import('yaml')
  log(stringify(spec).trimEnd())
  for (const left of leftOut) process.stderr.write(`not translated: ${left}\n`)
}
