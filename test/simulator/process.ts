/** One simulated process: a production manager behind faults of its own, which can be stopped, go on, and die. */
import { createLockManager } from "../../src/create-lock-manager.js";
import type { LockManager } from "../../src/lock-manager.js";
import type { LockManagerConfig } from "../../src/manager/config.js";
import type {
  Change,
  CommitReply,
  HintListener,
  Query,
  ReadReply,
  Store,
  StoreOptions,
  StoreTraits,
  Subscription,
} from "../../src/store/store.js";
import { type Chances, type FaultName, FaultyStore } from "../support/faulty-store.js";
import { seededRandom } from "../support/seeded-random.js";
import { type MomentaryDice, mix } from "./chance.js";
import { type ClockTraits, type Fate, ProcessClock, type WorldClock } from "./process-clock.js";
import type { VirtualTime } from "./virtual-time.js";

export interface ProcessOptions {
  /** All ids that it makes begin with it and a dot. */
  readonly name: string;
  readonly seed: number;
  readonly config: LockManagerConfig;
  readonly clock: ClockTraits;
  readonly chances: Chances;
  readonly faults: MomentaryDice;
  readonly onFault: (name: FaultName, ms: number | undefined) => void;
  /** Told of every answer to a commit, just before the manager is. */
  readonly onHeard: (reply: CommitReply) => void;
}

export class SimulatedProcess implements Fate {
  readonly name: string;
  readonly clock: ProcessClock;
  readonly faulty: FaultyStore;
  readonly time: VirtualTime;
  /** Undefined until it has started. */
  manager: LockManager | undefined;
  isDead = false;
  isStopped = false;
  isClosing = false;
  /** When it was last stopped or began; until then nothing was late that took long. */
  awakeSince: number;
  /** How many calls of its store failed, or were overtaken. */
  setbacks = 0;
  /** How many ids it made. */
  ids = 0;
  readonly onHeard: (reply: CommitReply) => void;
  private readonly options: ProcessOptions;
  private waiting: (() => void)[] = [];

  constructor(time: VirtualTime, store: Store, world: WorldClock, options: ProcessOptions) {
    this.name = options.name;
    this.time = time;
    this.awakeSince = time.now;
    this.options = options;
    this.onHeard = options.onHeard;
    this.clock = new ProcessClock(time, this, options.clock);
    this.faulty = new FaultyStore(store, {
      clock: world,
      random: options.faults.next,
      onFault: options.onFault,
    });
  }

  /** Starts on a store that works, and has its faults from then on. */
  async start(): Promise<LockManager> {
    const manager = await createLockManager(this.options.config, new Connection(this), {
      clock: this.clock,
      newId: () => this.idAt(++this.ids),
      random: seededRandom(mix(this.options.seed, 77)),
    });
    this.faulty.chance(this.options.chances);
    this.manager = manager;
    return manager;
  }

  idAt(number: number): string {
    return `${this.name}.${number}`;
  }

  made(lockId: string): boolean {
    return lockId.startsWith(`${this.name}.`);
  }

  get isAwake(): boolean {
    return !this.isDead && !this.isStopped && !this.isClosing && this.manager !== undefined;
  }

  whenRunning(run: () => void): void {
    if (this.isDead) return;
    if (this.isStopped) this.waiting.push(run);
    else run();
  }

  stop(): void {
    this.isStopped = true;
  }

  /** What came meanwhile happens now, one after the other. */
  goOn(): void {
    if (!this.isStopped || this.isDead) return;
    this.isStopped = false;
    this.awakeSince = this.time.now;
    const waiting = this.waiting;
    this.waiting = [];
    for (const run of waiting) this.time.at(this.time.now, () => this.whenRunning(run));
  }

  die(): void {
    this.isDead = true;
    this.waiting = [];
    this.faulty.vanish();
  }
}

/** What a process hears of its store: nothing while it is stopped. */
class Connection implements Store {
  readonly traits: StoreTraits;
  private readonly process: SimulatedProcess;

  constructor(process: SimulatedProcess) {
    this.process = process;
    this.traits = process.faulty.traits;
  }

  commit(changes: readonly Change[], options?: StoreOptions): Promise<CommitReply> {
    return this.heard(this.process.faulty.commit(changes, options), this.process.onHeard);
  }

  read(query: Query, options?: StoreOptions): Promise<ReadReply> {
    return this.heard(this.process.faulty.read(query, options));
  }

  subscribe(listener: HintListener): Promise<Subscription> {
    const { process } = this;
    return process.faulty.subscribe((texts, revision) => {
      process.time.step();
      process.whenRunning(() => listener(texts, revision));
    });
  }

  close(): Promise<void> {
    return this.process.faulty.close();
  }

  private heard<T>(reply: Promise<T>, onHeard: (reply: T) => void = () => undefined): Promise<T> {
    const { time } = this.process;
    time.step();
    return new Promise((resolve, reject) => {
      // Whoever asks again and again would never let the time pass, and nobody would notice.
      if (time.isSpinning) return;
      reply.then(
        (value) =>
          this.process.whenRunning(() => {
            onHeard(value);
            resolve(value);
          }),
        (error: unknown) => this.process.whenRunning(() => reject(error)),
      );
    });
  }
}
