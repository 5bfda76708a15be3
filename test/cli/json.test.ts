import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { checkResultSchema } from "../../src/protocol/check.js";
import { conflictSchema } from "../../src/protocol/conflict.js";
import { lockSchema } from "../../src/protocol/lock.js";
import { resourceStateSchema } from "../../src/protocol/resource-state.js";
import { Desk } from "./command.js";

// The command line says what the HTTP API says: nothing is missing, and nothing is left over once the schema took what it knows.

let desk: Desk;
beforeAll(async () => {
  desk = new Desk();
  await desk.hold("ann", ["/plan"], { reason: "because", metadata: { host: "here" } });
});
afterAll(() => desk.clear());

test("about locks", async () => {
  const printed = await desk.json(["ls"]);
  expect(z.object({ locks: z.array(lockSchema) }).parse(printed)).toEqual(printed);
});

test("about a resource and its queue", async () => {
  const waiting = desk.start([
    "acquire",
    "/plan",
    "--agent",
    "bob",
    "--timeout",
    "10m",
    "--reason",
    "me too",
  ]);
  await waiting.says(/waiting for/, "stderr");
  const printed = await desk.json(["show", "/plan"]);
  expect(resourceStateSchema.parse(printed)).toEqual(printed);
  const free = await desk.json(["show", "/free"]);
  expect(resourceStateSchema.parse(free)).toEqual(free);
});

test("about what is mine, theirs and free", async () => {
  const printed = await desk.json(["check", "/plan", "/free", "--agent", "cat"]);
  expect(checkResultSchema.parse(printed)).toEqual(printed);
});

test("about who is in the way", async () => {
  const { error } = await desk.json(["acquire", "/plan", "--agent", "cat", "--no-wait"]);
  expect(z.array(conflictSchema).parse(error.conflicts)).toEqual(error.conflicts);
});
