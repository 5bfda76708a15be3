/** One acquire, from the call to the lock or the refusal. */
import type { CallSignal } from "../aborts.js";
import { Timed } from "../clock/timer-wheel.js";
import { type AcquireReply, acquire, type NothingLeft, type Queued, resume } from "../core/acquire.js";
import type { Request } from "../core/claim.js";
import type { Granted } from "../core/holding.js";
import type { PromoteReply, WithdrawReply } from "../core/promote.js";
import type { View } from "../core/view.js";
import { LockError } from "../errors.js";
import { followUp, giveBack, renewed, tellOfAcquire } from "./aftermath.js";
import { searchForDeadlock } from "./deadlock-search.js";
import type { AcquireInput } from "./inputs.js";
import type { Attempts, Command, Commit, Job } from "./job.js";
import type { Seat } from "./local-queue.js";
import { aborted, closedError, deadlocked, heldByOthers, refusalError, timedOut } from "./refusals.js";
import type { Services } from "./services.js";
import { type Hearing, type WaitingCall, waitOf } from "./waiting-call.js";
import { submitPromotion, submitWithdrawal } from "./waiting-commands.js";

/** How long it may wait (0: not at all; `Infinity`: for ever), and until when the caller cares. */
export type AcquireTerms = Pick<AcquireInput, "timeoutMs" | "signal">;

/** How long a caller waits for its withdrawal to be committed before it is refused all the same; the withdrawal goes on. */
const withdrawalPatienceMs = 25;

export class AcquireCall extends Timed implements Command<AcquireReply | NothingLeft>, WaitingCall {
  request: Request;
  seats: readonly Seat<WaitingCall>[] = [];
  brother: WaitingCall | undefined = undefined;
  readonly #services: Services;
  readonly #timeoutMs: number;
  readonly #signal: AcquireTerms["signal"];
  readonly #hearing: Hearing;
  readonly #startedAt: number;
  #job: Job | undefined;
  /** Set once the caller is to be refused, whatever the store says. */
  #refusal: LockError | undefined;
  #over = false;
  isWaiting = false;
  #looks: "none" | "one" | "one more" = "none";
  #contended = false;
  isEntangled = false;
  #stopListening: (() => void) | undefined;

  constructor(services: Services, request: Request, terms: AcquireTerms, hearing: Hearing) {
    super();
    this.#services = services;
    this.request = request;
    this.#timeoutMs = terms.timeoutMs;
    this.#signal = terms.signal;
    this.#hearing = hearing;
    this.#startedAt = services.clock.monotonic();
  }

  /** The path that it acts on, when it is one. */
  get path(): string | undefined {
    return this.request.claims.length === 1 ? this.request.claims[0]?.resource.path : undefined;
  }

  get patienceMs(): number {
    return this.#services.room.patienceOf(this.request, this.#timeoutMs - this.waitedMs);
  }

  get places(): readonly number[] {
    return this.seats.map(({ n }) => n);
  }

  get waitedMs(): number {
    return this.#services.clock.monotonic() - this.#startedAt;
  }

  start(): void {
    if (this.#signal !== undefined) this.#listen(this.#signal);
    // A store in this process answers at once, so that only waiting needs a deadline.
    if (this.#services.store.traits.sharedBy !== "process" && this.#timeoutMs > 0) this.#arm();
    this.#submit();
  }

  #listen(signal: CallSignal): void {
    const { aborts } = this.#services;
    const onAbort = (): void => this.stop(aborted(this.request, signal.reason, this.waitedMs));
    aborts.add(signal, onAbort);
    this.#stopListening = () => aborts.remove(signal, onAbort);
  }

  #submit(failures = 0): void {
    const isBounded = this.#timeoutMs > 0 && this.#timeoutMs < Infinity;
    const giveUpAt = isBounded ? this.#startedAt + this.#timeoutMs : undefined;
    this.#job = this.#services.pipeline.submit(this, giveUpAt);
    this.#job.failures = failures;
  }

