/** More than Lua's stack takes at once. */
import { expect, test } from "vitest";
import { apply, attempt, change, keysIn, put } from "../conformance/changes.js";
import { open, redis } from "./stage.js";

test("The largest change is expected, put, read as one range, and removed.", async ({ skip }) => {
  const server = await redis(skip);
  const store = await open(server.url, { requestMs: 5_000, connectMs: 2_000 });
  const keys = Array.from(
    { length: store.traits.maxKeysPerChange },
    (_, n) => `key/${String(n).padStart(6, "0")}`,
  );
  const revision = await apply(
    store,
    change({
      expect: keys.map((key) => ({ key, revision: 0 })),
      put: keys.map((key) => ({ key, value: { key } })),
    }),
  );
  expect(await keysIn(store, { prefix: "key/" })).toEqual(keys);
  const { entries } = await store.read({ keys });
  expect(entries.map((entry) => entry?.value)).toEqual(keys.map((key) => ({ key })));

  const whole = { range: { prefix: "key/" }, unchangedSince: revision };
  await apply(store, put("other"));
  expect(await attempt(store, { expect: [whole] })).toMatchObject({ applied: true });
  const refused = await attempt(store, { expect: keys.map((key) => ({ key, revision: 7 })) });
  expect(refused).toMatchObject({ applied: false, found: { length: keys.length } });
  await apply(store, put(keys.at(-1)!, "changed"));
  expect(await attempt(store, { expect: [whole] })).toMatchObject({ applied: false });

  await apply(store, change({ expect: [{ key: keys[0]!, revision }], remove: keys }));
  expect(await keysIn(store, { prefix: "" })).toEqual(["other"]);
});
