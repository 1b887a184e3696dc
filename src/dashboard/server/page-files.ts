import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, posix, relative, sep } from 'node:path'
import { escapeHtml } from '../../figures/page.js'
import { builtFile } from '../../system/built-file.js'
import { pageStyle } from '../../report/page-style.js'
import { codeVersion } from '../../core/version.js'
import { dashboardStyle } from './page-style.js'

export interface PageFile {
  readonly type: string
  readonly content: string
}

const script = 'text/javascript; charset=utf-8'

/**
 * Everything that the page loads, by its path below the token: read once, so that no path from a request reaches the disk.
 * Its modules are the built ones of `page/` and what these import, which must be nothing of Node.
 */
export function readPageFiles(allowsActions: boolean): ReadonlyMap<string, PageFile> {
  const files = new Map<string, PageFile>()
  const main = builtFile(import.meta.url, '../page/main.js')
  const root = join(dirname(main), '..', '..')
  const pathOf = (file: string): string => `/modules/${relative(root, file).split(sep).join('/')}`
  const library = join(dirname(createRequire(import.meta.url).resolve('uplot')), 'uPlot.esm.js')
  const read = (file: string): void => {
    const path = pathOf(file)
    if (files.has(path)) return
    // Modules ask by relative paths alone: a browser knows no packages.
    const toLibrary = posix.relative(dirname(path), '/lib/uplot.js')
    const text = readFileSync(file, 'utf8').replace(/\n?\/\/# sourceMappingURL=\S*\s*$/, '\n')
    const content = text.replaceAll(/(\bfrom\s+)'uplot'/g, `$1'${toLibrary}'`)
    files.set(path, { type: script, content })
    for (const [, asked] of content.matchAll(/^(?:import|export)\s[^'";]*?from\s+'(\.[^']+)'|^import\s+'(\.[^']+)'/gms))
      if (asked !== undefined && asked !== toLibrary) read(join(dirname(file), asked))
  }
  read(main)
  files.set('/lib/uplot.js', { type: script, content: readFileSync(library, 'utf8') })
  const style = [readFileSync(join(dirname(library), 'uPlot.min.css'), 'utf8'), pageStyle, dashboardStyle].join('\n')
  files.set('/style.css', { type: 'text/css; charset=utf-8', content: style })
  files.set('/', { type: 'text/html; charset=utf-8', content: html(`.${pathOf(main)}`, allowsActions) })
  return files
}

function html(main: string, allowsActions: boolean): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">
<title>Sweeps</title>
<link rel="stylesheet" href="./style.css">
<script type="module" src="${main}"></script>
</head>
<body class="dashboard"${allowsActions ? ' data-actions="allowed"' : ''}>
<div id="app"><p class="waiting">Loading the page …</p></div>
<noscript><p class="trouble">This page needs scripts; mlds report writes one that reads without.</p></noscript>
<footer>mlds ${escapeHtml(codeVersion)} · ${allowsActions ? 'may change notes, tags and what runs' : 'reads the store, changes nothing'}</footer>
</body>
</html>
`
}
