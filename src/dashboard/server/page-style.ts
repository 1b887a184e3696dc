/** What the dashboard adds to the report's style sheet. */
export const dashboardStyle = `
:root { --accent: #0072b2; --tag: #e4eef6; --done: #2a9d6f; --fail: #c4451c; --run: #0072b2; --rest: #c9c9c9; --odd: #b08900 }
@media (prefers-color-scheme: dark) { :root { --accent: #56b4e9; --tag: #20384a; --done: #2f9e74; --fail: #e06c43; --run: #3d96cf; --rest: #4a4a4a; --odd: #c9a227 } }
body.dashboard { max-width: 100rem; font-size: .95rem } body.dashboard h1 { font-size: 1.4rem } body.dashboard h2 { margin: 1.2rem 0 .5rem }
.dashboard footer { margin-top: 2rem; color: var(--soft); font-size: .8rem } .soft, .crumbs { color: var(--soft) } .crumbs { margin: 0 0 .25rem } .dashboard header p { margin: .2rem 0 }
.best-line { font-weight: bold } .dashboard .written { max-height: 12rem; overflow-y: auto }
.dashboard nav { display: flex; flex-wrap: wrap; gap: .25rem; border-bottom: 1px solid var(--line); margin: .8rem 0 .6rem } .dashboard nav a { margin: 0; padding: .35rem .7rem; text-decoration: none; color: var(--text); border-bottom: 3px solid transparent }
.dashboard nav a[aria-current] { border-color: var(--accent); font-weight: bold } .dashboard nav a:hover { background: var(--band) }
.dashboard .tools { align-items: center; gap: .4rem 1rem } .filter label { flex: 1 1 20rem; display: flex; gap: .5rem; align-items: center } .filter input { flex: 1 } .filter .soft { font-size: .8rem }
.dashboard input, .dashboard select, .dashboard button { font: inherit; color: inherit } .dashboard input[type=search], .dashboard input[type=text], .dashboard textarea, .dashboard select { background: var(--ground); border: 1px solid var(--line); border-radius: 4px; padding: .3rem .5rem; min-width: 0; max-width: 100% }
.dashboard button { background: var(--band); border: 1px solid var(--line); border-radius: 4px; padding: .25rem .6rem; cursor: pointer } .check { white-space: nowrap } a.button { padding: .2rem .6rem; border: 1px solid var(--line); border-radius: 4px; background: var(--band); text-decoration: none } a.button[hidden] { display: none }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 1px }
.tags .tag { margin-left: .4rem } .actions { padding: .4rem 0 } .actions input[type=text] { width: 9rem } .actions .note-form { flex: 1 1 100% } .actions .note-form[hidden] { display: none } .actions textarea { display: block; width: 100%; font: inherit }
.bar { display: flex; height: 6px; width: 100%; min-width: 8rem; margin-top: 3px; border-radius: 3px; overflow: hidden; background: var(--rest) } .piece { min-width: 1px } .piece.finished { background: var(--done) } .piece.stopped, .piece.diverged { background: var(--odd) } .piece.failed, .piece.dead { background: var(--fail) } .piece.running { background: var(--run) } .piece.planned, .piece.skipped, .piece.cancelled { background: var(--rest) }
.sweeps { overflow-wrap: break-word } .sweeps td:nth-child(2), .sweeps td:nth-child(5) { white-space: nowrap } .sweeps td:nth-child(3) { min-width: 11rem }
.standing .bar { max-width: 40rem } .running { color: var(--link) } .open { color: var(--open) } .first-line { max-width: 20rem }
.state.finished { color: var(--good) } .state.failed, .state.dead { color: var(--bad); font-weight: bold } .state.running { color: var(--link); font-weight: bold } .state.diverged, .state.stopped { color: var(--open) } .state.planned, .state.skipped, .state.cancelled { color: var(--soft) }
.notice { padding: .8rem 1rem; border: 1px solid var(--line); border-radius: 6px; margin: .5rem 0; color: var(--soft) } .notice .mark { display: inline-block; min-width: 1.4rem; font-weight: bold } .notice.waiting { border-style: dashed } .notice.broken { color: var(--bad); border-color: var(--bad) } .notice.lost { color: var(--text); border: 2px solid var(--open); background: var(--band) }
#connection { position: sticky; top: 0; z-index: 5; background: var(--ground) }
.scroller { max-height: 70vh; min-height: 12rem; overflow: auto; border: 1px solid var(--line) } .scroller thead th { position: sticky; top: 0; z-index: 1 } .dashboard .grid { font-size: .85rem; white-space: nowrap } .grid tbody tr { height: 30px } .grid td { height: 30px; padding: 0 .6rem; max-width: 22rem; overflow: hidden; text-overflow: ellipsis; vertical-align: middle } .grid .spacer { border: 0 } .grid tr.best { background: var(--tag) } .tick { width: 2rem }
.dashboard #trial-table thead button { border: 0; background: none; padding: 0 } .dashboard .grid th.number { text-align: right } .unseen { position: absolute; clip-path: inset(50%); width: 1px; height: 1px; overflow: hidden }
.columns { position: relative } .columns summary { cursor: pointer } .columns .menu { position: absolute; right: auto; z-index: 3; display: grid; max-height: 20rem; overflow: auto; background: var(--ground); border: 1px solid var(--line); padding: .5rem .8rem }
.legend { list-style: none; padding: 0; margin: .5rem 0; display: grid; grid-template-columns: repeat(auto-fill, minmax(18rem, 1fr)); gap: .15rem 1rem; font-size: .85rem } .swatch { display: inline-block; width: .9rem; height: .9rem; border-radius: 2px; margin-right: .4rem; vertical-align: -1px }
.chart { width: 100%; min-height: 60px } .charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(24rem, 100%), 1fr)); gap: 1rem } .charts > * { min-width: 0 } .u-title, .u-label { color: var(--text) } .uplot { max-width: 100% }
canvas { display: block; touch-action: pan-y } canvas[hidden] { display: none } .readout { min-height: 1.5em; color: var(--soft) }
.figures { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(34rem, 100%), 1fr)); gap: 1rem } .figures figure { margin: 0; min-width: 0 } .drawing img { width: 100% }
.compared { overflow-wrap: break-word } .columns-2 { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(26rem, 100%), 1fr)); gap: .5rem 2rem } .part { min-width: 0 } .part h3 { margin: .6rem 0 .2rem }
.log { background: var(--band); padding: .6rem; max-height: 30rem; overflow: auto; white-space: pre-wrap; overflow-wrap: anywhere; font-size: .8rem } .log[hidden] { display: none }
@media (max-width: 45rem) {
  body.dashboard { padding: .6rem } .dashboard nav a { padding: .3rem .5rem }
  .dashboard .sweeps td { white-space: normal } .sweeps thead, .stacked thead { position: absolute; left: -9999px } .sweeps tr, .sweeps td, .sweeps tbody th, .stacked tr, .stacked td, .stacked tbody th { display: block; border: 0; padding: .1rem 0 } .sweeps tr, .stacked tr { border-bottom: 2px solid var(--line); padding: .5rem 0 } .sweeps td:empty, .stacked td:empty { display: none } .sweeps td::before, .stacked td::before { content: attr(data-label) ": "; color: var(--soft) }
  .filter .soft { display: none }
  body.dashboard .facts th, body.dashboard .facts td { display: table-cell; border-bottom: 1px solid var(--line); padding: .2rem .4rem }
}
@media print { .dashboard nav, .tools, footer, #connection { display: none !important } .scroller { max-height: none; overflow: visible; border: 0 } }
`
