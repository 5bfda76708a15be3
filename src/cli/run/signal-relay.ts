/** Passes the signals that `run` gets on to what it runs. */
import process from "node:process";
import type { Interruption } from "../interruption.js";
import { signalGroup } from "./process-group.js";

const relayed = ["SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGWINCH"] as const;

export interface SignalRelay {
  /** Passes on what came meanwhile, and from now on everything. */
  connect(groupId: number): void;
  pass(name: NodeJS.Signals): void;
  stop(): void;
}

/**
 * Made before the command is started, so that no signal is missed. Ctrl-Z stops the group and then this process, whose locks may expire
 * meanwhile: on `fg` the group goes on only once `onContinue` has made sure of them.
 */
export function relaySignals(interruption: Interruption, onContinue: () => void): SignalRelay {
  const early: NodeJS.Signals[] = [];
  let pass = (name: NodeJS.Signals): void => {
    early.push(name);
  };
  const onSignal = (name: NodeJS.Signals): void => pass(name);
  const onStop = (): void => {
    pass("SIGSTOP");
    process.kill(process.pid, "SIGSTOP");
  };
  interruption.handOver(onSignal);
  for (const name of relayed) process.on(name, onSignal);
  process.on("SIGTSTP", onStop);
  process.on("SIGCONT", onContinue);
  return {
    connect: (groupId) => {
      pass = (name) => signalGroup(groupId, name);
      for (const name of early.splice(0)) pass(name);
    },
    pass: onSignal,
    stop: () => {
      for (const name of relayed) process.off(name, onSignal);
      process.off("SIGTSTP", onStop);
      process.off("SIGCONT", onContinue);
    },
  };
}
