/** One column that a phone can hold; figures keep their white ground in the dark. */
export const pageStyle = `
:root { color-scheme: light dark; --text: #1b1b1b; --soft: #555; --ground: #fff; --line: #ccc; --band: #f3f3f3; --good: #00664b; --bad: #a33c00; --open: #6b5500; --link: #00558c }
@media (prefers-color-scheme: dark) { :root { --text: #e8e8e8; --soft: #b0b0b0; --ground: #161616; --line: #444; --band: #222; --good: #4fd1a5; --bad: #ff9a66; --open: #f0c75e; --link: #7cc4f5 } }
* { box-sizing: border-box }
body { margin: 0 auto; max-width: 72rem; padding: 1rem; font: 1rem/1.5 "DejaVu Sans", Verdana, sans-serif; color: var(--text); background: var(--ground); overflow-wrap: anywhere }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 .5rem } h2 { font-size: 1.25rem; margin: 2rem 0 .75rem } h3 { font-size: 1rem; margin: 0 0 .5rem }
.written { white-space: pre-wrap; border-left: 3px solid var(--link); padding-left: .6rem } .tag { display: inline-block; background: var(--band); border-radius: 3px; padding: 0 .4rem; font-size: .75rem; font-weight: normal }
.question { font-size: 1.1rem; color: var(--soft); margin: 0 } nav a { margin-right: 1rem } a { color: var(--link) }
table { border-collapse: collapse; width: 100%; font-size: .85rem } caption { text-align: left; color: var(--soft); padding: .25rem 0 }
th, td { border-bottom: 1px solid var(--line); padding: .35rem .6rem; text-align: left; vertical-align: top } thead th { background: var(--band) }
.verdicts { overflow-wrap: break-word } .verdicts tbody th { font-weight: normal; min-width: 12rem } .facts th { width: 11rem; font-weight: normal; color: var(--soft) }
.reproduced { color: var(--good); font-weight: bold } .not-reproduced { color: var(--bad); font-weight: bold } .inconclusive { color: var(--open); font-weight: bold }
figure { margin: 0 0 2rem } .drawing { background: #fff; max-width: 100%; overflow-x: auto } .drawing svg, .drawing img { display: block; max-width: 100%; height: auto }
figcaption, .note { color: var(--soft); font-size: .9rem } .trouble { color: var(--bad) }
.wide { overflow-x: auto } #trial-table { overflow-wrap: normal; width: auto; min-width: 100% } #trial-table td { max-width: 24rem } #trial-table .number { text-align: right; font-variant-numeric: tabular-nums }
#trial-table thead button { all: unset; cursor: pointer; font-weight: bold; white-space: nowrap } #trial-table thead button:focus-visible { outline: 2px solid var(--link) }
th[aria-sort=ascending] button::after { content: " ▲" } th[aria-sort=descending] button::after { content: " ▼" }
.tools { display: flex; flex-wrap: wrap; gap: .5rem 2rem; margin-bottom: .5rem } .tools[hidden] { display: none }
@media (max-width: 45rem) { .verdicts thead { position: absolute; left: -9999px } .verdicts tr, .verdicts td, .verdicts tbody th { display: block } .verdicts tr { border-bottom: 2px solid var(--line); padding: .5rem 0 } .verdicts td, .verdicts tbody th { border: 0; padding: .15rem 0 } .verdicts { overflow-wrap: break-word } .verdicts tbody th { font-weight: bold } .verdicts td::before { content: attr(data-label) ": "; color: var(--soft); font-weight: normal } .facts th, .facts td { display: block; width: auto; border: 0; padding: .1rem 0 } .facts td { padding-bottom: .5rem } }
@page { margin: 14mm } @page wide { size: A4 landscape; margin: 10mm }
@media print { :root { --text: #000; --soft: #333; --ground: #fff; --line: #999; --band: #eee } nav, .tools label, .tools button, caption, .vega-embed details { display: none !important } body { max-width: none; padding: 0; font-size: .8rem } .verdicts tr, .facts tr, #trial-table tr { break-inside: avoid } figure { break-inside: avoid } h2, h3 { break-after: avoid }
  #trials { page: wide } .wide { overflow: visible } #trial-table { font-size: .5rem } #trial-table th, #trial-table td { padding: .15rem .25rem; max-width: none } #trial-table thead button { white-space: normal; overflow-wrap: anywhere } }
`
