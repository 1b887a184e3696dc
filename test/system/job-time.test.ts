import { describe, expect, it } from 'vitest'
import { jobTimeLeftMs } from '../../src/system/job-time.js'

const nowMs = 1_800_000_000_000
const never = async (): Promise<string> => {
  throw new Error('squeue was asked')
}
const answering = (answer: string) => async (args: readonly string[]) => {
  expect(args).toEqual(['-h', '-j', '17', '-o', '%L'])
  return answer
}

describe('the time that a job of Slurm has left', () => {
  it('is what its environment says, without asking anybody', async () => {
    expect(await jobTimeLeftMs({ SLURM_JOB_END_TIME: '1800003600', SLURM_JOB_ID: '17' }, nowMs, never)).toBe(3_600_000)
    expect(await jobTimeLeftMs({ SLURM_JOB_END_TIME: '1799999999' }, nowMs, never)).toBe(0)
  })

  it.each([
    ['1-02:03:04\n', 93_784_000],
    ['2:03:04\n', 7_384_000],
    ['59:58\n', 3_598_000],
    ['0:00', 0],
    ['UNLIMITED\n', Infinity],
  ])('is what squeue says where the environment does not: %j', async (answer, leftMs) => {
    expect(await jobTimeLeftMs({ SLURM_JOB_ID: '17' }, nowMs, answering(answer))).toBe(leftMs)
  })

  it.each(['', 'soon', '0', '1800003600.5', '-5', '99999999999999999999', '1800003600000'])(
    'is asked of squeue where the environment says %j, which is no end of a job',
    async (end) => {
      const env = { SLURM_JOB_END_TIME: end, SLURM_JOB_ID: '17' }
      expect(await jobTimeLeftMs(env, nowMs, answering('10:00'))).toBe(600_000)
    },
  )

  it.each(['INVALID', 'NOT_SET', '', '1:2:3:4', '9'.repeat(500), '12'])(
    'is not known, in a sentence, when squeue answers %j',
    async (answer) => {
      await expect(jobTimeLeftMs({ SLURM_JOB_ID: '17' }, nowMs, answering(answer))).rejects.toThrow(
        /^--time-limit auto: squeue does not tell how long job 17 has left: .{0,60}$/,
      )
    },
  )

  it.each(['', '17; rm -rf /', '-x', '1'.repeat(30)])('is not asked for a job that is none: %j', async (job) => {
    await expect(jobTimeLeftMs({ SLURM_JOB_ID: job }, nowMs, never)).rejects.toThrow('this is no job of Slurm')
  })

  it('is asked for one task of an array, whose last has the number of them all', async () => {
    const env = { SLURM_JOB_ID: '17', SLURM_ARRAY_JOB_ID: '17', SLURM_ARRAY_TASK_ID: '3' }
    const ask = async (args: readonly string[]): Promise<string> => (args[2] === '17_3' ? '10:00' : '10:00\n9:00')
    expect(await jobTimeLeftMs(env, nowMs, ask)).toBe(600_000)
  })

  it('is not known where there is no squeue', async () => {
    const env = { SLURM_JOB_ID: '17' }
    await expect(jobTimeLeftMs(env, nowMs, never)).rejects.toMatchObject({
      message: expect.stringContaining('squeue was asked') as string,
      hint: expect.stringContaining('--time-limit 2h') as string,
    })
  })
})
