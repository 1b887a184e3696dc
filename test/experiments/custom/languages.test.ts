import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { PrintedMetrics } from '../../../src/experiments/custom/printed-metrics.js'
import type { Metrics } from '../../../src/core/trial.js'
import { mlds, temporaryFolder } from '../../helpers/cli.js'

const repository = join(import.meta.dirname, '..', '..', '..')
const page = readFileSync(join(repository, 'docs', 'custom-experiments.md'), 'utf8')
const helper = readFileSync(join(repository, 'python', 'mlds.py'), 'utf8')

/** The program of the page in a language, and those of its interpreters that answer here. */
const languages = {
  python: ['python3', ...[9, 10, 11, 12, 13].map((minor) => `python3.${minor}`)],
  sh: ['sh'],
  r: ['Rscript'],
  julia: ['julia'],
}
const answers = (program: string): boolean => {
  try {
    execFileSync(program, [program === 'sh' ? '-c' : '--version', 'true'].slice(0, program === 'sh' ? 2 : 1), {
      stdio: 'ignore',
    })
    return true
  } catch {
    return false
  }
}
const here = Object.entries(languages).flatMap(([language, programs]) =>
  programs.filter(answers).map((program) => [language, program] as const),
)
const programOn = (language: string): string => new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``).exec(page)![1]!

function folderWith(source: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'mlds-language-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  writeFileSync(join(folder, 'mlds.py'), helper)
  writeFileSync(join(folder, 'program'), source)
  return folder
}

describe('a program', () => {
  it.each(here)('in %s, by %s, as the page has it, reports and leaves a file', async (language, program) => {
    const folder = folderWith(programOn(language))
    const env = { ...process.env, MLDS_FOLDER: folder, MLDS_SEED: '1', MLDS_PARAMS: '{"lr": 6}', MLDS_TRIAL: 'a' }
    const printed = execFileSync(program, ['program', '6'], { cwd: folder, env, encoding: 'utf8' })
    const reports: [number, Metrics][] = []
    const metrics = new PrintedMetrics(
      { log: () => {}, report: async (step, told) => void reports.push([step, told]) },
      () => false,
    )
    const stream = metrics.stream()
    for (const line of printed.split('\n')) await stream.take(line)
    expect(reports).toEqual([
      [1, { loss: 7 }],
      [2, { loss: 4 }],
      [3, { loss: 3 }],
    ])
    expect(readFileSync(join(folder, 'weights.txt'), 'utf8')).toMatch(/^6(\.0)?\n?$/)
  })

  it.each(here.filter(([language]) => language === 'python'))(
    'in %s, by %s, runs without mlds, is told to stop, and keeps a checkpoint once it is whole',
    (_, program) => {
      const folder = folderWith(`
import os, signal, mlds
assert mlds.params(lr=3).lr == 3 and mlds.seed() == 0 and mlds.seed(7) == 7
assert not mlds.should_stop()
os.kill(os.getpid(), signal.SIGTERM)
assert mlds.should_stop()
with mlds.checkpoint(1) as path:
    path.write_text("gone")
assert mlds.last_checkpoint() is None
os.environ["MLDS_CHECKPOINT"] = os.getcwd()
assert mlds.last_checkpoint() is None
for step in (9, 10):
    with mlds.checkpoint(step, ".pt") as path:
        path.write_text(str(step))
try:
    with mlds.checkpoint(11) as path:
        path.write_text("half")
        raise KeyError
except KeyError:
    pass
step, path = mlds.last_checkpoint()
assert (step, path.name, path.read_text()) == (10, "10.pt", "10"), path
assert mlds.save("a/b", b"\\x00").read_bytes() == b"\\x00"
mlds.report(loss=1.5)
mlds.report(2, {"val/acc": 1}, loss=float("nan"))
`)
      const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('MLDS_')))
      expect(execFileSync(program, ['program'], { cwd: folder, env, encoding: 'utf8' })).toBe(
        '{"loss": 1.5}\n{"step": 2, "val/acc": 1.0, "loss": NaN}\n',
      )
      expect(existsSync(join(folder, 'a', 'b'))).toBe(true)
    },
  )

  it('in Python gets the helper from mlds, runs in a sweep with it, and its sweep is loaded by it', async () => {
    const cwd = temporaryFolder()
    const { stdout } = await mlds(['helper', 'python'], { cwd })
    expect(stdout).toBe(helper)
    writeFileSync(join(cwd, 'mlds.py'), stdout)
    writeFileSync(join(cwd, 'train.py'), programOn('python'))
    writeFileSync(join(cwd, 'mine.yaml'), 'experiment: {command: python3 train.py}\nname: mine\naxes: {lr: [3, 6]}\n')
    expect((await mlds(['sweep', 'mine.yaml'], { cwd })).code).toBe(0)
    const run = join(repository, 'bin', 'run.js')
    const script = `import mlds; print([(row["lr"], row["loss"]) for row in mlds.load("mine", command="${process.execPath} ${run}")])`
    expect(execFileSync('python3', ['-c', script], { cwd, encoding: 'utf8' })).toBe('[(3, 1), (6, 2)]\n')
  })
})
