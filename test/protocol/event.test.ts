import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import type { LockEvent } from "../../src/lock-manager.js";
import {
  eventFromJson,
  eventQuerySchema,
  eventSchema,
  eventToJson,
  eventTypes,
  subscriptionFields,
} from "../../src/protocol/event.js";
import { parseAs } from "../../src/protocol/validation.js";

const time = fc.date({ min: new Date(0), max: new Date("2200-01-01"), noInvalidDate: true });

const anyEvent: fc.Arbitrary<LockEvent> = fc.record(
  {
    id: fc.maxSafeNat(),
    type: fc.constantFrom(...eventTypes),
    at: time,
    resourcePath: fc.string(),
    resourceType: fc.string(),
    lockId: fc.string(),
    agentId: fc.string(),
    mode: fc.constantFrom("exclusive", "shared"),
    scope: fc.constantFrom("resource", "tree"),
    reason: fc.string(),
    fencingToken: fc.maxSafeNat(),
    waitedMs: fc.nat(),
    heldMs: fc.nat(),
    expiresAt: time,
    cause: fc.string(),
    call: fc.constantFrom("acquire", "release", "extend"),
    by: fc.string(),
  },
  { requiredKeys: ["id", "type", "at", "resourcePath", "resourceType"] },
);

test("an event comes out of its JSON as it went in, and the schema knows all of it", () => {
  fc.assert(
    fc.property(anyEvent, (event) => {
      const json: unknown = JSON.parse(JSON.stringify(eventToJson(event)));
      const known = eventSchema.parse(json);
      expect(known).toEqual(json);
      expect(eventFromJson(known)).toEqual(event);
    }),
  );
});

test("an expiry is told from the moment of the event too, for readers with another clock", () => {
  const event: LockEvent = {
    id: 7,
    type: "acquired",
    at: new Date("2026-01-31T12:00:00.000Z"),
    resourcePath: "/plan",
    resourceType: "plan",
    waitedMs: 1.6,
    expiresAt: new Date("2026-01-31T12:00:30.000Z"),
  };
  expect(eventToJson(event)).toEqual({
    id: 7,
    type: "acquired",
    at: "2026-01-31T12:00:00.000Z",
    resource_path: "/plan",
    resource_type: "plan",
    waited_ms: 2,
    expires_at: "2026-01-31T12:00:30.000Z",
    expires_in_ms: 30_000,
  });
});

describe("a subscription", () => {
  const message = z.strictObject(subscriptionFields);

  test("is the same as a message and as a query", () => {
    const asked = { prefix: "/repo", types: ["acquired", "released"] as const, since: 42 };
    expect(parseAs(message, asked)).toEqual(asked);
    expect(parseAs(eventQuerySchema, { prefix: "/repo", types: "acquired,released", since: "42" })).toEqual(
      asked,
    );
  });

  test("may ask for everything", () => {
    expect(parseAs(message, {})).toEqual({});
    expect(parseAs(eventQuerySchema, {})).toEqual({});
  });

  test.each([
    ["types", { types: ["stolen"] }, /^Invalid types\[0\] "stolen": expected only acquired, .*, reset\.$/],
    ["types", { types: [] }, /^Invalid types \[\]: expected at least one event type\.$/],
    ["types", { types: "acquired" }, /^Invalid types "acquired": expected a list of event types\.$/],
    ["types", { types: Array(13).fill("lost") }, /expected each event type once\.$/],
    ["since", { since: "42" }, /^Invalid since "42": expected the id of an event\.$/],
    ["since", { since: -1 }, /^Invalid since -1: expected the id of an event\.$/],
    ["since", { since: 2 ** 53 }, /^Invalid since 9007199254740992: expected the id of an event\.$/],
    ["prefix", { prefix: 7 }, /^Invalid prefix 7: expected a path/],
    ["type", { type: "lost" }, /^Invalid type "lost": expected only prefix, types, since\.$/],
  ])("is refused as a message for bad %s: %j", (_field, asked, words) => {
    expect(() => parseAs(message, asked)).toThrow(words);
  });

  test.each([
    [
      { types: "acquired,stolen" },
      /^Invalid types "acquired,stolen": expected event types with commas between them: acquired, /,
    ],
    [{ types: "" }, /^Invalid types "": expected event types with commas between them/],
    [{ since: "-1" }, /^Invalid since "-1": expected the id of an event\.$/],
    [{ since: "1e3" }, /^Invalid since "1e3": expected the id of an event\.$/],
    [{ since: "9007199254740992" }, /^Invalid since .*: expected the id of an event\.$/],
    [{ from: "1" }, /^Invalid from "1": expected only prefix, types, since\.$/],
  ])("is refused as a query: %j", (asked, words) => {
    expect(() => parseAs(eventQuerySchema, asked)).toThrow(words);
  });
});
