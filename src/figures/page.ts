import { createHash } from 'node:crypto'
import type { VegaLiteSpec } from './figure.js'

/**
 * A content policy that admits these scripts alone, by hash, and no connection at all. Vega compiles its expressions;
 * they come from an experiment's figures, never from a trial's values.
 */
function contentPolicy(scripts: readonly string[]): string {
  const hashes = scripts.map((text) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`)
  return `default-src 'none'; img-src data: blob:; style-src 'unsafe-inline'; script-src 'unsafe-eval' ${hashes.join(' ')}`
}

export function escapeHtml(text: string): string {
  return text
    .replace(/&/g, '&amp;')
    .replace(/</g, '&lt;')
    .replace(/>/g, '&gt;')
    .replace(/"/g, '&quot;')
    .replace(/'/g, '&#39;')
}

/** JSON that cannot end the element it stands in. */
function jsonForScript(value: unknown): string {
  return JSON.stringify(value).replace(/</g, '\\u003c')
}

/** The head of a page that asks for nothing: only these scripts run, and its icon is empty. `also`: further elements. */
export function pageHead(
  title: string,
  style: string,
  scripts: readonly string[],
  also: readonly string[] = [],
): string {
  return [
    '<head>',
    '<meta charset="utf-8">',
    `<meta http-equiv="Content-Security-Policy" content="${contentPolicy(scripts)}">`,
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    ...also,
    '<link rel="icon" href="data:,">',
    `<title>${escapeHtml(title)}</title>`,
    `<style>${style}</style>`,
    '</head>',
  ].join('\n')
}

/** Data that the page's scripts read by its id, then those scripts. */
export function pageScripts(id: string, data: unknown, scripts: readonly string[]): string {
  return [
    `<script type="application/json" id="${id}">${jsonForScript(data)}</script>`,
    ...scripts.map((text) => `<script>${text}</script>`),
  ].join('\n')
}

/** An SVG for the `src` of an image. */
export function svgSource(svg: string): string {
  return `data:image/svg+xml;base64,${Buffer.from(svg).toString('base64')}`
}

const style =
  'body { margin: 1rem; font: 1rem/1.5 "DejaVu Sans", Verdana, sans-serif; color: #1b1b1b; background: #fff } ' +
  'img, svg { max-width: 100%; height: auto } figure { margin: 0 }'

const script = `'use strict'
const spec = JSON.parse(document.getElementById('spec').textContent)
const still = document.querySelector('img')
const drawing = document.createElement('div')
const options = { mode: 'vega-lite', renderer: 'svg', actions: { export: true, source: false, compiled: false, editor: false },
  config: { mark: { tooltip: true } } }
still.after(drawing)
vegaEmbed(drawing, spec, options).then(() => {
  const svg = drawing.querySelector('svg')
  svg.setAttribute('role', 'img')
  svg.setAttribute('aria-label', still.alt)
  still.remove()
}, (error) => { drawing.remove(); console.error(error) })
`

/**
 * One figure as a page that asks for nothing: scripts (`bundle`: vega, vega-lite, vega-embed) and data inside. The still
 * picture stands until the script has drawn its own, and where scripts may not run.
 */
export function renderFigurePage(
  figure: { readonly name: string; readonly caption: string; readonly spec: VegaLiteSpec; readonly svg: string },
  bundle: readonly string[],
): string {
  const { name, caption, spec, svg } = figure
  const scripts = [...bundle, script]
  return `<!doctype html>
<html lang="en">
${pageHead(name, style, scripts)}
<body>
<figure>
<img alt="${escapeHtml(caption)}" src="${svgSource(svg)}">
<figcaption>${escapeHtml(caption)}</figcaption>
</figure>
${pageScripts('spec', spec, scripts)}
</body>
</html>
`
}