  #arm(): void {
    this.#services.deadlines.set(this, this.#startedAt + this.#timeoutMs);
  }

  onDue(): void {
    this.stop(undefined);
  }

  plan(view: View, { uncertain, conflicts }: Attempts): AcquireReply | NothingLeft {
    if (uncertain) return resume(view, this.request);
    const { limits, presence, pipeline } = this.#services;
    const leftMs = this.#startedAt + this.#timeoutMs - pipeline.plannedAt;
    const isBlind = conflicts > 0 || this.patienceMs > 0;
    const reply = acquire(view, this.request, limits, waitOf(view, leftMs, isBlind));
    if (reply.kind === "queued") presence.enter(view);
    return reply;
  }

  done(reply: AcquireReply | NothingLeft, commit: Commit): void {
    if (reply.kind === "granted") this.serve(reply.granted, commit.revision);
    else if (reply.kind === "queued") this.#queued(reply);
    else if (reply.kind === "nothing left") this.#askAnew();
    else this.#refuse(refusalError(this.request, reply, this.#context()));
  }

  fail(error: unknown): void {
    if (error instanceof LockError && error.code === "outcome_unknown") {
      followUp(this.#services, this.request);
    }
    this.#refuse(error);
  }

  /** Under other lock ids: another call of the agent may have known the old ones. What is left of a part goes. */
  #askAnew(): void {
    followUp(this.#services, this.request);
    this.request = renewed(this.request, this.#services.newId);
    this.#submit(this.#job?.failures);
  }

  #context(): { readonly waitedMs: number; readonly now: number } {
    // One that does not wait has not waited, however long the store took.
    const waitedMs = this.#timeoutMs === 0 ? 0 : Math.round(this.waitedMs);
    return { waitedMs, now: this.#services.storeClock.latest() };
  }

  #queued(reply: Queued): void {
    const { room, presence } = this.#services;
    this.isWaiting = true;
    this.#job = undefined;
    presence.entered();
    room.enter(this, reply.places);
    this.#contend();
    if (room.isClosed) this.#refusal ??= closedError();
    if (this.#refusal !== undefined) {
      this.#withdraw(this.#refusal);
      return;
    }
    this.#arm();
    room.wakeAt(this, reply.until);
    this.isEntangled = reply.entangled;
    // It was queued without a look at all that could be in its way.
    if (this.request.scope === "tree" || reply.until === -Infinity) room.lookInTurn(this);
    this.lookForDeadlock();
  }

  #contend(): void {
    if (this.#contended) return;
    this.#contended = true;
    tellOfAcquire(this.#services, this.request, "contended", this.waitedMs);
  }

  look(isAfresh = false): void {
    const isLooking = this.#looks !== "none";
    this.#looks = isLooking ? "one more" : "one";
    if (isLooking) return;
    submitPromotion(this.#services, this, isAfresh, {
      done: (reply, revision) => this.#looked(reply, revision),
      // The slow poll looks again; a caller with a timeout is refused when it has passed.
      failed: () => {
        this.#looks = "none";
      },
    });
  }

  #looked(reply: PromoteReply, revision: number): void {
    const { room } = this.#services;
    const isToLookAgain = this.#looks === "one more";
    this.#looks = "none";
    switch (reply.kind) {
      case "granted":
        this.serve(reply.granted, revision);
        return;
      case "waiting":
        room.wakeAt(this, reply.until);
        room.passOn(this);
        // What it had read may be older than the hint that came meanwhile.
        if (isToLookAgain) this.look(true);
        return;
      case "gone":
        // Swept as abandoned: its time was up, or this process was stopped for too long.
        room.leave(this);
        room.lookBehind(this);
        this.requeue();
        return;
      default:
        this.#leaveRoom();
        this.#refuse(refusalError(this.request, reply, this.#context()));
    }
  }

  /** Under other lock ids; what is left of the old places is removed. */
  requeue(): void {
    this.isWaiting = false;
    this.#looks = "none";
    giveBack(this.#services, this.request);
    if (this.#refusal !== undefined) {
      this.#refuse(this.#refusal);
      return;
    }
    this.request = renewed(this.request, this.#services.newId);
    this.#submit();
  }

  serve(granted: readonly Granted[], revision: number): void {
    if (this.isWaiting) this.#leaveRoom();
    if (this.#refusal !== undefined) {
      // Too late for the caller: the grant happened, and is given back.
      giveBack(this.#services, this.request);
      this.#refuse(this.#refusal);
      return;
    }
    this.#finish();
    this.#services.room.granted(this.request.agentId);
    this.#hearing.granted(this.request, granted, revision);
  }

  #leaveRoom(): void {
    const { room } = this.#services;
    this.isWaiting = false;
    room.leave(this);
    room.passOn(this);
  }

  lookForDeadlock(): void {
    if (!this.isEntangled) return;
    searchForDeadlock(this.#services, this, (cycle) => this.stop(deadlocked(this.request, cycle)));
  }

  /** Stops asking or waiting. Without an error: the time is up. */
  stop(error: LockError | undefined): void {
    if (this.#refusal !== undefined) return;
    const refusal = error ?? timedOut(this.request, this.#context());
    this.#refusal = refusal;
    if (this.isWaiting) {
      this.#withdraw(
        refusal,
        this.#services.clock.after(withdrawalPatienceMs, () => this.#refuse(refusal)),
      );
      return;
    }
    if (this.#job !== undefined) this.#job.cancelled = true;
    this.#refuse(refusal);
  }

  /** Leaves the queue; a plain timeout then names those who were still in the way. */
  #withdraw(refusal: LockError, answered: () => void = () => undefined): void {
    submitWithdrawal(this.#services, this, refusal.code, {
      done: (reply) => {
        answered();
        if (reply.kind === "granted") this.serve(reply.granted, 0);
        else this.#withdrawn(refusal, reply);
      },
      failed: () => {
        answered();
        this.#leaveRoom();
        followUp(this.#services, this.request);
        this.#refuse(refusal);
      },
    });
  }

  #withdrawn(refusal: LockError, { blockers, queueLength, rest }: WithdrawReply & { kind: "gone" }): void {
    this.#leaveRoom();
    if (rest) followUp(this.#services, this.request);
    const isLate = refusal.code === "held";
    this.#refuse(isLate ? heldByOthers(this.request, blockers, queueLength, this.#context()) : refusal);
  }

  #refuse(error: unknown): void {
    if (this.#over) return;
    this.#finish();
    if (error instanceof LockError && error.code === "held") this.#contend();
    tellOfAcquire(
      this.#services,
      this.request,
      "refused",
      this.waitedMs,
      error instanceof LockError ? error.code : "failed",
    );
    this.#hearing.refused(error);
  }

  #finish(): void {
    this.#over = true;
    this.#services.deadlines.remove(this);
    this.#stopListening?.();
  }
}
