/** What replies of the store say of its clock. */
import { describe, expect, test } from "vitest";
import { StoreClock } from "../../../src/manager/store-clock.js";
import { ManualClock } from "../../support/manual-clock.js";

describe("Store time", () => {
  test("was what a reply says at some moment between the request and the reply.", async () => {
    const clock = new ManualClock();
    const known = new StoreClock(clock);
    await clock.advance(10);
    known.learn(5_000, 4);
    expect([known.earliest(), known.latest()]).toEqual([5_000, 5_006]);
    expect([known.earliest(10), known.latest(10)]).toEqual([5_000, 5_006]);
  });

  test("is anything before the first reply.", () => {
    const known = new StoreClock(new ManualClock());
    expect([known.earliest(), known.latest()]).toEqual([-Infinity, Infinity]);
  });

  test("is known the better the more replies there are, less what clocks may drift meanwhile.", async () => {
    const clock = new ManualClock();
    const known = new StoreClock(clock);
    await clock.advance(10);
    known.learn(5_000, 0);
    await clock.advance(1_000);
    expect(known.earliest()).toBeCloseTo(5_999.5);
    expect(known.latest()).toBeCloseTo(6_010.5);
    await clock.advance(1_000);
    // A slow reply teaches nothing: both bounds are kept.
    known.learn(6_600, 1_010);
    expect(known.earliest()).toBeCloseTo(6_999);
    expect(known.latest()).toBeCloseTo(7_011);
    // A quick one teaches both.
    known.learn(7_005, 2_008);
    expect(known.earliest()).toBeCloseTo(7_005);
    expect(known.latest()).toBeCloseTo(7_007);
    expect(known.steps).toBe(0);
  });

  test("that agrees to the last bit is no step.", () => {
    const known = new StoreClock(new ManualClock());
    known.learn(5_000, 0);
    known.learn(5_000, 0);
    expect(known.steps).toBe(0);
  });

  test.each([
    ["forward", 9_000],
    ["back", 1_000],
  ])("that jumps %s is believed, and counted.", async (_where, time) => {
    const clock = new ManualClock();
    const known = new StoreClock(clock);
    known.learn(5_000, 0);
    await clock.advance(100);
    known.learn(time, 98);
    expect([known.earliest(), known.latest()]).toEqual([time, time + 2]);
    expect(known.steps).toBe(1);
  });

  test("reaches a time surely when its earliest does, and perhaps when its latest does.", async () => {
    const clock = new ManualClock();
    const known = new StoreClock(clock, 250);
    await clock.advance(10_000);
    known.learn(5_000, 9_990);
    expect(known.earliest(known.surelyAt(9_000))).toBeCloseTo(9_000);
    expect(known.latest(known.perhapsAt(9_000))).toBeCloseTo(9_000);
    expect(known.surelyAt(9_000)).toBeGreaterThan(14_250);
    expect(known.perhapsAt(9_000)).toBeLessThan(13_750);
  });
});
