/** Faults in the middle of everything: of the network, through proxies, and of the fault layer over the real store. */
import { expect, onTestFinished, test } from "vitest";
import { systemClock } from "../../../src/clock/system-clock.js";
import type { TcpProxy } from "../../servers/tcp-proxy.js";
import { FaultyStore } from "../../support/faulty-store.js";
import { seededRandom } from "../../support/seeded-random.js";
import { type FindPlace, managerOn, storeAt } from "../network-suite.js";
import { Restless } from "../restless.js";

const seed = Number(process.env["NETWORK_SEED"] ?? 1);
const managers = 3;
const rounds = 120;
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
    for (let round = 0; round < rounds; round++) {
      const proxy = proxies[Math.floor(random() * proxies.length)]!;
      disturb(proxy, random);
      await pause(5 + random() * 50);
      proxy.restore();
      await pause(random() * 40);
    }
    await takenEnough(run);
    await run.finish();
    const lost = proxies.reduce((sum, proxy) => sum + proxy.lost, 0);
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

function disturb(proxy: TcpProxy, random: () => number): void {
  const troubles = [
    () => proxy.requests("cut"),
    () => proxy.replies("cut"),
    () => proxy.requests("drop"),
    () => proxy.replies("drop"),
    () => proxy.delay(random() * 30),
    () => proxy.cut(),
    () => proxy.refuse(),
  ];
  troubles[Math.floor(random() * troubles.length)]?.();
}

/** The network's own time: nothing is waited for. */
async function pause(ms: number): Promise<void> {
  await new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    onTestFinished(() => clearTimeout(timer));
  });
}
