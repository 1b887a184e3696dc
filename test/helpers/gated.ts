import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

const module = `import { existsSync } from 'node:fs'
import { defineExperiment, integer } from 'mlds'
export default defineExperiment({
  space: { n: integer({ default: 0 }) },
  async run({ n }, { report, signal }) {
    await report(1, { loss: n })
    while (n > 0 && !signal.aborted && !existsSync('go')) await new Promise((wake) => setTimeout(wake, 10))
    signal.throwIfAborted()
    return { loss: n }
  },
})
`

/**
 * Writes an experiment whose trials with n > 0 wait until `open` is called, so that the test and not the machine's speed
 * decides what has ended when.
 */
export function writeGated(folder: string): { readonly file: string; readonly open: () => void } {
  writeFileSync(join(folder, 'gated.ts'), module)
  return { file: './gated.ts', open: () => writeFileSync(join(folder, 'go'), '') }
}
