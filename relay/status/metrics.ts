/** The figures as Prometheus metrics, with those of the process itself (memory, CPU, event loop, descriptors). */
import { Counter, collectDefaultMetrics, Gauge, Registry } from "prom-client";
import type { Breakdown, Figure, FigureSection, Level, Total } from "./figures.ts";

const PREFIX = "kith_";
/** The loop is woken so often to see whether it is late: at the library's 10 ms that alone is a percent of a core. */
const LAG_PRECISION_MS = 100;

/** @param version becomes the label of `kith_info` */
export function metricsRegistry(sections: readonly FigureSection[], version: string): Registry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: LAG_PRECISION_MS });
  new Gauge({
    name: `${PREFIX}info`,
    help: "Always 1; what is running is in the label.",
    labelNames: ["version"],
    registers: [registry],
  }).set({ version }, 1);
  for (const { figures } of sections) for (const figure of figures) addFigure(registry, figure);
  return registry;
}

function addFigure(registry: Registry, figure: Figure): void {
  switch (figure.kind) {
    case "level":
      addLevel(registry, figure);
      break;
    case "total":
    case "breakdown":
      addTotals(registry, figure);
      break;
    default:
      figure satisfies never;
  }
}

function addLevel(registry: Registry, { name, help, limit, read }: Level): void {
  new Gauge({
    name: PREFIX + name,
    help,
    registers: [registry],
    collect() {
      this.set(read());
    },
  });
  if (limit === undefined || !Number.isFinite(limit)) return;
  new Gauge({ name: `${PREFIX}${name}_limit`, help: `What ${PREFIX}${name} may reach.`, registers: [registry] }).set(
    limit,
  );
}

/** The parts count for themselves: at each reading the counter is brought to where they are. */
function addTotals(registry: Registry, figure: Total | Breakdown): void {
  const labelNames = figure.kind === "breakdown" ? [...figure.by] : [];
  new Counter({
    name: `${PREFIX}${figure.name}_total`,
    help: figure.help,
    labelNames,
    registers: [registry],
    collect() {
      this.reset();
      if (figure.kind === "total") {
        this.inc(figure.read());
        return;
      }
      for (const { values, total } of figure.read()) {
        this.inc(Object.fromEntries(labelNames.map((label, index) => [label, values[index] ?? ""])), total);
      }
    },
  });
}
