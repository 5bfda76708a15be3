/** What must come to pass: whoever has its turn is served, rings are broken, and nothing is left over. */
import type { Oracle } from "./oracle.js";
import type { SimulatedProcess } from "./process.js";
import { findRing, hasItsTurn, holdsElsewhere, isFirst, waitingRequests } from "./queue-rules.js";
import type { VirtualTime } from "./virtual-time.js";

/** How long a turn may take between managers while hints work and nothing fails. */
const promptMs = 250;
/** A read that is on its way when the hint comes brings back what was before; then the slow poll finds out. */
const slowPollMs = 1_500;
/** The slow poll looks for rings as well. */
const ringMs = 5_000;

/** On a calm sea a turn is served promptly, and a ring is broken soon. */
export class Promptness {
  private readonly oracle: Oracle;
  private readonly time: VirtualTime;
  private hadTurn = new Map<string, number>();
  private ring = "";
  private ringSince = 0;

  private readonly promptMs: number;

  constructor(oracle: Oracle, time: VirtualTime, hasLatency: boolean) {
    this.promptMs = hasLatency ? slowPollMs : promptMs;
    this.oracle = oracle;
    this.time = time;
  }

  check(): void {
    const { truth, report, storeTime } = this.oracle;
    truth.storeTime = storeTime;
    const { now } = this.time;
    const have = new Map<string, number>();
    for (const request of waitingRequests(truth)) {
      // Who is not the first is woken when the first was served, and otherwise by the slow poll; as is one whose agent has what it waits for, but
      // through another process.
      if (holdsElsewhere(truth, request.first) || !isFirst(truth, request) || !hasItsTurn(truth, request))
        continue;
      const { requestId, agentId, path } = request.first;
      const since = this.hadTurn.get(requestId) ?? now;
      have.set(requestId, since);
      if (now - since >= this.promptMs)
        report(
          "I9",
          `${agentId} still waits for ${path} as ${requestId}, ${now - since} ms after its turn had come`,
        );
    }
    this.hadTurn = have;
    const ring = findRing(truth)?.toSorted().join(" ") ?? "";
    if (ring !== this.ring) this.ringSince = now;
    this.ring = ring;
    if (ring !== "" && now - this.ringSince >= ringMs)
      report("I19", `${ring} wait for each other, and nobody is refused`);
  }
}

/** Faults are over for long: whoever waits has reason to, and nobody holds what nobody knows of. */
export function checkAtRest(
  { truth, ledger, storeTime, report }: Oracle,
  living: readonly SimulatedProcess[],
): void {
  truth.storeTime = storeTime;
  for (const request of waitingRequests(truth)) {
    const { agentId, path, lockId } = request.first;
    if (hasItsTurn(truth, request)) report("I9", `${agentId} waits for ${path}, and nothing is in its way`);
    const call = ledger.callOf.get(lockId);
    if (call !== undefined && call.state !== "pending" && living.includes(call.process))
      report("I10", `${agentId} waits for ${path} after its call was ${call.state}`);
  }
  const ring = findRing(truth);
  if (ring !== undefined) report("I19", `${ring.join(" ")} wait for each other, and nobody is refused`);
  for (const lock of truth.inForce()) {
    // What two calls of one agent share, and neither of them took, ends with its ttl.
    const isKnown =
      lock.isJoined ||
      ledger.handlesOf.has(lock.lockId) ||
      !living.some((process) => process.made(lock.lockId));
    if (!isKnown) report("I5", `nobody knows of ${lock.lockId}, ${lock.agentId} on ${lock.path}`);
  }
}

/** Everybody has given back what they held: every queue is empty, and every call is answered. */
export function checkDrained({ truth, ledger, report }: Oracle, living: readonly SimulatedProcess[]): void {
  for (const { agentId, path, lockId } of truth.waiting()) {
    report("I9", `${agentId} still waits for ${path} as ${lockId}, when everything was given back`);
  }
  for (const call of ledger.calls) {
    if (call.state === "pending" && living.includes(call.process) && !call.process.isClosing)
      report(
        "I9",
        `${call.agentId} has no answer for ${call.paths.join(" ")}, when everything was given back`,
      );
  }
}

/** Nothing is left in the store but perhaps the entries of managers, which lapse. */
export function checkNothingLeft({ truth, report }: Oracle): void {
  const left = [...truth.entries.keys()].filter((key) => !key.startsWith("manager/"));
  if (left.length > 0) report("I5", `left at the end: ${left.slice(0, 10).join(" ")}`);
}
