import { expect, test } from "vitest";
import { describeEvent } from "../../src/cli/describe-event.js";
import type { LockEvent } from "../../src/lock-manager.js";

const at = new Date(2026, 0, 31, 14, 2, 11);
const now = new Date(at.getTime() + 1_000);
const claim = {
  id: 7,
  at,
  resourcePath: "/deploy/prod",
  resourceType: "deploy",
  agentId: "ci-42",
  mode: "exclusive",
  scope: "resource",
} as const;

test.each<[LockEvent, string]>([
  [
    {
      ...claim,
      type: "acquired",
      reason: "release 1.8.0",
      fencingToken: 118,
      waitedMs: 3_000,
      expiresAt: new Date(at.getTime() + 61_000),
    },
    'acquired  /deploy/prod, exclusive: ci-42 for "release 1.8.0", waited 3s, token 118, expires 14:03:12 (in 1m)',
  ],
  [
    { ...claim, type: "extended", scope: "tree", mode: "shared", fencingToken: 118, expiresAt: now },
    "extended  /deploy/prod and all below, shared: ci-42, expires 14:02:12 (in 0ms)",
  ],
  [
    { ...claim, type: "released", heldMs: 61_000, expiresAt: now },
    "released  /deploy/prod, exclusive: ci-42, held for 1m1s",
  ],
  [
    { ...claim, type: "expired", heldMs: 1_000, expiresAt: at, cause: "timer" },
    "expired   /deploy/prod, exclusive: ci-42, held for 1s (timer)",
  ],
  [
    { ...claim, type: "revoked", heldMs: 1_000, cause: "stuck\u001b[2J", by: "root" },
    "revoked   /deploy/prod, exclusive: ci-42, by root, held for 1s (stuck\\u{1b}[2J)",
  ],
  [
    { ...claim, type: "refused", call: "acquire", cause: "held", waitedMs: 12 },
    "refused   /deploy/prod, exclusive: ci-42, acquire (held)",
  ],
  [
    { id: 7, type: "reset", at, resourcePath: "/", resourceType: "/" },
    "reset     events are missing here; `engram-lock ls` shows the state they led to",
  ],
])("%j", (event, words) => {
  expect(describeEvent(event, now)).toBe(`14:02:11 ${words}`);
});
