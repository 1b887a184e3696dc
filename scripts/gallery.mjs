// Draws the images that docs/gallery.md shows, 720 pixels wide, from the newest sweep of each experiment in a store:
// `npm run gallery -- STORE`. Run the sweeps first; docs/gallery.md says with which settings. An image is at
// images/EXPERIMENT/FIGURE.png of a `reduced` sweep, at images/EXPERIMENT/PROFILE/FIGURE.png of another.
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { renderPng } from '../dist/figures/render.js'

const [store] = process.argv.slice(2)
if (store === undefined) {
  console.error('usage: npm run gallery -- STORE (a folder that holds the sweeps)')
  process.exit(2)
}
const sweeps = join(store, 'sweeps')
const page = readFileSync('docs/gallery.md', 'utf8')
let bytes = 0
for (const [, path, experiment, profile = 'reduced', figure] of page.matchAll(
  /\]\((images\/([\w-]+)\/(?:([\w-]+)\/)?([\w-]+)\.png)\)/g,
)) {
  const folders = readdirSync(sweeps).filter((id) => {
    const plan = JSON.parse(readFileSync(join(sweeps, id, 'plan.json'), 'utf8'))
    return plan.experiment === experiment && plan.profile === profile
  })
  const files = folders.map((id) => join(sweeps, id, 'figures', `${figure}.svg`))
  const newest = files
    .flatMap((file) => {
      const at = statSync(file, { throwIfNoEntry: false })?.mtimeMs
      return at === undefined ? [] : [{ file, at }]
    })
    .sort((a, b) => b.at - a.at)[0]
  if (newest === undefined) {
    console.error(`no ${profile} sweep of ${experiment} in ${store} has drawn ${figure}`)
    process.exitCode = 1
    continue
  }
  const png = await renderPng(readFileSync(newest.file, 'utf8'), { widthPixels: 720 })
  mkdirSync(dirname(join('docs', path)), { recursive: true })
  writeFileSync(join('docs', path), png)
  bytes += png.length
}
console.log(`${(bytes / 1e6).toFixed(2)} MB in docs/images`)
