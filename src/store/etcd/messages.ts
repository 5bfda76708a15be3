/** etcd's messages, as far as they are used (`api/etcdserverpb/rpc.proto`, `api/mvccpb/kv.proto`). Fields have the numbers they have there. */
import { eachField, field, message } from "./protobuf.js";

/** One operation of a transaction: a `RequestOp`. */
export type Operation = Buffer;
/** One comparison of a transaction: a `Compare`. */
export type Comparison = Buffer;

export interface Interval {
  readonly from: Buffer;
  /** Exclusive. */
  readonly to: Buffer;
}

export function rangeRequest(
  { from, to }: { readonly from: Buffer; readonly to?: Buffer },
  { limit = 0, revision = 0 } = {},
): Buffer {
  return message(
    field(1, from),
    ...(to ? [field(2, to)] : []),
    ...(limit > 0 ? [field(3, limit)] : []),
    ...(revision > 0 ? [field(4, revision)] : []),
  );
}

export function range(request: Buffer): Operation {
  return field(1, request);
}

export function put(key: Buffer, value: string, leaseId?: number): Operation {
  const given = [field(1, key), field(2, value)];
  if (leaseId !== undefined) given.push(field(3, leaseId));
  return field(2, given);
}

export function remove(key: Buffer): Operation {
  return field(3, [field(1, key)]);
}

export function transaction(
  compare: readonly Comparison[],
  success: readonly Operation[],
  failure: readonly Operation[] = [],
): readonly Buffer[] {
  return [
    ...compare.map((one) => field(1, one)),
    ...success.map((one) => field(2, one)),
    ...failure.map((one) => field(3, one)),
  ];
}

/** A transaction within another one. */
export function within(inner: readonly Buffer[]): Operation {
  return field(4, inner);
}

const lessThan = 2;
const modRevision = 2;

/** The key stands at this revision of etcd's; 0: it is absent. */
export function standsAt(key: Buffer, revision: number): Comparison {
  // Without further words, the version is compared with 0.
  return revision === 0
    ? message(field(3, key))
    : message(field(2, modRevision), field(3, key), field(6, revision));
}

/** Nothing in the interval was written at this revision of etcd's or later. */
export function isOlderThan({ from, to }: Interval, revision: number): Comparison {
  return message(
    field(1, lessThan),
    field(2, modRevision),
    field(3, from),
    field(6, revision),
    field(64, to),
  );
}

export function watchRequest({ from, to }: Interval, startRevision: number): Buffer {
  const start = startRevision > 0 ? [field(3, startRevision)] : [];
  return message(field(1, [field(1, from), field(2, to), ...start]));
}

export interface KeyValue {
  readonly key: Buffer;
  readonly modRevision: number;
  readonly value: Buffer;
}

export interface OperationReply {
  readonly kvs: readonly KeyValue[];
  readonly succeeded: boolean;
  /** Of a transaction within. */
  readonly replies: readonly OperationReply[];
}

export interface TransactionReply extends OperationReply {
  readonly revision: number;
}

export function readTransaction(from: Buffer): TransactionReply {
  let revision = 0;
  let succeeded = false;
  const replies: OperationReply[] = [];
  eachField(from, (number, value, bytes) => {
    if (number === 1) revision = readRevision(bytes);
    else if (number === 2) succeeded = value === 1;
    else if (number === 3) replies.push(readOperation(bytes));
  });
  return { revision, succeeded, replies, kvs: none };
}

function readOperation(from: Buffer): OperationReply {
  let reply: OperationReply = { kvs: none, succeeded: false, replies: none };
  eachField(from, (number, _value, bytes) => {
    if (number === 1) reply = { ...reply, kvs: readRange(bytes) };
    else if (number === 4) reply = readTransaction(bytes);
  });
  return reply;
}

export function readRange(from: Buffer): KeyValue[] {
  const kvs: KeyValue[] = [];
  eachField(from, (number, _value, bytes) => {
    if (number === 2) kvs.push(readKeyValue(bytes));
  });
  return kvs;
}

function readKeyValue(from: Buffer): KeyValue {
  const kv: { key: Buffer; modRevision: number; value: Buffer } = {
    key: empty,
    modRevision: 0,
    value: empty,
  };
  eachField(from, (number, value, bytes) => {
    if (number === 1) kv.key = bytes;
    else if (number === 3) kv.modRevision = value;
    else if (number === 5) kv.value = bytes;
  });
  return kv;
}

/** Of a `ResponseHeader`. */
function readRevision(from: Buffer): number {
  let revision = 0;
  eachField(from, (number, value) => {
    if (number === 3) revision = value;
  });
  return revision;
}

/** Of an `AuthenticateResponse`. */
export function readToken(from: Buffer): string {
  let token = "";
  eachField(from, (number, _value, bytes) => {
    if (number === 2) token = bytes.toString();
  });
  return token;
}

export interface WatchReply {
  readonly revision: number;
  readonly created: boolean;
  readonly canceled: boolean;
  readonly written: readonly KeyValue[];
}

export function readWatch(from: Buffer): WatchReply {
  const reply = { revision: 0, created: false, canceled: false };
  const written: KeyValue[] = [];
  eachField(from, (number, value, bytes) => {
    if (number === 1) reply.revision = readRevision(bytes);
    else if (number === 3) reply.created = value === 1;
    else if (number === 4) reply.canceled = value === 1;
    else if (number === 11) {
      eachField(bytes, (inner, _value, kv) => {
        if (inner === 2) written.push(readKeyValue(kv));
      });
    }
  });
  return { ...reply, written };
}

const none: never[] = [];
const empty = Buffer.alloc(0);
