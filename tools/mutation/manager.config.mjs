/** Mutation tests of what the manager does around a commit, when it retries, and whom it wakes. */
import { partOf } from "./common.mjs";

export default partOf("manager", [
  "src/manager/{acquire-call,aftermath,batch,commits,drafts,failures,happenings,hint,job,job-queue,pipeline,planner,store-clock,turns,waiting-commands,waiting-room}.ts",
]);
