/** Faults in the middle of everything: of the network, through proxies, and of the fault layer over the real store. */
import { expect, test } from "vitest";
import { systemClock } from "../../../src/clock/system-clock.js";
import type { TcpProxy } from "../../servers/tcp-proxy.js";
import { disturb, lostAt } from "../../servers/trouble.js";
import { FaultyStore } from "../../support/faulty-store.js";
import { seededRandom } from "../../support/seeded-random.js";
import { type FindPlace, managerOn, storeAt } from "../network-suite.js";
import { Restless } from "../restless.js";

const seed = Number(process.env["NETWORK_SEED"] ?? 1);
const managers = 3;
/** So many locks were taken that it means something. */
const enough = 50;
/** Short, so that what is left of calls without an answer is soon over. */
const config = { cleanupInterval: "300ms", retryDelay: "20ms", retryJitter: "10ms", maxRetries: 3 } as const;

export function cutCases(find: FindPlace): void {
  test("Connections that are cut, swallowed and delayed at random lose nothing that was acknowledged, double nothing and leave nothing.", {
    timeout: 60_000,
  }, async ({ skip }) => {
    const place = await find(skip);
    const random = seededRandom(seed);
    const run = new Restless(random, await managerOn(place.url), await storeAt(place.url));
    const proxies: TcpProxy[] = [];
    for (let n = 0; n < managers; n++) {
      const { proxy, url } = await place.proxied();
      proxies.push(proxy);
      run.employ(await managerOn(url, config));
    }
    await disturb(proxies, random);
    await takenEnough(run);
    await run.finish();
    const lost = lostAt(proxies);
    console.log(`seed ${seed}: ${lost} pieces lost, ${JSON.stringify(run.counts)}`);
    expect(lost).toBeGreaterThan(managers);
  });

  test("Behind the fault layer, too, nothing acknowledged is lost, nothing is doubled and nothing is left.", {
    timeout: 60_000,
  }, async ({ skip }) => {
    const { url } = await find(skip);
    const random = seededRandom(seed);
    const run = new Restless(random, await managerOn(url), await storeAt(url));
    for (let n = 0; n < managers; n++) {
      const store = new FaultyStore(await storeAt(url), { clock: systemClock, random });
      const locks = await managerOn(store, config);
      store.chance({
        replyLost: 0.01,
        requestLost: 0.01,
        refused: 0.04,
        late: 0.01,
        overtaken: 0.1,
        hintLost: 0.3,
        hintRepeated: 0.2,
        latencyMs: 5,
      });
      run.employ(locks);
      run.whenFinishing(() => store.chance({}));
    }
    await takenEnough(run);
    await run.finish();
    console.log(`seed ${seed}: ${JSON.stringify(run.counts)}`);
    expect(run.counts.released).toBeGreaterThan(0);
  });
}

function takenEnough(run: Restless): Promise<void> {
  return expect.poll(() => run.counts.taken, { interval: 50, timeout: 20_000 }).toBeGreaterThan(enough);
}
