/** What etcd's refusals mean: whether the request may have been carried out, and whether another try helps. */
import { StoreError } from "../store.js";
import type { Refused } from "./channel.js";

/** etcd answered, and refused. */
export class EtcdRefusal extends StoreError {
  /** Of gRPC. */
  readonly code: number;
  readonly remedy: Remedy;

  constructor(endpoint: string, refused: Refused) {
    const { code, message: text } = refused;
    const { outcome, retryable, remedy, advice } = byText.get(text) ?? byCode.get(code) ?? uncertain;
    const next = advice === undefined ? "" : ` ${advice}`;
    super(`etcd at ${endpoint} refused: ${text} (code ${code}).${next}`, {
      outcome,
      retryable,
      cause: refused,
    });
    this.code = code;
    this.remedy = remedy;
  }
}

/** What can be done about it at once. */
type Remedy = "none" | "authenticate" | "another member";

interface Meaning {
  readonly outcome: "none" | "unknown";
  readonly retryable: boolean;
  readonly remedy: Remedy;
  readonly advice?: string;
}

const wrong: Meaning = { outcome: "none", retryable: false, remedy: "none" };
const passing: Meaning = { outcome: "none", retryable: true, remedy: "none" };
const expired: Meaning = { outcome: "none", retryable: false, remedy: "authenticate" };
const elsewhere: Meaning = { outcome: "none", retryable: true, remedy: "another member" };
const uncertain: Meaning = { outcome: "unknown", retryable: true, remedy: "another member" };

/** `google.golang.org/grpc/codes`. Every other code can also come after the request was proposed to the cluster. */
export const notFound = 5;
export const outOfRange = 11;
const byCode = new Map<number, Meaning>([
  [3, wrong],
  [notFound, passing],
  [7, { ...wrong, advice: "The user needs a role with readwrite permission on the namespace's prefix." }],
  [8, passing],
  [9, wrong],
  [outOfRange, passing],
  [12, wrong],
  [16, expired],
]);

/** Where the code says too little; etcd's own words (api/v3rpc/rpctypes/error.go). */
const byText = new Map<string, Meaning>([
  ["etcdserver: revision of auth store is old", expired],
  ["auth: revision in header is old", expired],
  ["etcdserver: user name is empty", { ...wrong, advice: "It asks for a user: etcd://USER:PASSWORD@…" }],
  // Asked for before anything is proposed, because every request demands a leader.
  ["etcdserver: no leader", elsewhere],
  ["etcdserver: rpc not supported for learner", elsewhere],
  // A member that finds the quota exceeded as it applies a transaction has applied it all the same (server/apply.go, `quotaApplierV3`).
  [
    "etcdserver: mvcc: database space exceeded",
    {
      ...uncertain,
      remedy: "none",
      advice: "Compact and defragment it, or raise its quota, and disarm the alarm.",
    },
  ],
]);
