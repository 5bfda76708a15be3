/** The contract of the store port: what every store must do, whatever it stands on. */
import { describe, type TestContext, test } from "vitest";
import type { Store } from "../../src/store/store.js";
import { closingCases } from "./cases/closing.js";
import { commitCases } from "./cases/commits.js";
import { expectationCases } from "./cases/expectations.js";
import { hintCases } from "./cases/hints.js";
import { keyAndValueCases } from "./cases/keys-and-values.js";
import { modelCases } from "./cases/model.js";
import { rangeCases } from "./cases/ranges.js";
import { readCases } from "./cases/reads.js";
import { sharingCases } from "./cases/sharing.js";

/** A store of its own for one case, empty at first. */
export interface Opened {
  readonly store: Store;
  /** Opens one more handle on the same state, if the backend can be shared. */
  readonly again?: () => Promise<Store>;
  /** Closes what is still open and takes everything away. */
  cleanup(): Promise<void>;
}

/** `skip` ends the case where the backend is not to be had. */
export type Open = (skip: TestContext["skip"]) => Promise<Opened>;

/** What a backend cannot do, each with the reason, which the skipped cases then show. */
export interface Exceptions {
  /** The backend has no clock to ask. */
  readonly notAfter?: string;
}

/** One case: opens a store, runs, and cleans up. */
export type Case = (
  name: string,
  body: (store: Store, opened: Opened, skip: (reason: string) => never) => Promise<void>,
) => void;

export function storeSuite(name: string, open: Open, exceptions: Exceptions = {}): void {
  const it: Case = (title, body) => {
    // oxlint-disable-next-line vitest/expect-expect, vitest/valid-title -- Both are the case's own.
    test(title, async (context) => {
      const opened = await open(context.skip);
      try {
        await body(opened.store, opened, (reason) => context.skip(reason));
      } finally {
        await opened.cleanup();
      }
    });
  };

  describe(`${name} keeps the store contract`, () => {
    describe("commits", () => {
      commitCases(it, exceptions);
    });
    describe("expectations", () => {
      expectationCases(it);
    });
    describe("reads", () => {
      readCases(it);
    });
    describe("ranges", () => {
      rangeCases(it);
    });
    describe("keys and values", () => {
      keyAndValueCases(it);
    });
    describe("hints", () => {
      hintCases(it);
    });
    describe("closing and giving up", () => {
      closingCases(it);
    });
    describe("several handles on one store", () => {
      sharingCases(it);
    });
    describe("against a model", () => {
      modelCases(it);
    });
  });
}
