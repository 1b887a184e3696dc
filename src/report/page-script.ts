/**
 * What the page runs: draws the figures, sorts, filters and leafs through the trials. Every text is set as text, never
 * as markup, and only the rows on the present leaf are elements, so 10,000 trials are as quick as ten.
 */
export const pageScript = `'use strict'
const { figures, table, numeric, rowsPerPage } = JSON.parse(document.getElementById('report-data').textContent)

document.querySelectorAll('.drawing').forEach((place, i) => {
  const still = place.querySelector('img')
  const drawing = document.createElement('div')
  const options = { mode: 'vega-lite', renderer: 'svg', actions: { export: true, source: false, compiled: false, editor: false },
    config: { mark: { tooltip: true } } }
  place.append(drawing)
  vegaEmbed(drawing, figures[i], options).then(() => {
    const svg = drawing.querySelector('svg')
    svg.setAttribute('role', 'img')
    svg.setAttribute('aria-label', still.alt)
    still.remove()
  }, (error) => { drawing.remove(); console.error(error) })
})

const format = (cell) => {
  if (cell === null) return '–'
  if (typeof cell !== 'number' || Number.isInteger(cell)) return String(cell)
  const size = Math.abs(cell)
  return size >= 1e5 || size < 1e-3 ? cell.toExponential(3) : String(Number(cell.toPrecision(4)))
}
// Numbers before words before what is missing, whichever way round.
const rank = (cell) => (cell === null ? 2 : typeof cell === 'number' ? 0 : 1)
const compare = (a, b) => (a < b ? -1 : a > b ? 1 : 0)

const body = document.querySelector('#trial-table tbody')
const headings = [...document.querySelectorAll('#trial-table thead th')]
const texts = table.rows.map((row) => row.map(format).join('\\n').toLowerCase())
let order = table.rows.map((_, i) => i)
let shown = order
let page = 0

function show() {
  const pages = Math.max(1, Math.ceil(shown.length / rowsPerPage))
  page = Math.min(Math.max(page, 0), pages - 1)
  const rows = shown.slice(page * rowsPerPage, (page + 1) * rowsPerPage)
  body.replaceChildren(...rows.map((index) => {
    const line = document.createElement('tr')
    table.rows[index].forEach((cell, column) => {
      const element = line.insertCell()
      element.textContent = format(cell)
      if (numeric[column]) element.className = 'number'
    })
    return line
  }))
  const first = rows.length === 0 ? 0 : page * rowsPerPage + 1
  document.getElementById('position').textContent = first + '–' + (page * rowsPerPage + rows.length) + ' of ' + shown.length
  document.getElementById('previous').disabled = page === 0
  document.getElementById('next').disabled = page === pages - 1
}

function filter() {
  const wanted = document.getElementById('filter').value.toLowerCase()
  shown = wanted === '' ? order : order.filter((index) => texts[index].includes(wanted))
  page = 0
  show()
}

headings.forEach((heading, column) => {
  const button = document.createElement('button')
  button.type = 'button'
  button.textContent = heading.textContent
  button.addEventListener('click', () => {
    const way = heading.getAttribute('aria-sort') === 'ascending' ? -1 : 1
    headings.forEach((other) => other.removeAttribute('aria-sort'))
    heading.setAttribute('aria-sort', way === 1 ? 'ascending' : 'descending')
    order = table.rows.map((_, i) => i).sort((i, j) => {
      const [a, b] = [table.rows[i][column], table.rows[j][column]]
      return rank(a) - rank(b) || way * compare(a, b) || i - j
    })
    filter()
  })
  heading.replaceChildren(button)
})
document.getElementById('filter').addEventListener('input', filter)
document.getElementById('previous').addEventListener('click', () => { page--; show() })
document.getElementById('next').addEventListener('click', () => { page++; show() })
document.querySelector('.tools').hidden = false
show()
`
