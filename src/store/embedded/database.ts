/** One store as this process has it open, shared by all its handles: judges changes, and logs those that are applied. */
import type { Clock } from "../../clock/clock.js";
import { Listeners } from "../listeners.js";
import {
  type Change,
  type CommitReply,
  type Entry,
  type Outcome,
  type Query,
  type ReadReply,
  StoreError,
  type StoreTime,
} from "../store.js";
import { revisionAfter } from "../table.js";
import { failedCommit, unusableFolder } from "./failures.js";
import { FolderWatch } from "./folder.js";
import { Follower } from "./follower.js";
import { HintFile } from "./hint-file.js";
import { openLog } from "./identity.js";
import type { Log } from "./log.js";
import { isAnchor, MachineClock } from "./machine-clock.js";
import { unwatch, watch } from "./nudge.js";
import type { Row } from "./row.js";

const clockNote = "clock";
const commitsPerReaderCheck = 1024;

export class Database {
  readonly listeners = new Listeners();
  readonly #directory: string;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #machine: MachineClock;
  readonly #follower: Follower;
  readonly #hints: HintFile;
  readonly #folder: FolderWatch;
  /** From the machine's clock to store time. */
  #offset = 0;
  #commits = 0;
  #failure: StoreError | undefined;

  static async open(directory: string, clock: Clock): Promise<Database> {
    let log: Log | undefined;
    watch();
    try {
      log = await openLog(directory, clock);
      const database = new Database(directory, clock, log);
      await database.#load();
      return database;
    } catch (error) {
      await log?.close();
      await unwatch();
      throw unusableFolder(directory, error);
    }
  }

  private constructor(directory: string, clock: Clock, log: Log) {
    this.#directory = directory;
    this.#clock = clock;
    this.#log = log;
    this.#machine = new MachineClock(clock);
    this.#folder = new FolderWatch(directory);
    this.#follower = new Follower(directory, log, clock, (texts, revision) =>
      this.listeners.tell(texts, revision),
    );
    this.#hints = new HintFile(directory, clock);
  }

  /**
   * One transaction: learn what others committed, judge, append one row. The replica follows only once that is on disk.
   *
   * It holds up the event loop until then. The alternative, a transaction that waits for its turn in the background, would
   * keep every other process from writing for as long as this one's event loop is busy with something else.
   */
  async commit(changes: readonly Change[]): Promise<CommitReply> {
    this.#requireSound();
    await this.#follower.follow();
    let flushing = false;
    let reply: CommitReply;
    try {
      const { row, bytes, outcomes, storeTime } = this.#log.transact(() => {
        const judged = this.#judge(changes);
        const appended = judged.row === undefined ? 0 : this.#append(judged.row);
        flushing = true;
        return { ...judged, bytes: appended };
      });
      if (row !== undefined) this.#applied(row, bytes);
      reply = { outcomes, storeTime };
    } catch (error) {
      throw this.#failed(error, flushing);
    }
    // Otherwise callers that commit again at once would never let go of the event loop.
    await new Promise<void>((resolve) => this.#clock.nextTurn(resolve));
    return reply;
  }

  async read(query: Query): Promise<ReadReply> {
    // After a failed flush nobody commits any more, and what is in memory is what was committed before.
    if (this.#failure === undefined) {
      this.#folder.requireSameData();
      await this.#follower.follow();
    }
    const { table } = this.#follower.replica;
    return {
      entries: (query.keys ?? []).map((key) => table.get(key)),
      ranges: (query.ranges ?? []).map((range) => table.range(range)),
      revision: table.revision,
      storeTime: this.#storeTime(),
    };
  }

  /** From now on, what other processes announce is told to the listeners as it comes. */
  listen(): void {
    this.#hints.listen(() => {
      this.#follower.follow().catch(() => {
        // The next read or commit meets with the same failure, and has somebody to tell.
      });
    });
  }

  async close(): Promise<void> {
    this.listeners.clear();
    this.#follower.stop();
    this.#hints.close();
    await this.#log.close();
    await unwatch();
  }

  async #load(): Promise<void> {
    try {
      await this.#follower.load();
      if (!this.#takeAnchor()) {
        this.#log.transact(() => {
          this.#follower.followNow();
          if (this.#takeAnchor()) return;
          const anchor = this.#machine.anchorAfter(this.#follower.replica.storeTime);
          this.#log.writeNote(clockNote, anchor);
          this.#offset = anchor.offset;
        });
      }
    } catch (error) {
      this.#hints.close();
      throw error;
    }
  }

  #takeAnchor(): boolean {
    const note = this.#log.note(clockNote);
    if (!isAnchor(note) || !this.#machine.keeps(note, this.#follower.replica.storeTime)) return false;
    this.#offset = note.offset;
    return true;
  }

  #storeTime(): StoreTime {
    return Math.max(this.#offset + this.#machine.now(), this.#follower.replica.storeTime);
  }

  #judge(changes: readonly Change[]): { row: Row | undefined; outcomes: Outcome[]; storeTime: StoreTime } {
    this.#follower.followNow();
    const { replica } = this.#follower;
    const { table } = replica;
    const storeTime = this.#storeTime();
    const refusals = changes.map((change) => table.refuse(change, storeTime));
    if (!refusals.includes(undefined)) {
      return { row: undefined, outcomes: refusals.filter((refusal) => refusal !== undefined), storeTime };
    }
    const revision = revisionAfter(table.revision, storeTime);
    const put: Entry[] = [];
    const removed: string[] = [];
    const announced: string[] = [];
    for (const [place, change] of changes.entries()) {
      if (refusals[place] !== undefined) continue;
      for (const { key, value } of change.put) put.push({ key, revision, value });
      for (const key of change.remove) if (table.get(key) !== undefined) removed.push(key);
      for (const text of change.announce) announced.push(text);
    }
    const tidying = replica.tidy(put.length + removed.length);
    const applied: Outcome = { applied: true, revision };
    return {
      row: { ...tidying, revision, storeTime, put, removed, announced },
      outcomes: refusals.map((refusal) => refusal ?? applied),
      storeTime,
    };
  }

  #append(row: Row): number {
    const { newest, oldest } = this.#follower.replica;
    return this.#log.append(newest + 1, row, oldest);
  }

  #applied(row: Row, bytes: number): void {
    this.#follower.applyOwn(row, bytes);
    if (row.announced.length > 0) {
      this.listeners.tell(row.announced, row.revision);
      this.#hints.ring();
    }
    this.#commits += 1;
    if (this.#commits % commitsPerReaderCheck === 0) this.#log.dropDeadReaders();
  }

  #failed(thrown: unknown, flushing: boolean): StoreError {
    const { error, poisoned } = failedCommit(this.#directory, thrown, flushing, () => this.#log.isUsable());
    if (poisoned) {
      this.#failure = new StoreError(error.message, { outcome: "none", retryable: false, cause: thrown });
      this.#folder.markFailedFlush();
    }
    return error;
  }

  #requireSound(): void {
    if (this.#failure !== undefined) throw this.#failure;
    this.#folder.requireUnchanged();
  }
}
