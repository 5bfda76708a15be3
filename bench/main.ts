/** Benchmarks beside their peers: `npm run bench -- --help`. Never run as timed tests. */
import { writeFileSync } from "node:fs";
import { cpus, loadavg } from "node:os";
import { parseArgs } from "node:util";
import { networkStores } from "./contestants/stores.js";
import { flushCostMs } from "./scratch.js";
import { figure, table } from "./table.js";
import { type PartArguments, runPart } from "./wire/part.js";
import { wireWorkloads } from "./wire/workloads/all.js";
import { expiry } from "./workloads/expiry.js";
import { handover } from "./workloads/handover.js";
import { heap, measureHeap } from "./workloads/heap.js";
import { hotPath } from "./workloads/hot-path.js";
import { pileUp } from "./workloads/pile-up.js";
import { manyProcesses, workInProcess } from "./workloads/processes.js";
import { distinctPaths, manyAtOnce } from "./workloads/throughput.js";
import type { Answer, Settings, Workload } from "./workloads/workload.js";

const inProcess: readonly Workload[] = [
  distinctPaths,
  manyAtOnce,
  hotPath,
  handover,
  expiry,
  pileUp,
  heap,
  manyProcesses,
];

const help = `Usage: npm run bench -- [--wire] [--quick] [--only NAMES]... [--without NAME]... [--store NAMES] [--seconds N] [--rounds N] [--json FILE]

  --wire       server and client in processes of their own, beside other lock servers
  --quick      see that everything runs; the figures mean little
  --without NAME  leave out a contestant, such as "embedded store"
  --store NAMES  ${Object.keys(networkStores).join(",")}: only the contestants of these stores, in distinct, hot and processes
  --only NAMES some of ${inProcess.map(({ name }) => name).join(",")}
               with --wire of ${wireWorkloads.map(({ name }) => name).join(",")}
  --seconds N  how long a round of a contestant lasts (default 1)
  --rounds N   how many rounds, of which the median is shown (default 5)
  --json FILE  writes the figures, every round of them, to a file
`;

const { values } = parseArgs({
  options: {
    wire: { type: "boolean", default: false },
    quick: { type: "boolean", default: false },
    only: { type: "string", multiple: true },
    without: { type: "string", multiple: true, default: [] },
    store: { type: "string" },
    seconds: { type: "string" },
    rounds: { type: "string" },
    json: { type: "string" },
    help: { type: "boolean", default: false },
    // How this program asks itself to measure in a fresh process.
    "heap-of": { type: "string" },
    count: { type: "string" },
    part: { type: "string" },
    "wire-part": { type: "string" },
  },
});

if (values.help) process.stdout.write(help);
else if (values.part !== undefined) await workInProcess(JSON.parse(values.part));
else if (values["wire-part"] !== undefined) await runPart(JSON.parse(values["wire-part"]) as PartArguments);
else if (values["heap-of"] !== undefined) await measureHeap(values["heap-of"], Number(values.count));
else await runAll();

async function runAll(): Promise<void> {
  const { quick } = values;
  const stores = values.store?.split(",");
  const workloads = values.wire ? wireWorkloads : inProcess;
  const only =
    values.only?.flatMap((names) => names.split(",")) ??
    (stores === undefined ? undefined : [distinctPaths.name, hotPath.name, manyProcesses.name]);
  if (values.wire && stores !== undefined) {
    process.stderr.write(`--store is not for --wire.\n${help}`);
    process.exitCode = 64;
    return;
  }
  const strange = stores?.find((name) => networkStores[name] === undefined);
  if (strange !== undefined) {
    process.stderr.write(`There is no store "${strange}".\n${help}`);
    process.exitCode = 64;
    return;
  }
  const unknown = only?.find((name) => !workloads.some((workload) => workload.name === name));
  if (unknown !== undefined) {
    process.stderr.write(`There is no benchmark "${unknown}".\n${help}`);
    process.exitCode = 64;
    return;
  }
  const settings: Settings = {
    quick,
    without: values.without,
    ...(stores === undefined ? {} : { instead: stores.flatMap((name) => networkStores[name] ?? []) }),
    pace: {
      seconds: positive("seconds", values.seconds, quick ? 0.1 : 1),
      rounds: Math.ceil(positive("rounds", values.rounds, quick ? 1 : 5)),
    },
  };
  const machine = describeMachine();
  console.log(`${Object.values(machine).join(", ")}.\n`);
  const answers: (Answer & { readonly workload: string })[] = [];
  for (const workload of workloads) {
    if (only !== undefined && !only.includes(workload.name)) continue;
    for (const answer of await workload.run(settings)) {
      answers.push({ workload: workload.name, ...answer });
      show(answer);
    }
  }
  if (values.json !== undefined) {
    const results = answers.map(({ workload, title, data }) => ({ workload, title, data }));
    writeFileSync(values.json, `${JSON.stringify({ machine, settings, results }, undefined, 2)}\n`);
  }
}

function show({ title, head, rows, notes = [] }: Answer): void {
  console.log([`### ${title}`, "", table(head, rows), "", ...notes.flatMap((note) => [note, ""])].join("\n"));
}

function describeMachine(): Record<string, string> {
  const [cpu] = cpus();
  return {
    node: `Node ${process.version}`,
    cpu: `${cpus().length} × ${cpu?.model ?? "unknown processor"}`,
    load: `load ${figure(loadavg()[0])}`,
    flush: `one flush ${figure(flushCostMs())} ms`,
  };
}

function positive(name: string, text: string | undefined, otherwise: number): number {
  if (text === undefined) return otherwise;
  const value = Number(text);
  if (value > 0 && Number.isFinite(value)) return value;
  throw new RangeError(`--${name} must be a positive number, not "${text}"`);
}
