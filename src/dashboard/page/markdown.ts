import { h } from './dom.js'

/**
 * A note as elements: headings, lists, quotes, code, bold, italic and links to the web, after CommonMark as far as notes go.
 * Everything is set as text: HTML in a note is shown as it is written, and no link leads anywhere but to http or mail.
 */
export function markdown(text: string): HTMLElement {
  return h('div', { class: 'written' }, blocksOf(text.replaceAll('\r\n', '\n').split('\n')))
}

const bullet = /^\s{0,3}[-*+]\s+/
const numbered = /^\s{0,3}\d{1,9}[.)]\s+/
const heading = /^(#{1,6})\s+(.*?)\s*#*$/
const fence = /^\s{0,3}(`{3,}|~{3,})/
const quote = /^\s{0,3}>\s?/

function blocksOf(lines: readonly string[]): HTMLElement[] {
  const blocks: HTMLElement[] = []
  let i = 0
  /** Takes lines from here while they are so. */
  const take = (isPart: (line: string) => boolean): string[] => {
    const from = i
    while (i < lines.length && isPart(lines[i]!)) i++
    return lines.slice(from, i)
  }
  while (i < lines.length) {
    const line = lines[i]!
    const [, marks, title] = heading.exec(line) ?? []
    const opened = fence.exec(line)?.[1]
    if (line.trim() === '') i++
    else if (opened !== undefined) {
      i++
      const code = take((one) => !one.trimStart().startsWith(opened))
      i++
      blocks.push(h('pre', { class: 'code' }, h('code', {}, code.join('\n'))))
    } else if (marks !== undefined) {
      i++
      // The page has its own first heading.
      blocks.push(h(marks.length === 1 ? 'h2' : 'h3', {}, inline(title!)))
    } else if (quote.test(line)) {
      const quoted = take((one) => quote.test(one)).map((one) => one.replace(quote, ''))
      blocks.push(h('blockquote', {}, h('p', {}, inline(quoted.join(' ')))))
    } else if (bullet.test(line) || numbered.test(line)) {
      const mark = bullet.test(line) ? bullet : numbered
      blocks.push(
        h(
          mark === bullet ? 'ul' : 'ol',
          {},
          itemsOf(
            take((one) => mark.test(one) || /^\s{2,}\S/.test(one)),
            mark,
          ),
        ),
      )
    } else {
      const isText = (one: string): boolean =>
        one.trim() !== '' && ![heading, fence, quote, bullet, numbered].some((mark) => mark.test(one))
      blocks.push(h('p', {}, linesOf(take(isText))))
    }
  }
  return blocks
}

/** A line that is indented goes on with the item before. */
function itemsOf(lines: readonly string[], mark: RegExp): HTMLElement[] {
  const items: string[] = []
  for (const line of lines) {
    if (mark.test(line)) items.push(line.replace(mark, ''))
    else items[items.length - 1] += ` ${line.trim()}`
  }
  return items.map((item) => h('li', {}, inline(item)))
}

/** Two spaces or a backslash at its end break a line; another end of a line is a space. */
function linesOf(lines: readonly string[]): (Node | string)[] {
  let parts: (Node | string)[] = []
  let held = ''
  lines.forEach((line, i) => {
    const isBroken = /(?: {2,}|\\)$/.test(line) && i < lines.length - 1
    held += `${held === '' ? '' : ' '}${line.trim().replace(/\\$/, isBroken ? '' : '\\')}`
    if (!isBroken) return
    parts = [...parts, ...inline(held), h('br')]
    held = ''
  })
  return [...parts, ...inline(held)]
}

/** Bounded parts alone, so that no text takes longer than its length. */
const span =
  /`([^`\n]{1,500})`|\*\*([^*\n]{1,500})\*\*|\*([^*\s][^*\n]{0,500})\*|_([^_\s][^_\n]{0,500})_(?![\p{L}\p{N}])|\[([^\]\n]{1,300})\]\(((?:https?:\/\/|mailto:)[^\s()]{1,1000})\)|<?(https?:\/\/[^\s<>()]{1,1000}[^\s<>().,;:!?'"])>?/gu

function inline(text: string): (Node | string)[] {
  const parts: (Node | string)[] = []
  let from = 0
  for (const found of text.matchAll(span)) {
    const [all, code, bold, starred, lined, label, address, bare] = found
    // `snake_case_names` are no italics.
    if (lined !== undefined && /[\p{L}\p{N}]$/u.test(text.slice(0, found.index))) continue
    parts.push(text.slice(from, found.index))
    from = found.index + all.length
    if (code !== undefined) parts.push(h('code', {}, code))
    else if (bold !== undefined) parts.push(h('strong', {}, bold))
    else if (label !== undefined) parts.push(link(label, address!))
    else if (bare !== undefined) parts.push(link(bare, bare))
    else parts.push(h('em', {}, starred ?? lined))
  }
  parts.push(text.slice(from))
  return parts.filter((part) => part !== '')
}

const link = (label: string, href: string): HTMLElement =>
  h('a', { href, rel: 'noreferrer noopener', target: '_blank' }, label)
