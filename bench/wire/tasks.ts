/** What a client process is told to do, and how it does it. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Contestant } from "../contestants/contestant.js";
import { type Cycle, type Round, round } from "../rounds.js";

export type Task =
  | { readonly do: "distinct" | "hot" | "multi"; readonly workers: number; readonly seconds: number }
  | { readonly do: "handovers"; readonly turns: number; readonly seconds: number }
  | { readonly do: "hold"; readonly count: number };

export interface Report extends Round {
  /** How often each worker had the lock, if all wanted the same. */
  readonly shares?: readonly number[];
  /** Milliseconds from each release to the next holder. */
  readonly delays?: readonly number[];
}

/** A client process has one connection; a second one is opened for who hands locks over to it. */
export interface Client {
  readonly contestant: Contestant;
  other(): Promise<Contestant>;
}

export async function perform(client: Client, task: Task): Promise<Report> {
  switch (task.do) {
    case "distinct":
      return cycles(client, task, distinct(task.workers));
    case "multi":
      return cycles(client, task, multi(task.workers));
    case "hot": {
      const shares = Array.from({ length: task.workers }, () => 0);
      return { ...(await cycles(client, task, hot(shares))), shares };
    }
    case "handovers":
      return handOver(client, task.turns, task.seconds);
    case "hold":
      return hold(client, task.count);
  }
}

function cycles(
  { contestant }: Client,
  { workers, seconds }: { workers: number; seconds: number },
  cycle: Cycle,
): Promise<Round> {
  return round(contestant, workers, cycle, seconds, 1);
}

const paths = Array.from({ length: 10_000 }, (_, n) => `/repo/src/file-${n}.ts`);
const pathsAtOnce = 8;
const noWork = (): void => {};

/** Each worker has paths of its own: every n-th. */
function distinct(workers: number): Cycle {
  return (contestant, worker, turn) => {
    const path = paths[(worker + turn * workers) % (paths.length - (paths.length % workers))];
    return contestant.hold(path ?? "/none", worker, noWork);
  };
}

function multi(workers: number): Cycle {
  const groups = Array.from({ length: paths.length / pathsAtOnce }, (_, n) =>
    paths.slice(n * pathsAtOnce, (n + 1) * pathsAtOnce),
  );
  const count = groups.length - (groups.length % workers);
  return async (contestant, worker, turn) => {
    await contestant.holdAll?.(groups[(worker + turn * workers) % count] ?? [], worker, noWork);
  };
}

function hot(shares: number[]): Cycle {
  return (contestant, worker) =>
    contestant.hold("/repo/src/hot.ts", worker, () => {
      shares[worker] = (shares[worker] ?? 0) + 1;
    });
}

const fewestTurns = 3;
/** A queue has taken in the other one by then. */
const settlingMs = 5;
/** Longer than the longest pause of those that ask again, so that a release comes at no particular moment of it. */
const longestPauseMs = 300;

async function handOver(client: Client, turns: number, seconds: number): Promise<Report> {
  const pair = [client.contestant, await client.other()] as const;
  const delays: number[] = [];
  return timed(async () => {
    const end = performance.now() + seconds * 1_000;
    for (let turn = 0; turn < turns && (turn < fewestTurns || performance.now() < end); turn++) {
      const [from, to] = turn % 2 === 0 ? pair : [pair[1], pair[0]];
      delays.push(await delayBetween(from, to));
    }
    return delays.length;
  }).then((result) => ({ ...result, delays }));
}

/** Milliseconds from the end of one's work to the beginning of the other's, who waited for it. */
async function delayBetween(from: Contestant, to: Contestant): Promise<number> {
  const path = "/repo/src/handed-over.ts";
  const taken = latch();
  const finished = latch();
  const first = from.hold(path, 0, () => {
    taken.open();
    return finished.opened;
  });
  await Promise.race([taken.opened, first]);
  let takenAt = 0;
  const second = to.hold(path, 1, () => {
    takenAt = performance.now();
  });
  await sleep(settlingMs + Math.random() * (from.asksAgain === true ? longestPauseMs : settlingMs));
  const releasedAt = performance.now();
  finished.open();
  await Promise.all([first, second]);
  return takenAt - releasedAt;
}

const locksPerAgent = 100;
const atOnce = 1_000;

/** Takes that many locks and keeps them. */
function hold({ contestant }: Client, count: number): Promise<Report> {
  const forEver = new Promise<void>(() => {});
  const take = (n: number): Promise<unknown> => {
    const taken = latch();
    const held = contestant.hold(`/held/src/file-${n}.ts`, Math.floor(n / locksPerAgent), () => {
      taken.open();
      return forEver;
    });
    return Promise.race([taken.opened, held]);
  };
  return timed(async () => {
    for (let first = 0; first < count; first += atOnce) {
      const size = Math.min(atOnce, count - first);
      await Promise.all(Array.from({ length: size }, (_, n) => take(first + n)));
    }
    return count;
  });
}

async function timed(work: () => Promise<number>): Promise<Round> {
  const cpu = process.cpuUsage();
  const began = performance.now();
  const count = await work();
  const { user, system } = process.cpuUsage(cpu);
  return { cycles: count, seconds: (performance.now() - began) / 1_000, cpuSeconds: (user + system) / 1e6 };
}

function latch(): { readonly opened: Promise<void>; readonly open: () => void } {
  let open = (): void => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}
