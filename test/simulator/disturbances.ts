/** What happens to processes, stores and clocks: carried out as the script says. */

import { stopPhrase } from "./phrases.js";
import type { SimulatedProcess } from "./process.js";
import type { Disturbance } from "./script.js";
import type { Stage } from "./stage.js";

export class Disturbances {
  private readonly stage: Stage;

  constructor(stage: Stage) {
    this.stage = stage;
  }

  perform(action: Disturbance): void {
    switch (action.kind) {
      case "store clock":
        this.stepStoreClock(action.ms);
        return;
      case "down":
        this.takeDown(action.process, action.forMs);
        return;
      default:
        this.meet(action);
    }
  }

  private stepStoreClock(ms: number): void {
    const { fleet, oracle, time, world, trace } = this.stage;
    fleet.count("store clock steps");
    world.stepForward(ms);
    oracle.holders.steppedAt = time.now;
    trace?.note("command", `store clock steps ${ms}ms forward`);
  }

  private takeDown(place: number | undefined, forMs: number): void {
    const { fleet, time } = this.stage;
    fleet.count("store is down");
    const one = place === undefined ? undefined : fleet.places[place];
    for (const process of one === undefined ? fleet.living : [one]) {
      this.command(process, "store is down");
      process.faulty.down();
      time.at(time.now + forMs, () => {
        this.command(process, "store is back");
        process.faulty.up();
      });
    }
  }

  private meet(action: Exclude<Disturbance, { kind: "store clock" | "down" }>): void {
    const { fleet, time } = this.stage;
    const process = fleet.places[action.process];
    if (process === undefined || process.isClosing || process.manager === undefined) return;
    switch (action.kind) {
      case "wall clock":
        fleet.count("wall clock steps");
        process.clock.skewMs += action.ms;
        this.command(
          process,
          `wall clock steps ${Math.abs(action.ms)}ms ${action.ms < 0 ? "back" : "forward"}`,
        );
        return;
      case "die":
        fleet.count("manager dies");
        this.command(process, "dies");
        process.die();
        fleet.leave(action.process, action.backMs);
        return;
      case "close":
        if (process.isStopped) return;
        fleet.count("manager closes");
        this.close(process, action.release);
        fleet.leave(action.process, action.backMs);
        return;
      case "stop":
        if (process.isStopped) return;
        fleet.count("manager stops");
        this.command(process, stopPhrase(action.forMs));
        process.stop();
        time.at(time.now + action.forMs, () => this.goOn(process));
    }
  }

  private goOn(process: SimulatedProcess): void {
    if (process.isDead || !process.isStopped) return;
    this.command(process, "goes on");
    process.goOn();
    this.stage.oracle.wokeUp(process);
  }

  /** Without waiting for the end of it. */
  close(process: SimulatedProcess, release: boolean): void {
    this.command(process, release ? "closes and releases" : "closes");
    process.isClosing = true;
    const { ledger } = this.stage.oracle;
    for (const handle of ledger.handles)
      if (handle.process === process && release) ledger.leaving.add(handle.lock.lockId);
    for (const handle of ledger.handles) if (handle.process === process) ledger.drop(handle);
    process.manager!.close({ release }).then(
      () => this.stage.trace?.note("answer", `manager ${process.name} is closed`),
      (error: unknown) =>
        this.stage.oracle.report("errors", `${process.name} could not be closed: ${String(error)}`),
    );
  }

  private command(process: SimulatedProcess, text: string): void {
    this.stage.trace?.note("command", `manager ${process.name}: ${text}`);
  }
}
