/**
 * Several processes on one server: how the rate moves with their number when nobody is in anybody's way, and how a lock changes hands between them
 * when all want the same.
 */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { Contestant, Site, SiteKind } from "../contestants/contestant.js";
import { networkStores } from "../contestants/stores.js";
import { median, spread } from "../statistics.js";
import { figure, percent } from "../table.js";
import type { Answer, Workload } from "./workload.js";

const pathCount = 10_000;
const distinctWorkers = 64;
const hotProcesses = 4;
const hotWorkers = 16;

/** What one process of several is to do. */
interface Part {
  readonly kind: string;
  readonly url: string;
  /** Which of how many. */
  readonly place: number;
  readonly processes: number;
  readonly workers: number;
  readonly hot: boolean;
}

/** Microseconds of the machine's monotonic clock, which all its processes share. */
interface Turn {
  readonly from: number;
  readonly to: number;
}

interface Report {
  readonly cycles: number;
  readonly seconds: number;
  readonly refusedShare?: number;
  /** When each worker had the lock, if all wanted the same. */
  readonly turns: readonly (readonly Turn[])[];
}

export const manyProcesses: Workload = {
  name: "processes",
  async run({ instead = [], without, pace, quick }) {
    const kinds = instead.filter(({ name }) => !without.includes(name));
    const counts = quick ? [1, 2] : [1, 2, 4];
    const spreadRows: string[][] = [];
    const hotRows: string[][] = [];
    const data: unknown[] = [];
    for (const kind of kinds) {
      const site = await kind.start();
      if (site === undefined) {
        console.log(`${kind.name} is left out: ${kind.why ?? "it cannot run here"}.`);
        continue;
      }
      try {
        const rates: string[] = [];
        for (const processes of counts) {
          const rounds = await repeated(pace.rounds, () => distinct(kind, site, processes, pace.seconds));
          const rate = median(rounds.map((one) => one.rate));
          const refused = median(rounds.map((one) => one.refusedShare));
          rates.push(Number.isNaN(refused) ? figure(rate) : `${figure(rate)} (${percent(refused)})`);
          data.push({ name: kind.name, processes, rate, refused });
        }
        spreadRows.push([kind.name, ...rates]);
        const contended = await waits(kind, site);
        if (!contended) continue;
        const rounds = await repeated(pace.rounds, () => hot(kind, site, pace.seconds));
        const [p50, p99] = [median(rounds.map((one) => one.p50)), median(rounds.map((one) => one.p99))];
        const rate = median(rounds.map((one) => one.rate));
        const [least, most] = [
          Math.min(...rounds.map((one) => one.least)),
          Math.max(...rounds.map((one) => one.most)),
        ];
        hotRows.push([kind.name, figure(rate), figure(p50), figure(p99), percent(least), percent(most)]);
        data.push({ name: kind.name, hot: rounds });
      } finally {
        await site.stop();
      }
    }
    const answers: Answer[] = [
      {
        title: `Cycles per second: distinct paths, ${distinctWorkers} workers in one or more processes on one server`,
        head: ["", ...counts.map((count) => `${count} ${count === 1 ? "process" : "processes"}`)],
        rows: spreadRows,
        notes: ["In brackets: the share of changes that were refused, because another process was faster."],
        data,
      },
      {
        title: `Handovers: ${hotWorkers} workers in ${hotProcesses} processes on one path`,
        head: ["", "handovers/s", "release → next p50, ms", "p99, ms", "least share", "largest share"],
        rows: hotRows,
        data,
      },
    ];
    return answers;
  },
};

/** The other side of `together`: works as told, and says what it came to. */
export async function workInProcess(part: Part): Promise<void> {
  const kind = Object.values(networkStores)
    .flat()
    .find(({ name }) => name === part.kind);
  if (kind === undefined) throw new Error(`There is no contestant "${part.kind}"`);
  const contestant = await kind.at(part.url);
  await (part.hot ? contestant.hold("/warm/up", 1_000 + part.place, noWork) : warm(contestant, part));
  process.send?.("ready");
  const [seconds] = (await once(process, "message")) as [number];
  const report = await work(contestant, part, seconds);
  process.send?.(report);
  await once(process, "message");
  await contestant.close();
  process.disconnect();
}

const noWork = (): void => {};

async function warm(contestant: Contestant, part: Part): Promise<void> {
  await work(contestant, part, 0.3);
}

