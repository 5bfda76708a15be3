/** Puts the parts of one manager together. */
import { Aborts } from "../aborts.js";
import type { Clock } from "../clock/clock.js";
import { TimerWheel } from "../clock/timer-wheel.js";
import type { Store } from "../store/store.js";
import type { Config } from "./config.js";
import { type EventCounter, EventSource } from "./event-source.js";
import type { Keeper } from "./handle.js";
import { Happenings } from "./happenings.js";
import { HeldLocks } from "./held-locks.js";
import { Inputs } from "./inputs.js";
import { Inspection } from "./inspection.js";
import { Liveness } from "./liveness.js";
import { LockCommands } from "./lock-commands.js";
import { Pipeline } from "./pipeline.js";
import { createReader, type Read } from "./reader.js";
import { Revalidation } from "./revalidation.js";
import type { Services } from "./services.js";
import { StoreClock } from "./store-clock.js";
import { Sweeper } from "./sweeper.js";
import { WaitingRoom } from "./waiting-room.js";

/** Counts events, and says what they add up to. */
export interface MetricsSink extends EventCounter {
  text(): Promise<string>;
  close(): void;
}

export interface EngineOptions {
  readonly config: Config;
  readonly store: Store;
  /** True when closing the manager closes the store. */
  readonly ownsStore: boolean;
  readonly clock: Clock;
  readonly newId: () => string;
  /** Between 0 and 1. */
  readonly random: () => number;
  readonly metrics?: (activeLocks: () => Promise<number>) => Promise<MetricsSink>;
}

export interface Parts {
  readonly inputs: Inputs;
  readonly services: Services;
  readonly read: Read;
  readonly inspection: Inspection;
  readonly room: WaitingRoom;
  readonly held: HeldLocks;
  readonly liveness: Liveness;
  readonly commands: LockCommands;
  readonly keeper: Keeper;
  readonly revalidation: Revalidation;
  readonly sweeper: Sweeper;
}

export function assemble({ config, store, clock, newId, random }: EngineOptions): Parts {
  // The parts know each other through the services, which are complete by the time anything happens.
  const late = (): Services => services;
  const inputs = new Inputs(config);
  const storeClock = new StoreClock(clock, store.traits.clockUncertaintyMs);
  const events = new EventSource();
  const room = new WaitingRoom(late);
  const liveness = new Liveness(newId(), late);
  const happenings = new Happenings(events, storeClock, room);
  const pipeline = new Pipeline({
    store,
    clock,
    storeClock,
    retry: config,
    random,
    managerId: () => liveness.current(storeClock.latest()),
    onHappened: (happened, revision, command) => happenings.tell(happened, revision, command),
    onCommitted: () => happenings.wake(),
  });
  const services: Services = {
    store,
    clock,
    storeClock,
    random,
    newId,
    limits: config,
    pipeline,
    deadlines: new TimerWheel(clock, { background: false }),
    expiries: new TimerWheel(clock, { background: true }),
    aborts: new Aborts(),
    events,
    room,
    presence: liveness,
    inHand: {
      has: (path, lockId) => held.find(path, lockId) !== undefined,
      wasEnded: (path, lockId) => held.endedUnder(path, lockId),
    },
    background: (work) => pipeline.background(work),
  };
  liveness.onLapse = () => room.requeueAll();
  const held = new HeldLocks(late, {
    extend: (lock) => commands.extendHeld(lock, undefined),
    giveBack: (lock) => commands.giveBack(lock),
    expire: (path) => commands.expire(path),
  });
  const commands = new LockCommands(services, held);
  const read = createReader({ store, clock, storeClock, retry: config, random, aborts: services.aborts });
  const keeper: Keeper = {
    signalOf: (lock) => held.signalOf(lock),
    extend: async (lock, ttl) => commands.extendHeld(lock, inputs.ttl(ttl, inputs.path(lock.path))),
    letGo: (lock) => commands.letGo(lock),
  };
  return {
    inputs,
    services,
    read,
    inspection: new Inspection(read),
    room,
    held,
    liveness,
    commands,
    keeper,
    revalidation: new Revalidation(services, held, read),
    sweeper: new Sweeper(late, read, config.cleanupIntervalMs),
  };
}
