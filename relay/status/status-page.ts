/** The status page: one document without anything from elsewhere. Whatever is put into it is text. */
import { escapeHtml } from "../../protocol/html.ts";
import type { Breakdown, Figure, FigureSection, Level, SupernodeState, Total } from "./figures.ts";
import { duration, perSecond, written } from "./numbers.ts";
import { PAGE_SCRIPT, PAGE_STYLE } from "./page-assets.ts";
import type { Rates } from "./rates.ts";

export interface StatusPageParts {
  readonly state: SupernodeState;
  readonly sections: readonly FigureSection[];
  readonly rates: Pick<Rates, "of">;
  /** ms since 1970 */
  readonly now: number;
}

const PHASE_WORDS = {
  ready: "In service",
  outside: "Outside: no other supernode has reached this one yet. Are its TCP and UDP ports open?",
  draining: "Draining: the attached nodes are sent elsewhere",
} as const;

export function statusPage({ state, sections, rates, now }: StatusPageParts): string {
  const headlines = sections.flatMap(({ figures }) => figures.filter(({ isHeadline }) => isHeadline === true));
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<noscript><meta http-equiv="refresh" content="10"></noscript>
<title>Kith supernode ${escapeHtml(state.host)}</title>
<style>${PAGE_STYLE}</style>
</head>
<body>
<main>
${heading(state, now)}
<ul class="headlines">${headlines.map((figure) => headline(figure, rates)).join("")}</ul>
<div class="sections">${sections.map((section) => sectionOf(section, rates)).join("\n")}</div>
</main>
<footer>
<p id="lost" role="status" hidden>No answer from the supernode since <time></time>.</p>
<p>The same figures for Prometheus: <a href="/metrics">/metrics</a></p>
</footer>
<script>${PAGE_SCRIPT}</script>
</body>
</html>
`;
}

function heading({ supernodeId, host, port, version, startedAt, phase }: SupernodeState, now: number): string {
  return `<header>
<h1>Kith supernode <span class="place">${escapeHtml(host)}, port ${port}</span></h1>
<p class="phase phase-${phase}">${escapeHtml(PHASE_WORDS[phase])}</p>
<dl class="facts">
<div><dt>Up for</dt><dd>${escapeHtml(duration((now - startedAt) / 1_000))}</dd></div>
<div><dt>Version</dt><dd>${escapeHtml(version)}</dd></div>
<div><dt>ID</dt><dd><code>${escapeHtml(supernodeId)}</code></dd></div>
</dl>
</header>`;
}

function headline(figure: Figure, rates: Pick<Rates, "of">): string {
  if (figure.kind === "breakdown") return "";
  const { value, rest, meter } = readingOf(figure, rates);
  return `<li><span class="label">${escapeHtml(figure.label)}</span><span class="value">${escapeHtml(value)}</span>
<span class="rest">${escapeHtml(rest)}</span>${meter}</li>`;
}

function sectionOf({ title, figures }: FigureSection, rates: Pick<Rates, "of">): string {
  const plain = figures.filter((figure): figure is Level | Total => figure.kind !== "breakdown");
  const breakdowns = figures.filter((figure): figure is Breakdown => figure.kind === "breakdown");
  const rows = plain.map((figure) => {
    const { value, rest } = readingOf(figure, rates);
    const words = rest === "" ? "" : ` <span class="rest">${escapeHtml(rest)}</span>`;
    return `<tr title="${escapeHtml(figure.help)}"><th scope="row">${escapeHtml(figure.label)}</th><td>${escapeHtml(value)}${words}</td></tr>`;
  });
  return `<section><h2>${escapeHtml(title)}</h2>
${rows.length === 0 ? "" : `<table><tbody>${rows.join("\n")}</tbody></table>`}
${breakdowns.map(breakdownOf).join("\n")}</section>`;
}

/** Largest first; what has never happened is left out. */
function breakdownOf({ label, help, unit, read }: Breakdown): string {
  const entries = [...read()].filter(({ total }) => total > 0).sort((a, b) => b.total - a.total);
  const rows = entries.map(
    ({ values, total }) =>
      `<tr><th scope="row">${escapeHtml(values.join(" · "))}</th><td>${escapeHtml(written(total, unit))}</td></tr>`,
  );
  const body = rows.length === 0 ? `<p class="none">None.</p>` : `<table><tbody>${rows.join("\n")}</tbody></table>`;
  return `<h3 title="${escapeHtml(help)}">${escapeHtml(label)}</h3>${body}`;
}

/** @returns the number, what else is to be said of it, and a bar where it has a limit */
function readingOf(figure: Level | Total, rates: Pick<Rates, "of">): { value: string; rest: string; meter: string } {
  const now = figure.read();
  const value = written(now, figure.unit);
  if (figure.kind === "total") {
    const rate = rates.of(figure.name);
    return { value, rest: rate === null ? "" : perSecond(rate, figure.unit), meter: "" };
  }
  if (figure.limit === undefined) return { value, rest: "", meter: "" };
  if (!Number.isFinite(figure.limit)) return { value, rest: "no limit", meter: "" };
  const words = `of ${written(figure.limit, figure.unit)}`;
  const share = figure.limit === 0 ? 1 : Math.min(1, now / figure.limit);
  const meter = `<progress max="1" value="${share.toFixed(4)}" aria-label="${escapeHtml(`${figure.label} ${words}`)}"></progress>`;
  return { value, rest: words, meter };
}
