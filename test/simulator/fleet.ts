/** The processes of a simulation: each has a place, and when it dies another one takes the place. */
import type { LockManagerConfig } from "../../src/manager/config.js";
import { openMemoryStore } from "../../src/store/memory/memory-store.js";
import type { Store } from "../../src/store/store.js";
import type { FaultName } from "../support/faulty-store.js";
import { Dice, MomentaryDice, mix } from "./chance.js";
import { EventReader } from "./event-reader.js";
import type { Oracle } from "./oracle.js";
import { faultPhrase } from "./phrases.js";
import { SimulatedProcess } from "./process.js";
import type { WorldClock } from "./process-clock.js";
import type { Trace } from "./trace.js";
import { TrueStore } from "./true-store.js";
import type { VirtualTime } from "./virtual-time.js";
import type { Weather } from "./weather.js";

export interface FleetOptions {
  readonly weather: Weather;
  readonly time: VirtualTime;
  readonly world: WorldClock;
  readonly oracle: Oracle;
  readonly trace: Trace | undefined;
  /** Faults that do not happen this time. */
  readonly spared: ReadonlySet<string>;
}

export class Fleet {
  readonly processes: SimulatedProcess[] = [];
  /** Those that are there now, by place. */
  readonly places: (SimulatedProcess | undefined)[] = [];
  readonly events = new EventReader();
  /** Faults that happened, by name; and those of the dice, so that they can be spared. */
  readonly faults = new Map<string, number>();
  readonly thrown: string[] = [];
  private readonly options: FleetOptions;
  private readonly store: Store;
  private isQuiet = false;

  constructor(options: FleetOptions) {
    this.options = options;
    this.store = openMemoryStore({ clock: options.world });
  }

  async start(place: number, config: LockManagerConfig = {}): Promise<SimulatedProcess> {
    const { weather, time, world, oracle, spared } = this.options;
    const name = `m${this.processes.length + 1}`;
    const seed = mix(weather.seed, 3, this.processes.length);
    const dice = new Dice(mix(seed, 1));
    const faults = new MomentaryDice(seed, () => time.now, spared);
    const process = new SimulatedProcess(time, new TrueStore(this.store, name, oracle), world, {
      name,
      seed,
      config: { ...weather.limits, ...config },
      // Two clocks may drift apart by 500 ppm.
      clock: { rate: 1 + dice.between(-4e-4, 4e-4), skewMs: dice.pick([0, 0, 600_000, -600_000]) },
      chances: this.isQuiet ? {} : weather.chances,
      faults,
      onFault: (fault, ms) => {
        this.thrown.push(faults.latest);
        if (!isOnlyLate(fault)) process.setbacks++;
        this.fault(process, fault, ms);
      },
      onHeard: (reply) => oracle.holders.heard(process, reply),
    });
    this.processes.push(process);
    this.places[place] = process;
    await process.start();
    if (weather.readsEvents) this.events.read(process);
    return process;
  }

  awake(place: number): SimulatedProcess | undefined {
    const process = this.places[place];
    return process?.isAwake === true ? process : undefined;
  }

  get living(): SimulatedProcess[] {
    return this.places.filter((process) => process !== undefined && !process.isDead) as SimulatedProcess[];
  }

  /** Its place is taken by another one later; until then nobody acts there. */
  leave(place: number, backMs: number): void {
    const { time, oracle } = this.options;
    this.places[place] = undefined;
    time.at(time.now + backMs, () => {
      this.start(place).catch((error: unknown) =>
        oracle.report("errors", `a manager did not start: ${String(error)}`),
      );
    });
  }

  /** From now on nothing goes wrong any more. */
  calmDown(): void {
    this.isQuiet = true;
    for (const process of this.processes) {
      process.faulty.chance({});
      process.faulty.up();
      process.goOn();
    }
  }

  count(fault: string): void {
    this.faults.set(fault, (this.faults.get(fault) ?? 0) + 1);
  }

  private fault(process: SimulatedProcess, fault: FaultName, ms: number | undefined): void {
    this.count(fault);
    this.options.trace?.note("fault", `manager ${process.name}: ${faultPhrase(fault, ms)}`);
  }
}

function isOnlyLate(fault: FaultName): boolean {
  return fault === "slow" || fault === "read slow" || fault.startsWith("hint");
}
