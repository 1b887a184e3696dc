import { createHash } from 'node:crypto'
import type { VegaLiteSpec } from './figure.js'

/**
 * A content policy that admits these scripts alone, by hash, and no connection at all. Vega compiles its expressions;
 * they come from an experiment's figures, never from a trial's values.
 */
export function contentPolicy(scripts: readonly string[]): string {
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
export function jsonForScript(value: unknown): string {
  return JSON.stringify(value).replace(/</g, '\\u003c')
}

/** An SVG for the `src` of an image. */
export function svgSource(svg: string): string {
  return `data:image/svg+xml;base64,${Buffer.from(svg).toString('base64')}`
}

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
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${contentPolicy(scripts)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<title>${escapeHtml(name)}</title>
<style>body { margin: 1rem; font: 1rem/1.5 "DejaVu Sans", Verdana, sans-serif; color: #1b1b1b; background: #fff } img, svg { max-width: 100%; height: auto } figure { margin: 0 }</style>
</head>
<body>
<figure>
<img alt="${escapeHtml(caption)}" src="${svgSource(svg)}">
<figcaption>${escapeHtml(caption)}</figcaption>
</figure>
<script type="application/json" id="spec">${jsonForScript(spec)}</script>
${scripts.map((text) => `<script>${text}</script>`).join('\n')}
</body>
</html>
`
}
