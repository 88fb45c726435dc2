/** Style and script of the status page, inlined there and allowed by their hashes alone. */

export const PAGE_STYLE = `
:root {
  color-scheme: light dark;
  --ground: light-dark(#f3f6f8, #14181c);
  --card: light-dark(#ffffff, #1d2329);
  --line: light-dark(#dce3e8, #2e363d);
  --ink: light-dark(#17212a, #e9eef2);
  --soft: light-dark(#51606c, #a5b2bd);
  --accent: light-dark(#0a6aa8, #5ab5ee);
  --good: light-dark(#18793b, #4ccb7c);
  --warn: light-dark(#8a5a00, #f0b93a);
  font: 15px/1.45 system-ui, -apple-system, "Segoe UI", Cantarell, "Noto Sans", "DejaVu Sans", sans-serif;
}
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 76rem; padding: 2rem 1.25rem 1rem; background: var(--ground); color: var(--ink); }
h1 { margin: 0; font-size: 1.5rem; line-height: 1.25; letter-spacing: -0.01em; }
h2 { margin: 0 0 .6rem; font-size: 1rem; }
h3 { margin: 1rem 0 .3rem; font-size: .87rem; color: var(--soft); font-weight: 600; }
.place { color: var(--soft); font-weight: 400; }
.phase { display: inline-block; margin: .5rem 0 0; font-weight: 600; }
.phase::before { content: ""; display: inline-block; width: .6em; height: .6em; margin-right: .45em; border-radius: 50%; background: currentcolor; }
.phase-ready { color: var(--good); }
.phase-draining, .phase-outside { color: var(--warn); }
.facts { display: flex; flex-wrap: wrap; gap: .3rem 1.75rem; margin: .35rem 0 0; color: var(--soft); }
.facts div { display: flex; gap: .4rem; min-width: 0; }
.facts dd { margin: 0; color: var(--ink); overflow-wrap: anywhere; }
code { font: .87rem ui-monospace, "Cascadia Mono", "DejaVu Sans Mono", monospace; }
.headlines { display: grid; grid-template-columns: repeat(auto-fit, minmax(13rem, 1fr)); gap: .9rem; margin: 1.4rem 0 .9rem; padding: 0; list-style: none; }
.headlines li, section { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 1rem 1.1rem; }
.headlines .label { display: block; color: var(--soft); }
.headlines .value { font-size: 1.75rem; font-weight: 600; letter-spacing: -0.02em; font-variant-numeric: tabular-nums; }
.headlines .rest { margin-left: .2rem; white-space: nowrap; }
.sections { columns: 23rem; column-gap: .9rem; }
section { break-inside: avoid; margin: 0 0 .9rem; }
table { width: 100%; border-collapse: collapse; }
th, td { padding: .3rem 0; border-top: 1px solid var(--line); vertical-align: top; }
tbody tr:first-child > * { border-top: 0; }
th { text-align: left; font-weight: 400; padding-right: 1rem; }
td { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.rest, .none, footer { color: var(--soft); }
.none { margin: 0; }
progress { display: block; width: 100%; height: .4rem; margin-top: .45rem; appearance: none; border: 0; border-radius: .2rem; background: var(--line); overflow: hidden; }
progress::-webkit-progress-bar { background: var(--line); }
progress::-webkit-progress-value { background: var(--accent); }
progress::-moz-progress-bar { background: var(--accent); }
a { color: var(--accent); }
footer { padding: .5rem 0 1rem; }
footer p { margin: .2rem 0; }
#lost { color: var(--warn); font-weight: 600; }
`;

/** Replaces what is shown by a fresh answer every 5 s, where somebody looks; without scripts the page reloads itself. */
export const PAGE_SCRIPT = `
const lost = document.getElementById("lost");
let answeredAt = new Date();
const refresh = async () => {
  if (document.hidden) return;
  try {
    const answer = await fetch("/", { cache: "no-store", signal: AbortSignal.timeout(4000) });
    if (!answer.ok) throw new Error(String(answer.status));
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    document.querySelector("main").replaceWith(fresh.querySelector("main"));
    answeredAt = new Date();
    lost.hidden = true;
  } catch {
    lost.querySelector("time").textContent = answeredAt.toLocaleTimeString();
    lost.hidden = false;
  }
};
setInterval(refresh, 5000);
document.addEventListener("visibilitychange", refresh);
`;
