/** How the values of the supernode's options are written: numbers, addresses, lists. */
import { isIP } from "node:net";
import { z } from "zod";

export const wholeNumber = (max: number) =>
  z
    .string()
    .regex(/^\d{1,7}$/, `a number from 0 to ${max} is needed`)
    .transform(Number)
    .refine((value) => value <= max, `a number from 0 to ${max} is needed`);

/** With decimals if need be. */
export const amount = () =>
  z
    .string()
    .regex(/^\d{1,7}(\.\d{1,3})?$/, "a number is needed, such as 500 or 0.5")
    .transform(Number)
    .refine((value) => value > 0, "a number above 0 is needed; leave the option out for no limit");

/** What is listed is separated by commas. */
export const list = (isItem: (item: string) => boolean, message: string) =>
  z
    .string()
    .transform((text) => text.split(",").map((item) => item.trim()))
    .refine((items) => items.every(isItem), message);

export const address = (message: string) => z.string().refine((text) => isIP(text) !== 0, message);

export const portRange = () =>
  z
    .string()
    .regex(/^\d{4,5}-\d{4,5}$/, "a range is needed, such as 49152-65535")
    .transform((text) => {
      const [min = 0, max = 0] = text.split("-").map(Number);
      return { min, max };
    })
    .refine(({ min, max }) => min >= 1_024 && max <= 65_535 && min <= max, "1024 to 65535, in order");

/** An address and a port to listen on, IPv6 in brackets; null for "off". */
export const listenAddress = (example: string) =>
  z.string().transform((text, context) => {
    if (text === "off") return null;
    const [, bracketed, bare, port] = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text) ?? [];
    const host = bracketed ?? bare ?? "";
    if (isIP(host) === (bracketed === undefined ? 4 : 6) && Number(port) <= 65_535) return { host, port: Number(port) };
    context.addIssue({ code: "custom", message: `an address and a port are needed, such as ${example}, or off` });
    return z.NEVER;
  });
