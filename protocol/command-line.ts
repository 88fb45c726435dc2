/** How the servers read their options: from the command line, else from the environment, and checked as a whole. */
import { type ParseArgsConfig, parseArgs } from "node:util";
import type { z } from "zod";
import { KithError } from "./errors.ts";

export type CommandLine<Options> = { readonly kind: "help" } | { readonly kind: "run"; readonly options: Options };

export type Environment = Readonly<Record<string, string | undefined>>;

interface OptionForm<Options> {
  readonly names: readonly string[];
  /** Takes an object of strings, one for each name that was given. */
  readonly schema: z.ZodType<Options>;
  /** Each option may also stand in the environment, as this and its name in capitals. */
  readonly prefix: string;
}

/** @throws KithError `option-invalid` */
export function readCommandLine<Options>(
  { names, schema, prefix }: OptionForm<Options>,
  args: readonly string[],
  environment: Environment,
): CommandLine<Options> {
  const given = readArguments(names, args);
  if (given.help === true) return { kind: "help" };
  const variable = (name: string) => prefix + name.toUpperCase().replaceAll("-", "_");
  const raw = Object.fromEntries(names.map((name) => [name, given[name] ?? environment[variable(name)]]));
  const parsed = schema.safeParse(raw);
  if (parsed.success) return { kind: "run", options: parsed.data };
  const issue = parsed.error.issues[0];
  throw new KithError("option-invalid", { option: `--${String(issue?.path[0])}`, why: issue?.message ?? "not valid" });
}

function readArguments(names: readonly string[], args: readonly string[]) {
  const options: ParseArgsConfig["options"] = { help: { type: "boolean", short: "h" } };
  for (const name of names) options[name] = { type: "string" };
  try {
    return parseArgs({ args: [...args], options, allowPositionals: false }).values;
  } catch (error) {
    const why = error instanceof Error ? (error.message.split(/[.\n]/)[0] ?? "") : "";
    throw new KithError("option-invalid", { option: "Command line", why });
  }
}
