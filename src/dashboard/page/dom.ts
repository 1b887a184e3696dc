type Child = Node | string | number | null | undefined | false
type Props = Readonly<Record<string, string | number | boolean | null | undefined | ((event: never) => void)>>

/** An element; `on…` are listeners, false and null leave an attribute out. Text is always text, never markup. */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  props: Props = {},
  ...children: readonly (Child | readonly Child[])[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag)
  for (const [name, value] of Object.entries(props)) {
    if (typeof value === 'function') element.addEventListener(name.slice(2), value as EventListener)
    else if (value === true) element.setAttribute(name, '')
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, String(value))
  }
  fill(element, ...children)
  return element
}

/** Puts these in the place of what is in the element. */
export function fill(element: Element, ...children: readonly (Child | readonly Child[])[]): void {
  const nodes = children
    .flat()
    .filter((child) => child !== null && child !== undefined && child !== false && child !== '')
    .map((child) => (typeof child === 'number' ? String(child) : (child as Node | string)))
  element.replaceChildren(...nodes)
}

/** Sets a text only where it is another one, so that nothing is drawn or read out anew for nothing. */
export function setText(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text
}

type NoticeKind = 'waiting' | 'empty' | 'broken' | 'lost'
const marks: Readonly<Record<NoticeKind, string>> = { waiting: '…', empty: '○', broken: '✗', lost: '⚡' }

/** What stands where there is nothing to show: what kind of nothing it is, and what is waited for. */
export function notice(kind: NoticeKind, ...told: readonly Child[]): HTMLElement {
  const role = kind === 'waiting' || kind === 'empty' ? 'status' : 'alert'
  return h(
    'p',
    { class: `notice ${kind}`, role },
    h('span', { 'aria-hidden': 'true', class: 'mark' }, marks[kind]),
    ...told,
  )
}

export function labelled(label: string, control: HTMLElement): HTMLElement {
  return h('label', {}, h('span', {}, label), ' ', control)
}

export function select(
  options: readonly (readonly [value: string, label: string])[],
  chosen: string,
  onChange: (value: string) => void,
): HTMLSelectElement {
  const element = h(
    'select',
    { onchange: () => onChange(element.value) },
    options.map(([value, label]) => h('option', { value, selected: value === chosen }, label)),
  )
  return element
}

/** A choice among names that are told as they are. */
export const selectName = (
  label: string,
  names: readonly string[],
  chosen: string,
  onChange: (name: string) => void,
): HTMLElement =>
  labelled(
    label,
    select(
      names.map((name) => [name, name]),
      chosen,
      onChange,
    ),
  )

export function checkbox(label: string, isOn: boolean, onChange: (isOn: boolean) => void): HTMLElement {
  const box = h('input', { type: 'checkbox', checked: isOn, onchange: () => onChange(box.checked) })
  return h('label', { class: 'check' }, box, ' ', label)
}
