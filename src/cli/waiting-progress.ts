/** Who is waited for, on stderr, once a wait turns out not to be short. */
import { formatDuration } from "../duration.js";
import type { Lock, LockManager, ResourceState } from "../lock-manager.js";
import type { Call } from "./call.js";
import { holderFacts, ordinal, showPath, whoAndWhy } from "./describe-lock.js";
import { type Fact, facts } from "./fact-lines.js";
import type { Taken, Wish } from "./wish.js";

const firstAfterMs = 300;
/** Then again after half a minute, and each time twice as long, since nothing new is the rule. */
const againAfterMs = 30_000;
const longestPauseMs = 600_000;
const shownHolders = 3;

export interface WaitingProgress {
  /** Says no more. Idempotent. */
  stop(): void;
  /** Tells of the locks, if it had told of the wait. */
  tellGot(taken: Taken): void;
}

export function watchWaiting(call: Call, manager: LockManager, wish: Wish): WaitingProgress {
  const { clock } = call.wiring;
  let told = false;
  const stopping = new AbortController();

  const tell = async (): Promise<void> => {
    const words = await describeWait(manager, wish, call.now(), stopping.signal);
    if (stopping.signal.aborted) return;
    told = true;
    call.out.note(words);
  };
  let cancel = (): void => {};
  const schedule = (afterMs: number, pauseMs: number): void => {
    cancel = clock.after(
      afterMs,
      () => {
        tell().catch((error: unknown) => {
          // Only the acquire decides how the command ends; this was information.
          if (call.out.verbose && !stopping.signal.aborted) call.out.warn(`cannot look: ${String(error)}`);
        });
        schedule(pauseMs, Math.min(pauseMs * 2, longestPauseMs));
      },
      { background: true },
    );
  };
  schedule(firstAfterMs, againAfterMs);

  return {
    stop: () => {
      cancel();
      stopping.abort();
    },
    tellGot: ({ locks, waitedMs }) => {
      if (!told) return;
      for (const lock of locks) {
        const token = `token ${lock.fencingToken}`;
        call.out.note(`got ${showPath(lock.resourcePath)} after ${formatDuration(waitedMs)} (${token})`);
      }
    },
  };
}

/** About the first path on which somebody is in the way. */
async function describeWait(
  manager: LockManager,
  wish: Wish,
  now: Date,
  signal: AbortSignal,
): Promise<string> {
  for (const path of wish.paths) {
    const state = await manager.getResource(path, { signal });
    const inTheWay = await blockers(manager, wish, state, signal);
    const ahead = state.waiters.findIndex((waiter) => waiter.agentId === wish.agentId);
    if (inTheWay.length === 0 && ahead <= 0) continue;
    const lines: Fact[] = inTheWay
      .slice(0, shownHolders)
      .flatMap((lock) => holderFacts(lock, state.resourcePath, now));
    if (inTheWay.length > shownHolders) lines.push(["and by", `${inTheWay.length - shownHolders} others`]);
    const first = state.waiters[0];
    if (inTheWay.length === 0 && first !== undefined) lines.push(["behind", whoAndWhy(first)]);
    const place = ahead < 0 ? "waiting" : `${ordinal(ahead + 1)} of ${state.queueLength}`;
    lines.push(["you are", `${place}            Ctrl-C leaves the queue`]);
    return [`waiting for ${whatFor(wish, state.resourcePath)}`, ...facts(lines)].join("\n");
  }
  return [
    `waiting for ${whatFor(wish, wish.paths[0] ?? "")}`,
    ...facts([["", "Ctrl-C leaves the queue"]]),
  ].join("\n");
}

function whatFor(wish: Wish, path: string): string {
  const below = wish.scope === "tree" ? " and all below" : "";
  const others = wish.paths.length > 1 ? ` (one of ${wish.paths.length} resources)` : "";
  return `${showPath(path)}${below}${others}`;
}

async function blockers(
  manager: LockManager,
  wish: Wish,
  state: ResourceState,
  signal: AbortSignal,
): Promise<Lock[]> {
  const near = [...state.holders, ...state.coveredBy];
  const below =
    wish.scope === "tree"
      ? (await manager.listLocks({ prefix: state.resourcePath, limit: 100, signal })).locks
      : [];
  const candidates = new Map(
    [...near, ...below].map((lock) => [`${lock.resourcePath} ${lock.lockId}`, lock]),
  );
  return [...candidates.values()].filter(
    (lock) => lock.agentId !== wish.agentId && (lock.mode === "exclusive" || wish.mode === "exclusive"),
  );
}