async function work(
  contestant: Contestant,
  { place, processes, workers, hot: isHot }: Part,
  seconds: number,
): Promise<Report> {
  const began = now();
  const end = began + seconds * 1e6;
  const turns: Turn[][] = [];
  let cycles = 0;
  const each = async (own: number): Promise<void> => {
    const worker = own * processes + place;
    const taken: Turn[] = [];
    turns[own] = taken;
    for (let turn = 0; now() < end; turn++) {
      const path = isHot
        ? "/repo/src/hot.ts"
        : `/repo/src/file-${(worker + turn * workers * processes) % pathCount}.ts`;
      await contestant.hold(path, worker, () => {
        if (isHot) taken.push({ from: now(), to: now() });
      });
      cycles++;
    }
  };
  await Promise.all(Array.from({ length: workers }, (_, own) => each(own)));
  const share = contestant.refusedShare?.();
  return {
    cycles,
    seconds: (now() - began) / 1e6,
    turns,
    ...(share === undefined ? {} : { refusedShare: share }),
  };
}

function now(): number {
  return Number(process.hrtime.bigint() / 1_000n);
}

async function distinct(
  kind: SiteKind,
  site: Site,
  processes: number,
  seconds: number,
): Promise<{ rate: number; refusedShare: number }> {
  const workers = distinctWorkers / processes;
  const reports = await together(kind, site, { processes, workers, hot: false }, seconds);
  return {
    rate: reports.reduce((sum, one) => sum + one.cycles / one.seconds, 0),
    refusedShare: median(reports.map((one) => one.refusedShare ?? Number.NaN)),
  };
}

async function hot(
  kind: SiteKind,
  site: Site,
  seconds: number,
): Promise<{ rate: number; p50: number; p99: number; least: number; most: number }> {
  const workers = hotWorkers / hotProcesses;
  const reports = await together(kind, site, { processes: hotProcesses, workers, hot: true }, seconds);
  const turns = reports
    .flatMap((one) => one.turns)
    .flat()
    .toSorted((a, b) => a.from - b.from);
  // From one's work being done to the next one's beginning: release and acquire are in it.
  const delays = turns.slice(1).map((turn, index) => (turn.from - (turns[index]?.to ?? turn.from)) / 1_000);
  const { p50, p99 } = spread(delays);
  const counts = reports.flatMap((one) => one.turns.map((own) => own.length));
  const equal = turns.length / counts.length;
  return {
    rate: turns.length / Math.max(...reports.map((one) => one.seconds)),
    p50,
    p99,
    least: Math.min(...counts) / equal,
    most: Math.max(...counts) / equal,
  };
}

/** Whether a second one that wants the lock gets it in the end. */
async function waits(kind: SiteKind, site: Site): Promise<boolean> {
  const contestant = await kind.at(site.url);
  await contestant.close();
  return contestant.queues || contestant.asksAgain === true;
}

/** Starts all of them, lets them go at one moment, and gathers what they say. */
async function together(
  kind: SiteKind,
  site: Site,
  part: Pick<Part, "processes" | "workers" | "hot">,
  seconds: number,
): Promise<Report[]> {
  const main = fileURLToPath(new URL("../main.js", import.meta.url));
  const children = Array.from({ length: part.processes }, (_, place) =>
    fork(main, ["--part", JSON.stringify({ ...part, kind: kind.name, url: site.url, place })]),
  );
  try {
    await Promise.all(children.map(said));
    const reports = children.map(said);
    for (const child of children) child.send(seconds);
    const all = (await Promise.all(reports)) as Report[];
    const ended = children.map((child) => once(child, "exit"));
    for (const child of children) child.send("end");
    await Promise.all(ended);
    return all;
  } finally {
    for (const child of children) child.kill("SIGKILL");
  }
}

async function said(child: ChildProcess): Promise<unknown> {
  const ended = new AbortController();
  try {
    const [message] = (await Promise.race([
      once(child, "message", { signal: ended.signal }),
      once(child, "exit", { signal: ended.signal }).then(() => {
        throw new Error("A process of the benchmark ended early");
      }),
    ])) as [unknown];
    return message;
  } finally {
    ended.abort();
  }
}

async function repeated<Result>(times: number, run: () => Promise<Result>): Promise<Result[]> {
  const results: Result[] = [];
  for (let n = 0; n < times; n++) results.push(await run());
  return results;
}
