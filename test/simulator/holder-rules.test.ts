/** The rules about what holders are told would notice: each is shown what breaks it. */
import { describe, expect, test } from "vitest";
import type { Json } from "../../src/store/store.js";
import { HolderRules } from "./holder-rules.js";
import { Ledger } from "./ledger.js";
import type { SimulatedProcess } from "./process.js";
import { Truth } from "./truth.js";
import { VirtualTime } from "./virtual-time.js";

const longMs = 30_000;

class Stage {
  readonly found: string[] = [];
  readonly process = { name: "m1", isAwake: true, awakeSince: -1, setbacks: 0 };
  private readonly time = new VirtualTime();
  private readonly truth = new Truth();
  private readonly ledger = new Ledger();
  private readonly rules = new HolderRules(
    this.truth,
    this.ledger,
    this.time,
    () => this.time.now,
    (invariant) => this.found.push(invariant),
  );
  private revision = 0;

  /** Ann has a lock that lasts until then; `null`: no more. */
  lasts(expiresAt: number | null, by = "m1"): this {
    const lock = { lockId: "m1.1", agentId: "ann", mode: "exclusive", scope: "resource", ttlMs: 100 };
    const holders = [{ ...lock, token: this.revision === 0 ? 0 : 1, acquiredAt: 0, expiresAt }];
    const put = expiresAt === null ? [] : [{ key: "lock/a", value: { holders } as unknown as Json }];
    const change = { expect: [], put, remove: expiresAt === null ? ["lock/a"] : [], announce: [] };
    const outcome = { applied: true, revision: ++this.revision } as const;
    this.rules.committed(this.truth.apply([change], [outcome], this.time.now, by, this.time.now)!);
    return this;
  }

  /** Ann has it in hand. */
  has(signal: AbortSignal): this {
    const lock = { lockId: "m1.1", agentId: "ann", signal };
    this.ledger.take({ process: this.process, lock, signal, isLeaving: false } as never);
    return this;
  }

  /** Her process hears of the latest commit. */
  hears(): this {
    const outcomes = [{ applied: true, revision: this.revision } as const];
    this.rules.heard(this.process as unknown as SimulatedProcess, { outcomes, storeTime: this.time.now });
    return this;
  }

  /** It was extended by its id, and whoever did that was told. */
  isConfirmed(): this {
    this.rules.confirmed("m1.1");
    return this;
  }

  async pass(ms: number): Promise<this> {
    await this.time.passUntil(this.time.now + ms, () => false);
    return this;
  }
}

describe("the rules notice", () => {
  test("a lock that expires, and its holder still believes in it (I16)", async () => {
    const { signal } = new AbortController();
    expect((await new Stage().lasts(100).has(signal).pass(longMs)).found).toEqual(["I16"]);
    expect((await new Stage().lasts(100).has(AbortSignal.abort()).pass(longMs)).found).toEqual([]);
    // Another manager cut it short: word of it comes as a hint.
    expect((await new Stage().lasts(100, "m2").has(signal).pass(longMs)).found).toEqual([]);
  });

  test("an extension that came through after the loss, and nobody gives it back (I5)", async () => {
    const lost = (): Stage =>
      new Stage()
        .lasts(100)
        .lasts(longMs * 2)
        .has(AbortSignal.abort());
    expect((await lost().hears().pass(longMs)).found).toEqual(["I5"]);
    expect((await lost().hears().lasts(null).pass(longMs)).found).toEqual([]);
    // It was acquired again.
    const again = lost().hears().has(new AbortController().signal);
    expect((await again.pass(longMs)).found).toEqual([]);
    expect((await lost().hears().isConfirmed().pass(longMs)).found).toEqual([]);
    // The answer got lost, or the store failed after it.
    expect((await lost().pass(longMs)).found).toEqual([]);
    const failed = lost().hears();
    failed.process.setbacks++;
    expect((await failed.pass(longMs)).found).toEqual([]);
  });
});
