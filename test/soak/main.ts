/** Works for as long as it is told to, and says whether anything grew or was left over: `npm run soak -- --minutes 60`. */
import { getEventListeners } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { createLockManager } from "../../src/create-lock-manager.js";
import type { LockManager } from "../../src/lock-manager.js";
import { openStore } from "../../src/open-store.js";
import type { Store } from "../../src/store/store.js";
import { seededRandom } from "../support/seeded-random.js";
import { heapInUse, lineThrough, type Sample } from "./heap.js";
import { MixedLoad } from "./load.js";

const workers = 32;
/** Until then caches fill and the longest ttl passes. In a short run, half of the time. */
const mostWarmUp = 10;
const sampleEveryMs = 5_000;
/** After closing, for turns of the event loop that were asked for before. */
const calmMs = 100;
/** By so much the heap may seem to have grown since the warm-up: that much each, whichever is more. */
const growthAllowed = { share: 0.05, bytes: 2 * 1024 * 1024 };

interface Site {
  readonly name: string;
  readonly store: Store;
  readonly locks: LockManager;
  readonly load: MixedLoad;
}

const { values } = parseArgs({
  options: { minutes: { type: "string", default: "60" }, seed: { type: "string", default: "1" } },
});
const minutes = Number(values.minutes);
const seed = Number(values.seed);
if (!(minutes > 0) || !Number.isSafeInteger(seed)) {
  console.error("Usage: npm run soak -- [--minutes N] [--seed S]");
  process.exit(64);
}
const faults: string[] = [];
process.on("warning", (warning) => faults.push(`a warning: ${warning.message}`));
const directory = await mkdtemp(join(tmpdir(), "engram-lock-soak-"));
// What is there once and stays, such as the modules, is there before the first look.
await closeAll(await openAll());
await sleep(calmMs);
const before = { resources: resources(), listeners: listeners() };

const sites = await openAll();
for (const { load } of sites) load.start(workers);
const samples = await takeSamples();
const calls = callsMade();
await closeAll(sites);
await rm(directory, { recursive: true });
await sleep(calmMs);
for (const [what, was, is] of [
  ["resources", before.resources, resources()],
  ["listeners", before.listeners, listeners()],
] as const) {
  if (was !== is) faults.push(`${what} were "${was}" before and are "${is}" after`);
}

const warmUp = Math.min(mostWarmUp, minutes / 2);
const { base, slope, error } = lineThrough(samples.filter(({ minute }) => minute >= warmUp));
// What may be chance is no growth.
const growth = (slope - 2 * error) * (minutes - warmUp);
if (growth > Math.max(base * growthAllowed.share, growthAllowed.bytes)) faults.push("the heap grows");
for (const fault of new Set(faults)) console.log(`Violated: ${fault}.`);
console.log(
  `${faults.length === 0 ? "Sound" : "VIOLATED"}: ${minutes} minutes, ${calls}, seed ${seed}; heap ${mebibytes(base)} MiB after the warm-up, slope ${mebibytes(slope * 60)} ± ${mebibytes(error * 60)} MiB an hour.`,
);
process.exitCode = faults.length === 0 ? 0 : 1;

function mebibytes(bytes: number): string {
  return (bytes / 2 ** 20).toFixed(2);
}

function callsMade(): string {
  return sites.map(({ name, load }) => `${load.calls} on the ${name} store`).join(", ");
}

async function openAll(): Promise<Site[]> {
  const urls = { memory: "memory:", embedded: `file:${join(directory, "store")}` };
  const opened: Site[] = [];
  for (const [name, url] of Object.entries(urls)) {
    const store = await openStore(url);
    const locks = await createLockManager({ cleanupInterval: "5s" }, store);
    opened.push({ name, store, locks, load: new MixedLoad(locks, seededRandom(seed)) });
  }
  return opened;
}

async function takeSamples(): Promise<Sample[]> {
  const taken: Sample[] = [];
  const began = performance.now();
  for (let minute = 0; minute < minutes; ) {
    await sleep(Math.min(sampleEveryMs, (minutes * 60_000) / 60));
    minute = (performance.now() - began) / 60_000;
    const bytes = await heapInUse();
    if (Math.floor(minute) > Math.floor(taken.at(-1)?.minute ?? 0))
      console.log(`${Math.floor(minute)} min: heap ${mebibytes(bytes)} MiB, calls ${callsMade()}`);
    taken.push({ minute, bytes });
  }
  return taken;
}

/** Ends the load, waits until what nobody gave back has expired, and closes. */
async function closeAll(open: readonly Site[]): Promise<void> {
  for (const { name, store, locks, load } of open) {
    await load.stop();
    faults.push(...load.faults);
    if (getEventListeners(load.signal, "abort").length > 0)
      faults.push(`the ${name} store: listeners on a signal`);
    const left = await leftIn(store);
    if (left.length > 0) faults.push(`left in the ${name} store: ${left.slice(0, 5).join(", ")}`);
    await locks.close();
    await store.close();
  }
}

async function leftIn(store: Store): Promise<string[]> {
  let left: string[] = [];
  // Longer than any ttl that was given without being given back, and than the sweep.
  for (let tries = 0; tries < 200; tries++) {
    const { ranges } = await store.read({ ranges: [{ prefix: "" }] });
    left = (ranges[0] ?? []).map(({ key }) => key).filter((key) => !key.startsWith("manager/"));
    if (left.length === 0) break;
    await sleep(100);
  }
  return left;
}

function resources(): string {
  return process.getActiveResourcesInfo().toSorted().join(" ");
}

function listeners(): string {
  const names = process.eventNames().map((name) => `${String(name)} ${process.listenerCount(name)}`);
  return names.toSorted().join(", ");
}
