/** The log of the server: JSON lines that hold nothing of anybody's. */
import { type DestinationStream, type Logger, type LoggerOptions, pino } from "pino";

export function serverLog(level: NonNullable<LoggerOptions["level"]>, destination: DestinationStream): Logger {
  return pino({ level, serializers: { err: withoutRows } }, destination);
}

/** PostgreSQL's errors carry the row that was refused: `Key (handle)=(alice) already exists`. */
function withoutRows(error: unknown): object {
  if (!(error instanceof Error)) return { type: typeof error };
  const { name, message, stack } = error;
  const code = "code" in error && typeof error.code === "string" ? { code: error.code } : {};
  return { type: name, message, ...code, stack };
}
