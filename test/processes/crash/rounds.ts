/** Kills processes at named points while others work on the same store, and looks each time whether anything was lost. */
import { mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { createLockManager } from "../../../src/create-lock-manager.js";
import { openStore } from "../../../src/open-store.js";
import type { Store } from "../../../src/store/store.js";
import type { StoredLock } from "../../model/book-keeping.js";
import { seededRandom } from "../../support/seeded-random.js";
import { Ledger } from "./ledger.js";
import { type Load, startLoad } from "./load.js";
import { type Doom, doomAt, type Point, points } from "./points.js";

export interface Trial {
  readonly rounds: number;
  readonly seed: number;
  /** An empty folder. */
  readonly directory: string;
  /** Default all of them, in turn. */
  readonly only?: readonly Point[];
  readonly tell?: (line: string) => void;
}

export interface Outcome {
  readonly kills: Readonly<Record<Point, number>>;
  /** Of the kills during a flush, those that came before it had ended. */
  readonly withinFlush: number;
  /** Locks, extensions and releases that were acknowledged, and then looked for. */
  readonly acknowledged: number;
}

const bystanders = 2;
/** So much is acknowledged to each bystander after a kill before the store is looked at: those who live go on. */
const stepsAfter = 20;
/** So much the others write while one sleeps: the first time it finds their rows, the second time they are tidied away. */
const stepsAsleep = { "catching-up": 150, "reading-anew": 1_000 };

/** Rejects with what is wrong, in words, and with the seed. */
export async function killInRounds(trial: Trial): Promise<Outcome> {
  const { rounds, seed, directory, only = points, tell = () => {} } = trial;
  const random = seededRandom(seed);
  const kills = Object.fromEntries(points.map((point) => [point, 0])) as Record<Point, number>;
  const run = new Run(directory);
  try {
    await run.begin();
    for (let round = 0; round < rounds; round++) {
      const point = only[round % only.length] ?? "any-moment";
      const doom = doomAt(point, random);
      const where = `seed ${seed}, round ${round}: ${point}, the ${doom.nth}th time`;
      const faults = await run.round(doom, round).catch((error: unknown) => [textOf(error)]);
      if (faults.length > 0) throw new Error(`In ${where}:\n${faults.slice(0, 20).join("\n")}`);
      kills[point] += 1;
      if ((round + 1) % 25 === 0) tell(`${round + 1} rounds, ${run.ledger.acknowledged} acknowledgements`);
    }
    await run.end();
  } finally {
    run.stop();
  }
  return { kills, withinFlush: kills["during-flush"] - run.flushed, acknowledged: run.ledger.acknowledged };
}

/** The processes that live on from round to round, and their store. */
class Run {
  readonly ledger = new Ledger();
  /** How many kills came after the flush during which they were to come. */
  flushed = 0;
  readonly #directory: string;
  readonly #url: string;
  readonly #dead = new Set<number>();
  #others: readonly Load[] = [];
  #victim: Load | undefined;

  constructor(directory: string) {
    this.#directory = directory;
    this.#url = `file:${join(directory, "store")}`;
  }

  async begin(): Promise<void> {
    this.#others = Array.from({ length: bystanders }, () => startLoad(this.#url, this.ledger));
    for (const load of this.#others) await load.ready();
  }

  /** Answers with what was wrong. */
  async round(doom: Doom, round: number): Promise<readonly string[]> {
    if (doom.point === "creating") {
      const { faults, acknowledged } = await inFreshFolder(doom, join(this.#directory, `round-${round}`));
      this.ledger.acknowledged += acknowledged;
      return faults;
    }
    const { point } = doom;
    const isBusy = point === "opening";
    if (isBusy) for (const load of this.#others) load.go(round);
    const victim = startLoad(this.#url, this.ledger, doom);
    this.#victim = victim;
    if (!isBusy) {
      await victim.ready();
      for (const load of [victim, ...this.#others]) load.go(round);
    }
    if (point === "any-moment" || point === "waiting") {
      await victim.steps(doom.nth);
      if (point === "waiting") {
        victim.agent.signal("SIGSTOP");
        await sleep(20);
      }
      victim.agent.signal("SIGKILL");
    } else if (point === "catching-up" || point === "reading-anew") {
      await this.#letSleep(victim, stepsAsleep[point], round);
    }
    await victim.killed();
    this.#victim = undefined;
    if (victim.hasFlushed) this.flushed += 1;
    this.#dead.add(victim.agent.pid);
    await Promise.all(this.#others.map((load) => load.steps(stepsAfter)));
    await Promise.all(this.#others.map((load) => load.pause()));
    await this.#look();
    return this.ledger.faults;
  }

  /** All live processes stand still, gave back what they kept, and nothing is left in the store. */
  async end(): Promise<void> {
    for (const load of this.#others) load.agent.finish();
    for (const load of this.#others) await load.finished();
    const store = await openStore(this.#url);
    const locks = await createLockManager({ cleanupInterval: "1s" }, store);
    try {
      // The waiters of dead processes go once the word of those has lapsed.
      for (let tries = 0; ; tries++) {
        const { ranges } = await store.read({ ranges: [{ prefix: "" }] });
        const left = (ranges[0] ?? []).map(({ key }) => key).filter((key) => !key.startsWith("manager/"));
        if (left.length === 0) return;
        if (tries === 300) throw new Error(`In the end these are left: ${left.slice(0, 20).join(", ")}`);
        await sleep(100);
      }
    } finally {
      await locks.close();
      await store.close();
    }
  }

  stop(): void {
    for (const load of [...this.#others, this.#victim]) load?.agent.signal("SIGKILL");
  }

  async #letSleep(victim: Load, steps: number, round: number): Promise<void> {
    // Nobody writes until it sleeps, so it has seen everything so far.
    await Promise.all([victim, ...this.#others].map((load) => load.steps(stepsAfter)));
    await Promise.all([victim, ...this.#others].map((load) => load.pause()));
    await victim.arm();
    victim.agent.signal("SIGSTOP");
    for (const load of this.#others) load.go(round);
    await Promise.all(this.#others.map((load) => load.steps(steps)));
    victim.agent.signal("SIGCONT");
    victim.go(round);
  }

  async #look(): Promise<void> {
    const isDead = (agent: string): boolean => this.#dead.has(pidOf(agent));
    const store = await openStore(this.#url);
    try {
      const left = await compare(store, this.ledger, isDead);
      const locks = await createLockManager({}, store);
      for (const { path, agentId, lockId } of left) {
        if (!(await locks.releaseLock(path, agentId, lockId)))
          this.ledger.faults.push(`${lockId} of ${agentId} on ${path} is there, and cannot be released`);
      }
      await locks.close();
    } finally {
      await store.close();
    }
  }
}

/** Once live processes have cleaned up after what they gave up, which takes them no longer than a second. */
async function compare(
  store: Store,
  ledger: Ledger,
  isDead: (agent: string) => boolean,
): Promise<StoredLock[]> {
  for (let tries = 0; tries < 100; tries++) {
    const { ranges } = await store.read({ ranges: [{ prefix: "" }] });
    const left = ledger.compare(ranges[0] ?? [], isDead);
    if (left !== undefined) return left;
    await sleep(10);
  }
  throw new Error("a process that lives has not cleaned up within a second after a refusal");
}

/** One is killed while it makes the store; another, which began at the same time, works on, and a third finds all of it. */
async function inFreshFolder(doom: Doom, directory: string): Promise<Ledger> {
  await mkdir(directory);
  const url = `file:${directory}`;
  const ledger = new Ledger();
  const victim = startLoad(url, ledger, doom);
  const other = startLoad(url, ledger);
  try {
    for (const load of [victim, other]) load.go(0);
    await victim.killed();
    await other.steps(stepsAfter);
    await other.pause();
    const store = await openStore(url);
    await compare(store, ledger, (agent) => pidOf(agent) === victim.agent.pid);
    await store.close();
    other.agent.finish();
    await other.finished();
    const files = await readdir(directory);
    for (const file of ["engram-lock.json", "locks.mdb"])
      if (!files.includes(file)) ledger.faults.push(`there is no ${file}`);
  } finally {
    for (const load of [victim, other]) load.agent.signal("SIGKILL");
  }
  return ledger;
}

/** Which process the agent works in. */
function pidOf(agent: string): number {
  return Number(agent.split("-")[1]);
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
