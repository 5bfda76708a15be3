/** How many locks one client process takes and gives back in a second, when nobody is in anybody's way. */
import type { Workload } from "../../workloads/workload.js";
import { flushed, inMemory, overHttp, severalAtOnce } from "../kinds.js";
import { canPin, oneCore } from "../one-core.js";
import { rates } from "./rates.js";

const what = "acquire + release of distinct paths out of 10,000";

export const distinct: Workload = {
  name: "distinct",
  async run(settings) {
    const workers = settings.quick ? [64] : [16, 64, 256];
    const task = "distinct";
    return [
      ...(await rates(settings, { title: `${what}, in memory`, task, kinds: inMemory, workers })),
      ...(await rates(settings, {
        title: `${what}, every acknowledgement flushed`,
        task,
        kinds: flushed,
        workers,
      })),
      ...(canPin()
        ? await rates(settings, {
            title: `${what}, client and server on one core`,
            task,
            kinds: [...inMemory, ...flushed],
            workers: [64],
            core: oneCore,
          })
        : []),
    ];
  },
};

/** Eight locks at a time, all or none. */
export const multi: Workload = {
  name: "multi",
  run: (settings) =>
    rates(settings, {
      title: "acquire of 8 paths at once + release",
      task: "multi",
      kinds: severalAtOnce,
      workers: [64],
      notes: ["A cycle is all eight: one request to acquire, and whatever each has to release them."],
    }),
};

/** What a program without a client library does. */
export const http: Workload = {
  name: "http",
  run: (settings) =>
    rates(settings, {
      title: "acquire + release over HTTP, 64 connections that are kept",
      task: "distinct",
      kinds: overHttp,
      workers: [64],
    }),
};
