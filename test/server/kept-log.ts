/** A log whose lines are kept. */
import type { Logger } from "pino";
import { createServerLog } from "../../src/server/server-log.js";

export interface LogLine {
  readonly level: number;
  readonly msg: string;
  readonly request_id?: string;
  readonly method?: string;
  readonly route?: string;
  readonly status?: number;
  readonly ms?: number;
  readonly agent?: string;
  readonly err?: { readonly message: string };
}

export interface KeptLog {
  readonly logger: Logger;
  readonly lines: readonly string[];
  entries(): LogLine[];
}

export function keptLog(level = "info"): KeptLog {
  const lines: string[] = [];
  const logger = createServerLog(level, { write: (line: string) => void lines.push(line) });
  return { logger, lines, entries: () => lines.map((line) => JSON.parse(line)) };
}
