import { describe, expect, onTestFinished, test } from "vitest";
import { exitCodes } from "../../src/cli/exit-codes.js";
import { createLockManager } from "../../src/create-lock-manager.js";
import { type ErrorCode, errorCatalogue, LockError } from "../../src/errors.js";
import type { LockManager } from "../../src/lock-manager.js";
import type { LockManagerConfig } from "../../src/manager/config.js";
import { openStore } from "../../src/open-store.js";
import { type Store, StoreError } from "../../src/store/store.js";
import { codeBlocks, expected, readDocument, tableUnder } from "./documents.js";

const document = readDocument("docs/errors.md");
const codes = Object.keys(errorCatalogue) as ErrorCode[];

test("the table of codes says what the catalogue says, in its order", () => {
  const told = tableUnder(document, "The codes").map(([code = "", ...rest]) => [
    /`(\w+)`/.exec(code)?.[1],
    ...rest.slice(0, 4),
  ]);
  const known = Object.entries(errorCatalogue).map(([code, { family, httpStatus, exitCode, retryable }]) => [
    code,
    family,
    String(httpStatus),
    String(exitCode),
    retryable ? "yes" : "no",
  ]);
  expect(told).toEqual(known);
});

test("the table of exit codes has all of them", () => {
  const told = tableUnder(document, "Exit codes").map(([code = ""]) => code);
  const known = [...Object.values(exitCodes), ...codes.map((code) => errorCatalogue[code].exitCode)];
  const beyondSignals = [...new Set(known)].filter((code) => code !== 128 + 2).toSorted((a, b) => a - b);
  expect(told).toEqual([...beyondSignals.map(String), "128 + n", "any other"]);
});

describe("the example is what is said, and the facts are those that are carried:", () => {
  test.each(codes)("%s", async (code) => {
    const error = await provoke[code]();
    expect(error.code).toBe(code);
    const [example] = codeBlocks(document).filter(({ heading }) => heading === code);
    expect(error.message).toMatch(expected(example?.code ?? ""));
    for (const fact of Object.keys(error.facts)) expect(factsOf(code)).toContain(`\`${fact}\``);
  });
});

function factsOf(code: ErrorCode): string {
  const section = document.split(`### ${code}\n`)[1]?.split("\n#")[0] ?? "";
  return section.split("**Facts:**")[1] ?? "";
}

const path = "/deploy/prod";

const provoke: Record<ErrorCode, () => Promise<LockError>> = {
  held: async () => {
    const locks = await manager();
    await locks.acquireLock(path, "ann", { reason: "release 1.8.0" });
    return failureOf(locks.acquireLock(path, "bob", { timeout: "20ms" }));
  },
  limit_exceeded: async () => {
    const locks = await manager({ maxLocksPerAgent: 2 });
    await locks.acquireMultipleLocks(["/a", "/b"], "ann");
    return failureOf(locks.acquireLock("/c", "ann"));
  },
  deadlock: async () => {
    const locks = await manager();
    await locks.acquireLock("/a", "ann");
    await locks.acquireLock("/b", "bob");
    const waiting = locks.acquireLock("/b", "ann").catch(() => undefined);
    const error = await failureOf(locks.acquireLock("/a", "bob"));
    await locks.close();
    await waiting;
    return error;
  },
  aborted: async () => {
    const locks = await manager();
    await locks.acquireLock(path, "ann");
    return failureOf(locks.acquireLock(path, "bob", { signal: AbortSignal.timeout(20) }));
  },
  lost: async () => {
    const locks = await manager();
    return failureOf(locks.extendLock(path, "ann", "an-id"));
  },
  not_holder: async () => {
    const locks = await manager();
    const { lockId } = await locks.acquireLock(path, "ann");
    return failureOf(locks.releaseLock(path, "bob", lockId));
  },
  invalid: async () => failureOf((await manager()).acquireLock(path, "ann", { ttl: "soon" })),
  closed: async () => {
    const locks = await manager();
    await locks.close();
    return failureOf(locks.acquireLock(path, "ann"));
  },
  store_unavailable: () => failureOfCommit("none"),
  outcome_unknown: () => failureOfCommit("unknown"),
};

async function failureOfCommit(outcome: "none" | "unknown"): Promise<LockError> {
  const store = await openStore("memory:");
  const failing: Store = {
    traits: store.traits,
    commit: () => Promise.reject(new StoreError("the disk is on fire", { outcome, retryable: true })),
    read: (query) => store.read(query),
    subscribe: (listener) => store.subscribe(listener),
    close: () => store.close(),
  };
  const locks = await manager({ maxRetries: 0 }, failing);
  return failureOf(locks.acquireLock(path, "ann"));
}

async function manager(
  config: LockManagerConfig = {},
  store: Store | string = "memory:",
): Promise<LockManager> {
  const locks = await createLockManager(config, store);
  onTestFinished(() => locks.close());
  return locks;
}

async function failureOf(call: Promise<unknown>): Promise<LockError> {
  const error: unknown = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof LockError)) throw new Error(`It did not fail as it should: ${String(error)}`);
  return error;
}
