/** A network that fails at random, through proxies. */
import { onTestFinished } from "vitest";
import type { TcpProxy } from "./tcp-proxy.js";

const rounds = 120;

type Trouble = (proxy: TcpProxy, random: () => number) => void;

const troubles: readonly Trouble[] = [
  (proxy) => proxy.requests("cut"),
  (proxy) => proxy.replies("cut"),
  (proxy) => proxy.requests("drop"),
  (proxy) => proxy.replies("drop"),
  (proxy, random) => proxy.delay(random() * 30),
  (proxy) => proxy.cut(),
  (proxy) => proxy.refuse(),
];

/** Makes trouble at one proxy after the other, for a moment each, some five seconds long. @param more that it may make, too. */
export async function disturb(
  proxies: readonly TcpProxy[],
  random: () => number,
  ...more: readonly Trouble[]
): Promise<void> {
  const all = [...troubles, ...more];
  for (let round = 0; round < rounds; round++) {
    const proxy = proxies[Math.floor(random() * proxies.length)]!;
    all[Math.floor(random() * all.length)]?.(proxy, random);
    await pause(5 + random() * 50);
    proxy.restore();
    await pause(random() * 40);
  }
}

/** Pieces that came to the proxies and did not pass. */
export function lostAt(proxies: readonly TcpProxy[]): number {
  return proxies.reduce((sum, proxy) => sum + proxy.lost, 0);
}

/** The network's own time: nothing is waited for. */
async function pause(ms: number): Promise<void> {
  await new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    onTestFinished(() => clearTimeout(timer));
  });
}
