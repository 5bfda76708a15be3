/** The benchmarks of `--wire`. */
import type { Workload } from "../../workloads/workload.js";
import { distinct, http, multi } from "./distinct.js";
import { handover } from "./handover.js";
import { held } from "./held.js";
import { hot } from "./hot.js";

export const wireWorkloads: readonly Workload[] = [distinct, hot, handover, multi, http, held];
