/** What processes said that they asked for and were told, and whether a store is in keeping with it. */

import type { Entry } from "../../../src/store/store.js";
import { Entries } from "../../core/map-view.js";
import { bookKeepingErrors, type StoredLock, storedLocks, storedWaiters } from "../../model/book-keeping.js";

/** A path as one agent asked for it. */
interface Claim {
  readonly agent: string;
  readonly path: string;
  /** All that was asked for in the same call, this path included. */
  readonly together: readonly string[];
  /**
   * What was asked for last, or was answered. `refused`: it may still be there for a moment, until its process has cleaned up. `orphaned`: asked for
   * by a process that is dead, and known not to be held.
   */
  state: "asks" | "refused" | "held" | "extends" | "releases" | "released" | "orphaned";
  lockId: string;
  token: number;
  expiresAt: number;
}

export class Ledger {
  /** How many locks, extensions and releases were acknowledged. */
  acknowledged = 0;
  readonly faults: string[] = [];
  readonly #claims = new Map<string, Claim>();
  /** By path, which lock had which token. */
  readonly #tokens = new Map<string, Map<number, string>>();
  #largest = 0;
  /** What is granted from now on has to have a larger token. */
  #floor = 0;

  /** Takes down a line of the work `load` of `agent.mjs`. */
  hear(line: string): void {
    const [what = "", agent = "", ...rest] = line.split(" ");
    if (what === "asks") {
      for (const path of rest) {
        this.#claims.set(nameOf(agent, path), {
          agent,
          path,
          together: rest,
          state: "asks",
          lockId: "",
          token: 0,
          expiresAt: 0,
        });
      }
      return;
    }
    const claim = this.#claims.get(nameOf(agent, rest[0] ?? ""));
    if (claim === undefined) this.faults.push(`nobody asked for what "${line}" tells of`);
    else this.#note(claim, what, rest.slice(1));
  }

  #note(claim: Claim, what: string, facts: readonly string[]): void {
    switch (what) {
      case "held":
        Object.assign(claim, {
          state: "held",
          lockId: facts[0],
          token: Number(facts[1]),
          expiresAt: Number(facts[2]),
        });
        this.#noteToken(claim);
        break;
      case "extended":
        Object.assign(claim, { state: "held", expiresAt: Number(facts[0]) });
        break;
      case "extends":
      case "releases":
        claim.state = what;
        return;
      case "released":
      case "refused":
        claim.state = what;
        break;
      default:
        this.faults.push(`${claim.agent} on ${claim.path}: ${what}`);
    }
    this.acknowledged += 1;
  }

  #noteToken({ agent, path, lockId, token }: Claim): void {
    if (token <= this.#floor) {
      this.faults.push(`${agent} got ${path} with token ${token}, and ${this.#floor} was there before`);
    }
    const tokens = this.#tokens.get(path) ?? new Map<number, string>();
    this.#tokens.set(path, tokens);
    const other = tokens.get(token);
    if (other !== undefined && other !== lockId)
      this.faults.push(`${path} was granted twice with token ${token}`);
    tokens.set(token, lockId);
    this.#largest = Math.max(this.#largest, token);
  }

  /**
   * Whether the entries of a store are what was acknowledged, and what was asked for wholly there or not at all. To be called while no live process
   * has a call on its way. What it finds is in `faults`; the answer is the locks whose processes are dead, which whoever calls has to give back, or
   * `undefined` when a live process is still cleaning up, and the store is to be looked at again.
   */
  compare(stored: readonly Entry[], isDead: (agent: string) => boolean): StoredLock[] | undefined {
    const entries = new Entries();
    for (const { key, revision, value } of stored) entries.set({ key, revision, value });
    const locks = new Map(storedLocks(entries).map((lock) => [nameOf(lock.agentId, lock.path), lock]));
    const waiters = storedWaiters(entries).map(({ agentId, path }) => ({
      agentId,
      path,
      state: this.#claims.get(nameOf(agentId, path))?.state,
    }));
    const isRefused = ({ agentId, path }: { agentId: string; path: string }): boolean =>
      !isDead(agentId) && this.#claims.get(nameOf(agentId, path))?.state === "refused";
    if ([...locks.values(), ...waiters].some(isRefused)) return undefined;

    this.faults.push(...bookKeepingErrors(entries));
    for (const claim of this.#claims.values()) this.#check(claim, locks, isDead(claim.agent));
    for (const [name, lock] of locks) {
      if (!this.#claims.has(name)) this.faults.push(`nobody asked for ${lock.lockId} of ${name}`);
      this.#largest = Math.max(this.#largest, lock.token);
    }
    for (const { agentId, path, state } of waiters) {
      if (!isDead(agentId) || (state !== "asks" && state !== "refused" && state !== "orphaned"))
        this.faults.push(`${agentId} waits for ${path}, which it last knew as "${state}"`);
    }
    this.#settle(isDead);
    return [...locks.values()].filter((lock) => isDead(lock.agentId));
  }

  #check(claim: Claim, locks: ReadonlyMap<string, StoredLock>, isDead: boolean): void {
    const { agent, path, state, lockId, token, expiresAt, together } = claim;
    const lock = locks.get(nameOf(agent, path));
    const fault = (what: string): void => {
      this.faults.push(`${agent} on ${path}, which it last knew as "${state}": ${what}`);
    };
    if (state === "released" || state === "orphaned" || (state === "refused" && !isDead)) {
      if (lock !== undefined) fault(`${lock.lockId} is there`);
      return;
    }
    if (state !== "held" && !isDead) fault("the call has not ended");
    if (state === "asks" || state === "refused") {
      const tokens = together.map((other) => locks.get(nameOf(agent, other))?.token);
      if (new Set(tokens).size > 1) fault(`a part of it is there: ${tokens.join(", ")}`);
      return;
    }
    if (lock === undefined) {
      if (state !== "releases") fault("it is gone");
      return;
    }
    if (lock.lockId !== lockId || lock.token !== token)
      fault(`it is ${lock.lockId} with token ${lock.token}`);
    if (
      state === "extends" ? lock.expiresAt < expiresAt : Math.floor(lock.expiresAt) !== Math.floor(expiresAt)
    )
      fault(`it expires at ${lock.expiresAt}, not ${expiresAt}`);
  }

  /** Forgets what can change no more. */
  #settle(isDead: (agent: string) => boolean): void {
    for (const [name, claim] of this.#claims) {
      if (!isDead(claim.agent)) {
        if (claim.state === "released" || claim.state === "refused") this.#claims.delete(name);
      } else if (claim.state === "asks" || claim.state === "refused") claim.state = "orphaned";
      else if (claim.state !== "orphaned") claim.state = "released";
    }
    this.#tokens.clear();
    this.#floor = this.#largest;
  }
}

function nameOf(agent: string, path: string): string {
  return `${agent} ${path}`;
}
