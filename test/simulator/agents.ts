/** The agents and operators: carry out what the script says, and tell the oracle what they were told. */
import { Acquiring } from "./acquiring.js";
import { Holding } from "./holding.js";
import { look } from "./looks.js";
import type { Action, AgentAction } from "./script.js";
import { Narrator, type Stage } from "./stage.js";

/** How long a forced release may still be carried out after its caller was answered, at most. */
const lateMs = 12_000;

export class Agents {
  readonly acquiring: Acquiring;
  private readonly stage: Stage;
  private readonly narrator: Narrator;
  private readonly holding: Holding;

  constructor(stage: Stage) {
    this.stage = stage;
    this.narrator = new Narrator(stage);
    this.holding = new Holding(stage, this.narrator);
    this.acquiring = new Acquiring(stage, this.narrator, this.holding);
  }

  perform(action: AgentAction): void {
    switch (action.kind) {
      case "acquire":
        this.acquiring.acquire(action);
        return;
      case "release":
        this.holding.release(action);
        return;
      case "extend":
        this.holding.extend(action);
        return;
      case "revoke":
        this.revoke(action);
        return;
      case "look":
        this.look(action);
        return;
    }
  }

  private revoke({ process: place, path }: Action & { kind: "revoke" }): void {
    const { fleet, oracle, time } = this.stage;
    const process = fleet.awake(place);
    if (process?.manager === undefined) return;
    this.narrator.command(process, `force release ${path} because "stuck"`);
    const revocation = oracle.ledger.revoking(path);
    const isOver = (): void => {
      time.at(time.now + lateMs, () => {
        revocation.until = oracle.truth.revision;
      });
    };
    const heard = process.manager.forceRelease(path, { reason: "stuck" }).finally(isOver);
    this.narrator.hear(process, heard, (locks) => {
      oracle.revoked(locks);
      return locks.length === 0
        ? "there was nothing to release"
        : `${locks.length} locks on ${path} were released by force`;
    });
  }

  private look({ process: place, what, path, agentId }: Action & { kind: "look" }): void {
    const { fleet, oracle } = this.stage;
    const process = fleet.awake(place);
    if (process?.manager === undefined) return;
    const phrases = {
      get: `get ${path}`,
      show: `show ${path}`,
      list: `locks below ${path}`,
      agent: `locks of ${agentId}`,
      count: "count",
    };
    this.narrator.command(process, phrases[what]);
    const glance = oracle.looks.begin(process.name, what, path, agentId);
    const shown = look(process.manager, glance).finally(() => oracle.looks.end(glance));
    this.narrator.hear(process, shown, (text) => {
      oracle.looks.check(glance, text);
      return text;
    });
  }

  /**
   * Everybody who holds something gives it back, now and from now on. An operator ends what nobody has any more, and what somebody has failed to give
   * back: that counts as held by the handle that is gone.
   */
  giveBackAll(): void {
    const { fleet, oracle } = this.stage;
    const { ledger, truth } = oracle;
    const handles = [...ledger.handles].filter((handle) => handle.process.isAwake);
    const believed = handles.filter((handle) => !handle.signal.aborted);
    const inHand = new Set(believed.map((handle) => handle.lock.lockId));
    const left = [...truth.inForce()].filter(
      ({ lockId }) => !inHand.has(lockId) || ledger.leaving.has(lockId),
    );
    for (const handle of handles) this.holding.letGo(handle);
    this.acquiring.leaveAll();
    const place = fleet.places.findIndex((_, index) => fleet.awake(index) !== undefined);
    for (const path of new Set(left.map((lock) => lock.path)))
      this.revoke({ kind: "revoke", at: 0, process: place, path });
  }
}
