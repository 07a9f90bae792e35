/** Nothing is fetched, and what is printed is black on white, with no table torn apart where that can be helped. */
export const STYLE = `
:root { color-scheme: light dark; --ink: #1b1f24; --paper: #fff; --soft: #59636e; --line: #d1d9e0; --fill: #f6f8fa; --mark: #fff8c5; --bad: #b42318; --link: #0969da; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --paper: #0d1117; --soft: #9198a1; --line: #3d444d; --fill: #161b22; --mark: #4b3c00;
  --bad: #f97066; --link: #4493f8; } }
* { box-sizing: border-box; }
body { margin: 2rem auto; max-width: 68rem; padding: 0 1rem; font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0 0 .4rem; overflow-wrap: anywhere; }
h2 { font-size: 1.15rem; margin: 2.2rem 0 .6rem; border-bottom: 1px solid var(--line); padding-bottom: .2rem; }
h3 { font-size: 1rem; margin: 1.2rem 0 .4rem; overflow-wrap: anywhere; }
p { margin: .4rem 0; } a { color: var(--link); overflow-wrap: anywhere; } .soft { color: var(--soft); }
code { font: .86em/1.45 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; overflow-wrap: anywhere; }
code.json { display: block; white-space: pre-wrap; }
dl { margin: .4rem 0; } dl > div { display: grid; grid-template-columns: 11rem 1fr; gap: .8rem; padding: .15rem 0; }
dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
.wide { overflow-x: auto; } table { border-collapse: collapse; width: 100%; font-size: .92em; }
th, td { border: 1px solid var(--line); padding: .3rem .55rem; text-align: left; vertical-align: top; overflow-wrap: anywhere; }
th { background: var(--fill); font-weight: 600; } tr.dim td { color: var(--soft); } time { white-space: nowrap; font-variant-numeric: tabular-nums; }
table.sides { table-layout: fixed; } table.sides th:first-child { width: 22%; } table.events td:nth-child(2) { white-space: nowrap; }
td .changed, mark { background: var(--mark); color: inherit; } .bad { color: var(--bad); font-weight: 600; }
.alert { border: 1px solid var(--bad); border-left-width: 5px; padding: .5rem .9rem; margin: 1rem 0; }
.card { border: 1px solid var(--line); border-left: 5px solid var(--soft); padding: .6rem 1rem; margin: .8rem 0; }
.card .headline { font-size: 1.08rem; font-weight: 600; margin: 0 0 .4rem; }
@page { size: A4; margin: 15mm 12mm; }
@media print {
  :root { color-scheme: light; --ink: #000; --paper: #fff; --soft: #444; --line: #999; --fill: #eee; --mark: #e8e8e8; --bad: #000; --link: #000; }
  body { margin: 0; max-width: none; padding: 0; font-size: 10pt; }
  h2, h3 { break-after: avoid; } tr, .card, dl > div { break-inside: avoid; } thead { display: table-header-group; }
  .wide { overflow: visible; } mark, td .changed { font-weight: 600; text-decoration: underline; } a { text-decoration: none; }
  dl > div { grid-template-columns: 9rem 1fr; }
}
`;
