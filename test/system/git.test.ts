import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { gitEnvironment, gitState } from '../../src/system/git.js'
import { temporaryFolder } from '../helpers/cli.js'
import { makeRepository } from '../helpers/repository.js'

it('knows the commit, the branch and whether a file differs from the commit', async () => {
  const { folder, commit } = makeRepository({ 'train.py': 'print(1)\n', 'sub/sweep.yaml': 'a: 1\n' })
  expect(await gitState(join(folder, 'sub'), ['sweep.yaml'])).toEqual({ commit, branch: 'trunk', dirty: false })
  // What nobody added is no part of the code, unless it is what the sweep was asked for by.
  writeFileSync(join(folder, 'sub', 'other.yaml'), 'a: 2\n')
  expect(await gitState(join(folder, 'sub'), ['sweep.yaml'])).toMatchObject({ dirty: false })
  expect(await gitState(join(folder, 'sub'), ['sweep.yaml', 'other.yaml'])).toMatchObject({ commit, dirty: true })
  writeFileSync(join(folder, 'train.py'), 'print(2)\n')
  expect(await gitState(join(folder, 'sub'))).toMatchObject({ commit, dirty: true })
  execFileSync('git', ['-C', folder, 'checkout', '-q', '--detach'])
  expect(await gitState(folder)).toEqual({ commit, dirty: true })
})

it('knows nothing of a folder outside every repository, of one without a commit and of one that is not there', async () => {
  const folder = temporaryFolder()
  expect(await gitState(folder)).toBeUndefined()
  execFileSync('git', ['init', '-q', folder])
  expect(await gitState(folder)).toBeUndefined()
  expect(await gitState(join(folder, 'nowhere'))).toBeUndefined()
})

it('runs no program that a repository names, and follows no variable to another one', async () => {
  const { folder, commit } = makeRepository({ 'train.py': 'print(1)\n' })
  const ran = join(folder, 'ran')
  const script = join(folder, '.git', 'script')
  writeFileSync(script, `#!/bin/sh\ntouch ${ran}\n`, { mode: 0o755 })
  mkdirSync(join(folder, '.git', 'hooks'), { recursive: true })
  for (const hook of ['post-index-change', 'fsmonitor-watchman'])
    writeFileSync(join(folder, '.git', 'hooks', hook), `#!/bin/sh\ntouch ${ran}\n`, { mode: 0o755 })
  execFileSync('git', ['-C', folder, 'config', 'core.fsmonitor', script])
  // As old as the index: git has to look into it, and would write down that it did.
  writeFileSync(join(folder, 'train.py'), 'print(1)\n')
  expect(await gitState(folder, ['train.py'])).toEqual({ commit, branch: 'trunk', dirty: false })
  expect(existsSync(ran)).toBe(false)

  const environment = gitEnvironment({ PATH: '/bin', GIT_DIR: '/elsewhere', git_work_tree: '/elsewhere' })
  expect(environment).toEqual({ PATH: '/bin', LC_ALL: 'C', GIT_TERMINAL_PROMPT: '0' })
})
