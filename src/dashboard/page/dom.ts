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

/** Puts these in the place of what is in the element; what had the focus gives it to what stands there now. */
export function fill(element: Element, ...children: readonly (Child | readonly Child[])[]): void {
  const focused = element.contains(document.activeElement) ? document.activeElement! : undefined
  const places = focused === undefined ? [] : placesOf(focused, element)
  element.replaceChildren(...nodesOf(children))
  if (focused === undefined || focused === element || document.activeElement === focused) return
  let now: Element | undefined = element
  for (const place of places) now = now?.children[place]
  if (now instanceof HTMLElement && now.tagName === focused.tagName) now.focus({ preventScroll: true })
}

/** Which child of which child it is. */
function placesOf(element: Element, within: Element): number[] {
  const places: number[] = []
  for (let at = element; at !== within; at = at.parentElement!)
    places.unshift([...at.parentElement!.children].indexOf(at))
  return places
}

/**
 * Shows these, as `fill` does, but leaves alone what is there already: a click or a selection in it would be lost. For
 * what has no listeners of its own, and no canvas.
 */
export function renew(element: Element, ...children: readonly (Child | readonly Child[])[]): void {
  settle(element, nodesOf(children))
}

function settle(parent: Node, wanted: readonly Node[]): void {
  wanted.forEach((node, i) => {
    const now = parent.childNodes[i]
    if (now === undefined) parent.appendChild(node)
    else if (now.isEqualNode(node)) return
    else if (now instanceof Element && now.cloneNode().isEqualNode(node.cloneNode())) settle(now, [...node.childNodes])
    else now.replaceWith(node)
  })
  while (parent.childNodes.length > wanted.length) parent.lastChild!.remove()
}

const nodesOf = (children: readonly (Child | readonly Child[])[]): Node[] =>
  children
    .flat()
    .filter((child) => child !== null && child !== undefined && child !== false && child !== '')
    .map((child) => (child instanceof Node ? child : document.createTextNode(String(child))))

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

export const checkbox = (label: string, isOn: boolean, onChange: (isOn: boolean) => void): HTMLElement =>
  toggle(label, onChange, isOn).element

/** A box that whoever draws tells what is drawn. */
export interface Toggle {
  readonly element: HTMLElement
  /** @param isPossible false where it can't be otherwise, as a logarithm of words. */
  show(isOn: boolean, isPossible?: boolean): void
}

export function toggle(label: string, onChange: (isOn: boolean) => void, isOn = false): Toggle {
  const box = h('input', { type: 'checkbox', checked: isOn, onchange: () => onChange(box.checked) })
  return {
    element: h('label', { class: 'check' }, box, ' ', label),
    show: (isOn, isPossible = true) => void Object.assign(box, { checked: isOn, disabled: !isPossible }),
  }
}
