/** All events of all managers, folded: what they add up to must be what happened (invariant I14). */
import type { LockEvent } from "../../src/lock-manager.js";
import { readExposition } from "../metrics/read-exposition.js";
import type { SimulatedProcess } from "./process.js";
import type { Report } from "./store-rules.js";
import type { Truth } from "./truth.js";

export class EventReader {
  private readonly events: LockEvent[] = [];
  private readonly byProcess = new Map<string, LockEvent[]>();

  read(process: SimulatedProcess): void {
    const own: LockEvent[] = [];
    this.byProcess.set(process.name, own);
    const reading = async (): Promise<void> => {
      for await (const event of process.manager!.events()) {
        if (process.isDead) continue;
        this.events.push(event);
        own.push(event);
      }
    };
    reading().catch((error: unknown) => {
      throw error;
    });
  }

  /** Each grant was told of once, and each end of one. */
  check(truth: Truth, report: Report): void {
    const begun = new Map<string, number>();
    const ended = new Map<string, number>();
    for (const { type, lockId } of this.events) {
      if (lockId === undefined) continue;
      if (type === "acquired") begun.set(lockId, (begun.get(lockId) ?? 0) + 1);
      if (type === "released" || type === "expired" || type === "revoked")
        ended.set(lockId, (ended.get(lockId) ?? 0) + 1);
    }
    for (const [lockId, locks] of truth.history) {
      const ends = locks.filter((lock) => lock.endedAt !== undefined).length;
      const { agentId, path } = locks[0]!;
      const told = `${begun.get(lockId) ?? 0} grants and ${ended.get(lockId) ?? 0} ends`;
      const was = `${locks.length} grants and ${ends} ends`;
      if (told !== was)
        report("I14", `of ${lockId} (${agentId} on ${path}) events told ${told}, and there were ${was}`);
    }
    for (const lockId of begun.keys()) {
      if (!truth.history.has(lockId)) report("I14", `events told of ${lockId}, which never was`);
    }
  }

  /** The metrics of a manager are the sums of its events, and the gauge is what is in force. */
  checkMetrics(process: SimulatedProcess, text: string, truth: Truth, report: Report): void {
    const own = this.byProcess.get(process.name) ?? [];
    const sums = new Map<string, number>();
    for (const [series, value] of readExposition(text)) {
      const failed = series.includes('success="false"');
      const name = series.replace(/\{.*/, "");
      if (!failed) sums.set(name, (sums.get(name) ?? 0) + value);
    }
    const compare = (name: string, should: number): void => {
      const says = sums.get(`engram_${name}`) ?? 0;
      if (says !== should) report("I14", `${name} of ${process.name} is ${says}, and should be ${should}`);
    };
    const times = (type: LockEvent["type"]): number => own.filter((event) => event.type === type).length;
    compare("lock_acquisitions_total", times("acquired"));
    compare("lock_releases_total", times("released"));
    compare("locks_expired_total", times("expired"));
    compare("lock_contention_total", times("contended"));
    compare("active_locks", [...truth.inForce()].length);
  }
}
