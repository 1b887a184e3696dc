// Compiles src/ to dist/ from scratch, so that a deleted source file leaves no command behind.
import { execFileSync } from 'node:child_process'
import { rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'

const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc')
rmSync('dist', { recursive: true, force: true })
rmSync('oclif.manifest.json', { force: true })
try {
  execFileSync(process.execPath, [tsc, '-p', 'tsconfig.build.json'], { stdio: 'inherit' })
} catch {
  process.exit(1)
}

// oclif reads the commands from a manifest, so that --help need not load them all.
const { Plugin } = await import('@oclif/core')
const plugin = new Plugin({ root: process.cwd(), ignoreManifest: true, errorOnManifestCreate: true })
await plugin.load()
writeFileSync('oclif.manifest.json', JSON.stringify(plugin.manifest, null, 1))
