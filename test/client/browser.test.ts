import { afterEach, expect, test, vi } from "vitest";
import { systemClock } from "../../src/clock/system-clock.js";

afterEach(() => vi.unstubAllGlobals());

test("The clock of the client works where a timer is a number, as in browsers.", async () => {
  const { setTimeout: setTimer } = globalThis;
  vi.stubGlobal("setTimeout", (run: () => void, ms: number) => Number(setTimer(run, ms)));
  const fired: string[] = [];
  const cancel = systemClock.after(5, () => fired.push("cancelled"), { background: true });
  cancel();
  await new Promise<void>((resolve) => systemClock.after(20, resolve, { background: true }));
  expect(fired).toEqual([]);
});
