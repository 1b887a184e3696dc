import type { Clock } from '../../core/clock.js'
import { canRedraw } from '../terminal.js'

/** How a terminal takes an image: Kitty's graphics protocol, iTerm2's inline images, or DEC's Sixel. */
export type ImageProtocol = 'kitty' | 'iterm' | 'sixel'

export interface ImageTerminal {
  readonly protocol: ImageProtocol
  /** Pixels of a letter's cell, where the terminal tells. */
  readonly cell?: { readonly width: number; readonly height: number }
}

/** What is asked of a terminal; of Node's, standard input and output. */
export interface AskedTerminal {
  readonly input: Pick<NodeJS.ReadStream, 'isTTY' | 'isRaw' | 'setRawMode' | 'on' | 'off' | 'resume' | 'pause'>
  readonly output: Pick<NodeJS.WriteStream, 'isTTY' | 'write'>
  readonly environment: NodeJS.ProcessEnv
  readonly clock: Clock
}

/** A terminal over a slow line answers within this; one that answers nothing is not waited for longer. */
const patienceMs = 1_000

/** Kitty's question, the size of a cell, and what every terminal answers, so that no answer to the others is told at once. */
const questions = '\x1b_Gi=31,s=1,v=1,a=q,t=d,f=24;AAAA\x1b\\\x1b[16t\x1b[c'

/**
 * Asks a terminal which images it draws; `undefined` where it draws none, is none, or nobody can hear what it answers.
 * iTerm2 and WezTerm are known by what they put into the environment, unless tmux stands between.
 */
export async function askForImages(terminal: AskedTerminal): Promise<ImageTerminal | undefined> {
  const { input, output, environment } = terminal
  if (!canRedraw(output, environment) || input.isTTY !== true) return undefined
  const answer = await answerOf(terminal)
  const [, height, width] = /\x1b\[6;(\d{1,4});(\d{1,4})t/.exec(answer) ?? []
  const cell = Number(width) > 0 && Number(height) > 0 ? { cell: { width: Number(width), height: Number(height) } } : {}
  if (answer.includes('\x1b_Gi=31;OK')) return { protocol: 'kitty', ...cell }
  const program = environment['LC_TERMINAL'] ?? environment['TERM_PROGRAM'] ?? ''
  if (environment['TMUX'] === undefined && /^(?:iTerm|WezTerm)/.test(program)) return { protocol: 'iterm', ...cell }
  const [, attributes = ''] = /\x1b\[\?([\d;]*)c/.exec(answer) ?? []
  return attributes.split(';').slice(1).includes('4') ? { protocol: 'sixel', ...cell } : undefined
}

/** All that the terminal answers up to its device attributes, or until patience ends. */
async function answerOf({ input, output, clock }: AskedTerminal): Promise<string> {
  const wasRaw = input.isRaw
  input.setRawMode(true)
  let answer = ''
  try {
    await new Promise<void>((resolve) => {
      const cancel = clock.after(patienceMs, done)
      function done(): void {
        cancel()
        input.off('data', hear)
        resolve()
      }
      function hear(chunk: Buffer | string): void {
        // What a hostile terminal sends without end is not kept.
        answer = (answer + String(chunk)).slice(-4_096)
        if (/\x1b\[\?[\d;]*c/.test(answer)) done()
      }
      input.on('data', hear)
      input.resume()
      output.write(questions)
    })
  } finally {
    input.pause()
    input.setRawMode(wasRaw)
  }
  return answer
}
