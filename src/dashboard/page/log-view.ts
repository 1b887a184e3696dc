import { printable } from '../../core/printable.js'
import { fill, h, notice } from './dom.js'
import { shortLines } from './format.js'
import { source } from './source.js'

/** Of a longer log the end stays on the page. */
const maxCharacters = 300_000
/** Colours of a terminal are left out; what else one would obey is spelled out. */
const plain = (text: string): string => printable(text.replaceAll(/\u001b\[[0-9;:]*m/g, ''))

/** The log of one attempt, as it grows. */
export function logView(sweep: string, trial: string, attempt: number): { element: HTMLElement; close: () => void } {
  const status = h('div')
  const body = h('pre', { class: 'log', tabindex: 0, 'aria-label': 'Log', hidden: true })
  const element = h('div', {}, status, body)
  fill(status, notice('waiting', 'Waiting for the log …'))
  let text = ''
  let skipped = 0
  const stream = source.followLog(
    { sweep, trial, attempt },
    {
      onPart(told) {
        skipped += told.skipped
        text = (text + told.text).slice(-maxCharacters)
        const isAtEnd = body.scrollHeight - body.scrollTop - body.clientHeight < 40
        body.hidden = text === ''
        body.textContent = shortLines(plain(text))
        fill(
          status,
          text === '' ? notice('empty', 'The log is empty.') : null,
          skipped > 0 ? h('p', { class: 'note' }, `The end of it; mlds logs ${trial} prints all.`) : null,
        )
        if (isAtEnd) body.scrollTop = body.scrollHeight
      },
      onTrouble: (why) => fill(status, notice('broken', `The log can't be read: ${why}`)),
      onNone: () =>
        fill(
          status,
          source.report === undefined
            ? notice('empty', 'This attempt has no log.')
            : notice(
                'empty',
                'This report holds no log of it; where the sweep is: ',
                h('code', {}, `mlds logs ${trial}`),
              ),
        ),
    },
  )
  return { element, close: () => stream.close() }
}
