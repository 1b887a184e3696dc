// Compiles src/ to dist/ from scratch, so that a deleted source file leaves no command behind.
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { build } from 'esbuild'

// npm prepares a package once more for its own first npx: what is built already stays.
if (process.argv.includes('--unless-fresh') && isFresh()) process.exit(0)

const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc')
rmSync('dist', { recursive: true, force: true })
rmSync('oclif.manifest.json', { force: true })
try {
  const compile = (...args) => execFileSync(process.execPath, [tsc, ...args], { stdio: 'inherit' })
  compile('-p', 'tsconfig.build.json')
  // What runs in a browser knows nothing of Node, and the rest nothing of a browser.
  compile('-p', 'src/dashboard/page')
} catch {
  process.exit(1)
}

// The page is one script and one style sheet, so that a report can hold it and users build nothing.
await build({
  entryPoints: { page: 'src/dashboard/page/main.ts', 'page-style': 'src/dashboard/page/style.css' },
  outdir: 'dist/dashboard',
  bundle: true,
  minify: true,
  format: 'iife',
  target: 'es2022',
  charset: 'utf8',
  banner: { js: `/*!\nWith uPlot:\n${readFileSync('node_modules/uplot/LICENSE', 'utf8')}*/` },
  logLevel: 'warning',
})

// oclif reads the commands from a manifest, so that --help need not load them all.
const { Plugin } = await import('@oclif/core')
const plugin = new Plugin({ root: process.cwd(), ignoreManifest: true, errorOnManifestCreate: true })
await plugin.load()
writeFileSync('oclif.manifest.json', JSON.stringify(plugin.manifest, null, 1))

/** Whether the last step of a build is younger than all that goes into one; a folder's time tells what was deleted. */
function isFresh() {
  if (!existsSync('dist') || !existsSync('oclif.manifest.json')) return false
  const builtMs = statSync('oclif.manifest.json').mtimeMs
  const sources = readdirSync('src', { recursive: true }).map((path) => join('src', path))
  return ['package.json', 'tsconfig.json', 'tsconfig.build.json', 'src', ...sources].every(
    (path) => statSync(path).mtimeMs < builtMs,
  )
}
