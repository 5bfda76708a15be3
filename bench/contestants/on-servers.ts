/** Contestants on database servers, for `--store`: ours on that database, and the usual locks there. */
import type { ContestantKind } from "./contestant.js";
import { onEtcd } from "./etcd.js";

export const onServers: ReadonlyMap<string, readonly ContestantKind[]> = new Map([["etcd", onEtcd]]);
