import { escapeHtml } from '../../figures/page.js'
import { codeVersion } from '../../core/version.js'
import { readPageAssets } from '../page-assets.js'

export interface PageFile {
  readonly type: string
  readonly content: string
}

/** Everything that the page loads, by its path below the token: read once, so that no path from a request reaches the disk. */
export function readPageFiles(allowsActions: boolean): ReadonlyMap<string, PageFile> {
  const { script, style } = readPageAssets()
  return new Map([
    ['/', { type: 'text/html; charset=utf-8', content: html(allowsActions) }],
    ['/page.js', { type: 'text/javascript; charset=utf-8', content: script }],
    ['/style.css', { type: 'text/css; charset=utf-8', content: style }],
  ])
}

function html(allowsActions: boolean): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">
<title>Sweeps</title>
<link rel="stylesheet" href="./style.css">
<script defer src="./page.js"></script>
</head>
<body${allowsActions ? ' data-actions="allowed"' : ''}>
<div id="app"><p class="waiting">Loading the page …</p></div>
<noscript><p class="trouble">This page needs scripts; mlds report writes one that reads without.</p></noscript>
<footer>mlds ${escapeHtml(codeVersion)} · ${allowsActions ? 'may change notes, tags and what runs' : 'reads the store, changes nothing'}</footer>
</body>
</html>
`
}
