/** How numbers are written for people: with thin spaces between thousands, and units that fit their size. */
import type { Unit } from "./figures.ts";

const BYTE_UNITS = ["bytes", "kB", "MB", "GB", "TB"] as const;
const THIN_SPACE = "\u2009";

export function written(value: number, unit: Unit): string {
  switch (unit) {
    case "count":
      return grouped(Math.round(value));
    case "bytes":
      return bytes(value);
    case "seconds":
      return duration(value);
    default:
      return unit satisfies never;
  }
}

/** Three digits that count, in decimal units as network traffic is billed. */
function bytes(value: number): string {
  let scaled = value;
  let unit = 0;
  while (scaled >= 999.5 && unit < BYTE_UNITS.length - 1) {
    scaled /= 1_000;
    unit++;
  }
  const digits = unit === 0 || scaled >= 99.95 ? 0 : scaled >= 9.995 ? 1 : 2;
  return `${grouped(Number(scaled.toFixed(digits)))} ${BYTE_UNITS[unit]}`;
}

/** The two largest units of "3 d 4 h 5 min 6 s". */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  const parts = [
    [Math.floor(whole / 86_400), "d"],
    [Math.floor(whole / 3_600) % 24, "h"],
    [Math.floor(whole / 60) % 60, "min"],
    [whole % 60, "s"],
  ] as const;
  const first = parts.findIndex(([amount]) => amount > 0);
  if (first === -1) return "0 s";
  return parts
    .slice(first, first + 2)
    .filter(([amount]) => amount > 0)
    .map(([amount, unit]) => `${amount} ${unit}`)
    .join(" ");
}

export function perSecond(rate: number, unit: Unit): string {
  if (unit === "bytes") return `${bytes(rate)}/s`;
  return `${rate >= 10 || rate === 0 ? grouped(Math.round(rate)) : rate.toFixed(1)}/s`;
}

function grouped(value: number): string {
  const [whole = "", fraction] = String(value).split(".");
  const spaced = whole.replace(/\B(?=(\d{3})+$)/g, THIN_SPACE);
  return fraction === undefined ? spaced : `${spaced}.${fraction}`;
}
