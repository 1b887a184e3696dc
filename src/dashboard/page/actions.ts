import type { ActionAnswer, SweepLine } from '../wire.js'
import { fill, h, labelled } from './dom.js'

/** Whether the server was told to let its page change something (`--allow-actions`). */
export const mayAct = (): boolean => document.body.dataset['actions'] === 'allowed'

/** Has something done to a sweep. @returns what came of it, a sentence. @throws Error with why it can't be done. */
async function act(sweep: string, action: Readonly<Record<string, string>>): Promise<string> {
  const response = await fetch(`./act?${new URLSearchParams({ sweep }).toString()}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(action),
  })
  if (!response.ok) throw new Error((await response.text()).trim() || `the server answered ${response.status}`)
  return ((await response.json()) as ActionAnswer).told
}

/** Where what came of an action is said; `run` does one, and no second one meanwhile. */
class Acting {
  readonly said = h('span', { role: 'status', class: 'soft said' })
  #isBusy = false

  constructor(private readonly sweep: string) {}

  async run(action: Readonly<Record<string, string>>): Promise<boolean> {
    if (this.#isBusy) return false
    this.#isBusy = true
    this.#say('…', false)
    try {
      this.#say(await act(this.sweep, action), false)
      return true
    } catch (error) {
      this.#say((error as Error).message, true)
      return false
    } finally {
      this.#isBusy = false
    }
  }

  #say(text: string, isTrouble: boolean): void {
    this.said.className = isTrouble ? 'trouble said' : 'soft said'
    fill(this.said, text)
  }
}

const button = (label: string, onclick: () => void): HTMLButtonElement =>
  h('button', { type: 'button', onclick }, label)

/** Pause, go on and cancel; tags; the note. @param line how the sweep stands now. */
export function sweepActions(sweep: string, line: () => SweepLine | undefined): HTMLElement {
  const acting = new Acting(sweep)
  const run = (action: Readonly<Record<string, string>>) => (): void => void acting.run(action)
  const cancel = (): void => {
    if (confirm(`Cancel ${sweep}? What runs is given up; results that are there stay.`))
      void acting.run({ do: 'cancel' })
  }
  const tag = h('input', { type: 'text', autocomplete: 'off', maxlength: 50, id: 'tag' })
  const tagAs = async (way: 'tag' | 'untag'): Promise<void> => {
    if (tag.value !== '' && (await acting.run({ do: way, tag: tag.value }))) tag.value = ''
  }
  return h(
    'section',
    { class: 'tools actions', 'aria-label': 'Actions' },
    button('Pause', run({ do: 'pause' })),
    button('Go on', run({ do: 'resume' })),
    button('Cancel …', cancel),
    labelled('Tag', tag),
    button('Add', () => void tagAs('tag')),
    button('Take away', () => void tagAs('untag')),
    acting.said,
    noteForm(acting, line),
  )
}

/** The note is read when the form opens: what someone else writes meanwhile would else vanish under the pen. */
function noteForm(acting: Acting, line: () => SweepLine | undefined): readonly HTMLElement[] {
  const text = h('textarea', { rows: 5, maxlength: 20_000, id: 'note', 'aria-label': 'Note in Markdown' })
  const keep = async (): Promise<void> => {
    if (await acting.run({ do: 'note', note: text.value })) form.hidden = true
  }
  const form = h(
    'div',
    { class: 'note-form', hidden: true },
    text,
    button('Keep', () => void keep()),
  )
  const toggle = (): void => {
    form.hidden = !form.hidden
    if (!form.hidden) text.value = line()?.note ?? ''
  }
  return [button('Note …', toggle), form]
}

/** Lets a worker finish and end. @returns the form, and what tells it which workers there are. */
export function drainForm(sweep: string): { readonly element: HTMLElement; offer(names: readonly string[]): void } {
  const acting = new Acting(sweep)
  const worker = h('select', { id: 'worker' })
  let offered = ''
  const drain = (): void => {
    if (confirm(`Let ${worker.value} take no more trials, of any sweep, and end?`))
      void acting.run({ do: 'drain', worker: worker.value })
  }
  return {
    element: h('div', { class: 'tools actions' }, labelled('Worker', worker), button('Drain …', drain), acting.said),
    offer(names) {
      if (names.join('\n') === offered) return
      offered = names.join('\n')
      const chosen = worker.value
      fill(
        worker,
        names.map((name) => h('option', { value: name, selected: name === chosen }, name)),
      )
    },
  }
}
