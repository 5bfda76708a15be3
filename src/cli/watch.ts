/** `watch`: what happens, a line for each event, until a signal comes or nobody reads any more. */
import process from "node:process";
import { LockError } from "../errors.js";
import type { EventFilter, LockManager } from "../lock-manager.js";
import { eventQuerySchema, eventToJson } from "../protocol/event.js";
import { parseAs } from "../protocol/validation.js";
import type { Call } from "./call.js";
import { CommandError, Interrupted } from "./command-error.js";
import { describeEvent } from "./describe-event.js";
import { exitCodes } from "./exit-codes.js";
import { interruptible } from "./interruption.js";
import { findPlace } from "./settings.js";

export type WatchFlags = {
  readonly types?: string;
  readonly since?: string;
};

export async function watch(call: Call, flags: WatchFlags): Promise<number> {
  const filter = filterOf(call, flags);
  requireServer(call);
  const unread = new AbortController();
  const onError = (): void => unread.abort();
  process.stdout.once("error", onError);
  try {
    return await call.withManager(call.agentId, (manager) =>
      interruptible(async ({ signal }) => {
        await tellEvents(call, manager, { ...filter, signal: AbortSignal.any([signal, unread.signal]) });
        // A signal is how this is meant to end, and needs no words.
        if (signal.reason instanceof Interrupted) return signal.reason.exitCode;
        if (unread.signal.aborted) return exitCodes.done;
        throw new LockError("closed", "The server tells no more events.");
      }),
    );
  } finally {
    process.stdout.off("error", onError);
  }
}

async function tellEvents(call: Call, manager: LockManager, filter: EventFilter): Promise<void> {
  const events = manager.events(filter);
  call.out.note("watching until Ctrl-C or SIGTERM");
  for await (const event of events) call.out.line(eventToJson(event), () => describeEvent(event, call.now()));
}

function filterOf(call: Call, { types, since }: WatchFlags): EventFilter {
  const [prefix, ...others] = [...call.operands, ...(call.behindDashes ?? [])];
  if (others.length > 0) throw new CommandError("usage", "Give one prefix at most.");
  const asked = {
    ...(prefix !== undefined && { prefix }),
    ...(types !== undefined && { types }),
    ...(since !== undefined && { since }),
  };
  const { prefix: path, types: wanted, since: lastId } = parseAs(eventQuerySchema, asked);
  return {
    ...(path !== undefined && { prefix: path }),
    ...(wanted !== undefined && { types: wanted }),
    ...(lastId !== undefined && { since: lastId }),
  };
}

/** Over a store this process would hear only of what it does itself, which is nothing. */
function requireServer(call: Call): void {
  const { value: place } = findPlace(call.flags, call.around);
  if (place.kind === "server") return;
  throw new CommandError(
    "usage",
    `Cannot watch the store "${place.url.replace(/^([a-z]+:\/\/)[^/?#]*@/, "$1…@")}": what happens is told by the process that does it, and here there is no server that does it for all.`,
    [
      "Let everybody use one server: `engram-lock serve`, and its --url for each command, also for this one.",
      "Or see locks come and go on the store itself: `engram-lock ls --watch`.",
    ],
  );
}
