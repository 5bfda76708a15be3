/** Waits until nobody holds a path, without taking it. */
import type { ResourceState } from "../lock-manager.js";
import { isHeld } from "../protocol/resource-state.js";
import type { Exchange } from "./exchange.js";
import { CallerGone } from "./request-body.js";
import type { Services } from "./services.js";

/** Who looks by itself does so this often, for what no event told it of. */
const lookAgainMs = 1_000;

/** The state once it is free, or what it is when the time is up. @throws HttpRefusal when the server shuts down. */
export async function untilFree(
  services: Services,
  exchange: Exchange,
  { path, waitMs }: { readonly path: string; readonly waitMs: number },
): Promise<ResourceState> {
  const { manager, clock, watch, waits } = services;
  const wait = new Wait();
  const leave = waits.enter((refusal) => wait.end(refusal));
  const cancel = clock.after(waitMs, () => wait.end());
  exchange.whenOver(() => wait.end(new CallerGone()));
  let unwatch = (): void => {};
  try {
    let state = await manager.getResource(path);
    // Watched before the next look, so that nothing that happens in between is missed.
    unwatch = watch.watch(state.resourcePath, () => wait.wake());
    state = await manager.getResource(path);
    while (isHeld(state) && !wait.ended) {
      const wakeUp = clock.after(untilNextLook(state, manager.currentTime()), () => wait.wake());
      await wait.next();
      wakeUp();
      if (wait.refusal !== undefined) throw wait.refusal;
      state = await manager.getResource(path);
    }
    return state;
  } finally {
    unwatch();
    cancel();
    leave();
  }
}

/** Just after the first expiry that could free the path, but soon in any case. */
function untilNextLook({ holders, coveredBy }: ResourceState, now: Date): number {
  const expiries = [...holders, ...coveredBy].map((lock) => lock.expiresAt.getTime() - now.getTime());
  return Math.max(1, Math.min(lookAgainMs, ...expiries));
}

/** A wait that is woken to look again, and ended once. */
class Wait {
  ended = false;
  /** Why there is nothing to look at any more. */
  refusal: Error | undefined = undefined;
  #woken = false;
  #resolve: (() => void) | undefined = undefined;

  wake(): void {
    this.#woken = true;
    this.#resolve?.();
  }

  end(refusal?: Error): void {
    if (this.ended) return;
    this.ended = true;
    this.refusal = refusal;
    this.wake();
  }

  /** Resolves at the next call of `wake`, or at once when there was one since the last time. */
  async next(): Promise<void> {
    if (!this.#woken && !this.ended) {
      await new Promise<void>((resolve) => {
        this.#resolve = resolve;
      });
    }
    this.#woken = false;
    this.#resolve = undefined;
  }
}
