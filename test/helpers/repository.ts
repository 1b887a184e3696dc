import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { temporaryFolder } from './cli.js'

/** A git repository with one commit of these files, on the branch `trunk`; it goes with the test. */
export function makeRepository(files: Readonly<Record<string, string>>): { folder: string; commit: string } {
  const folder = temporaryFolder()
  execFileSync('git', ['init', '-q', '-b', 'trunk', folder])
  return { folder, commit: commitFiles(folder, files) }
}

/** Writes files and commits them. @returns the commit. */
export function commitFiles(folder: string, files: Readonly<Record<string, string>>): string {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true })
    writeFileSync(join(folder, name), text)
  }
  const author = ['-c', 'user.name=Test', '-c', 'user.email=test@example.org']
  const git = (...args: string[]): string => execFileSync('git', ['-C', folder, ...args], { encoding: 'utf8' })
  git('add', ...Object.keys(files))
  git(...author, 'commit', '-q', '-m', 'Files')
  return git('rev-parse', 'HEAD').trim()
}
