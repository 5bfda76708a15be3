/** Whoever goes round in circles is noticed, though time does not pass. */
import { expect, test } from "vitest";
import { VirtualTime } from "./virtual-time.js";

test("steps that follow each other without time are counted, others are not", async () => {
  const time = new VirtualTime();
  const walk = (apartMs: number): void => {
    time.step();
    time.at(time.now + apartMs, () => walk(apartMs));
  };
  walk(1);
  await time.passUntil(2_000, () => time.isSpinning);
  expect(time.now).toBe(2_000);
  expect(time.isSpinning).toBe(false);

  walk(0);
  await time.passUntil(3_000, () => time.isSpinning);
  expect(time.now).toBe(2_000);
  expect(time.isSpinning).toBe(true);
});
