/** The log of the server process: JSON lines. */
import { type DestinationStream, type Logger, pino } from "pino";

/** @param level a level of pino, or `silent`. */
export function createServerLog(level: string, destination: DestinationStream): Logger {
  return pino(
    {
      level,
      base: {},
      timestamp: pino.stdTimeFunctions.isoTime,
      // Nothing logs headers; should anything ever, then without what lets others in.
      redact: ["authorization", "*.authorization", "*.headers.authorization", "headers.authorization"],
    },
    destination,
  );
}
