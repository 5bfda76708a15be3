/** `ls --watch`: the list anew each second; on a terminal as a table that stays in its place, else a line for each change. */
import process from "node:process";
import { sleep } from "../clock/clock.js";
import type { Lock, LockManager } from "../lock-manager.js";
import type { Call } from "./call.js";
import { Interrupted } from "./command-error.js";
import { describeClaim, whoAndWhy } from "./describe-lock.js";
import { exitCodes } from "./exit-codes.js";
import { interruptible } from "./interruption.js";
import { timeOfDay, timeUntil } from "./times.js";
import { lockToJson } from "./to-json.js";

/** A manager tells only of what it does itself, so what others do is seen by looking again. */
const pauseMs = 1_000;

export interface Row {
  readonly lock: Lock;
  /** How many wait on its path; asked for only with --waiting. */
  readonly waiters?: number;
}

export interface Watched {
  /** Reads the whole list. */
  readonly look: (manager: LockManager, signal: AbortSignal) => Promise<Row[]>;
  readonly describe: (rows: readonly Row[], now: Date) => Promise<string>;
}

/** Until a signal comes, which is how this is meant to end and needs no words, or nobody reads any more. */
export async function watchList(call: Call, { look, describe }: Watched): Promise<number> {
  const onTerminal = process.stdout.isTTY && !call.out.json && call.around.env["TERM"] !== "dumb";
  const screen = onTerminal ? new Screen(call, describe) : new Journal(call);
  let isRead = true;
  const onError = (): void => {
    isRead = false;
  };
  process.stdout.once("error", onError);
  try {
    return await call.withManager(call.agentId, (manager) =>
      interruptible(async ({ signal }) => {
        while (isRead) {
          await screen.show(await look(manager, signal));
          await sleep(call.wiring.clock, pauseMs, { signal });
        }
        return exitCodes.done;
      }),
    );
  } catch (error) {
    if (error instanceof Interrupted) return error.exitCode;
    throw error;
  } finally {
    process.stdout.off("error", onError);
  }
}

/** Draws over what it drew before. What leads to it stays on the terminal, and so does the last table. */
class Screen {
  readonly #call: Call;
  readonly #describe: Watched["describe"];
  #drawn = 0;

  constructor(call: Call, describe: Watched["describe"]) {
    this.#call = call;
    this.#describe = describe;
  }

  async show(rows: readonly Row[]): Promise<void> {
    if (this.#call.flags.quiet === true) return;
    const now = this.#call.now();
    const title = this.#call.out.paint.dim(`${timeOfDay(now, now)}   ${count(rows.length)}   Ctrl-C ends`);
    const table = rows.length === 0 ? [] : (await this.#describe(rows, now)).trimEnd().split("\n");
    const lines = [title, ...table];
    const room = Math.max(process.stdout.rows - 1, 3);
    if (lines.length > room) {
      const hidden = lines.length - room + 1;
      lines.splice(room - 1, hidden, this.#call.out.paint.dim(`… and ${hidden} more`));
    }
    const back = this.#drawn === 0 ? "" : `\u001b[${this.#drawn}F`;
    // Without wrapping, so that each line takes up one: else there is no knowing how far to go back.
    process.stdout.write(`\u001b[?7l${back}\u001b[J${lines.join("\n")}\n\u001b[?7h`);
    this.#drawn = lines.length;
  }
}

/** Writes down what has come, changed and gone since the last look; at the first, all there is. */
class Journal {
  readonly #call: Call;
  #known = new Map<string, Row>();

  constructor(call: Call) {
    this.#call = call;
    call.out.note("watching until Ctrl-C or SIGTERM");
  }

  async show(rows: readonly Row[]): Promise<void> {
    const before = this.#known;
    this.#known = new Map(rows.map((row) => [`${row.lock.resourcePath} ${row.lock.lockId}`, row]));
    for (const [name, row] of before) if (!this.#known.has(name)) this.#write("removed", row);
    for (const [name, row] of this.#known) {
      const known = before.get(name);
      if (known === undefined) this.#write("added", row);
      else if (differ(known, row)) this.#write("changed", row);
    }
  }

  #write(change: "added" | "changed" | "removed", { lock, waiters }: Row): void {
    const now = this.#call.now();
    this.#call.out.line({ change, at: now.toISOString(), ...lockToJson(lock, now), waiters }, () => {
      const queue = waiters === undefined ? "" : `, ${waiters} waiting`;
      const expiry = change === "removed" ? "" : `, ${expiryOf(lock, now)}${queue}`;
      return `${timeOfDay(now, now)} ${change.padEnd(7)} ${describeClaim(lock)}: ${whoAndWhy(lock)}${expiry}`;
    });
  }
}

function differ(a: Row, b: Row): boolean {
  return a.waiters !== b.waiters || a.lock.expiresAt.getTime() !== b.lock.expiresAt.getTime();
}

function expiryOf({ fencingToken, expiresAt }: Lock, now: Date): string {
  return `token ${fencingToken}, expires ${timeUntil(expiresAt, now)}`;
}

function count(locks: number): string {
  return locks === 0 ? "no locks" : locks === 1 ? "1 lock" : `${locks} locks`;
}
