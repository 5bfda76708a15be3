// Who may import whom under src/. Each layer lists the folders it may reach; everything else is refused.

const ERRORS = "^src/errors\\.ts$";
const DURATION = "^src/duration\\.ts$";
const FENCE_GUARD = "^src/fence-guard\\.ts$";
const CHURN_MAP = "^src/churn-map\\.ts$";
const ABORTS = "^src/aborts\\.ts$";
const WORK_UNDER = "^src/work-under\\.ts$";
const EVENT_BACKLOG = "^src/event-backlog\\.ts$";
const CLOCK = "^src/clock/";
const CORE = "^src/core/";
const STORE_PORT = "^src/store/[^/]+\\.ts$";
const LOCK_MANAGER = "^src/lock-manager\\.ts$";
const PROTOCOL = "^src/protocol/";
const MANAGER = "^src/manager/";
const METRICS = "^src/metrics/";
const SERVER = "^src/server/";
/** The files that put the program together: the only ones that know every adapter by name. */
const ROOTS = "^src/(main|index|open-store|create-lock-manager)\\.ts$";

/** A layer: files at `path` import, of what is under src/, only what is at `may`. */
const layer = (name, path, ...may) => ({
  name: `layer-${name}`,
  severity: "error",
  from: { path },
  to: { path: "^src/", ...(may.length > 0 && { pathNot: may }) },
});

/** npm packages that only the files at `from` import. */
const onlyIn = (name, from, ...packages) => ({
  name: `packages-of-${name}`,
  severity: "error",
  from: { path: "^src/", pathNot: from },
  to: { path: `node_modules/(${packages.join("|")})/` },
});

module.exports = {
  forbidden: [
    { name: "no-cycles", severity: "error", from: {}, to: { circular: true } },
    { name: "no-unresolvable", severity: "error", from: {}, to: { couldNotResolve: true } },
    {
      name: "core-imports-only-core",
      comment: "Not even Node's built-in modules.",
      severity: "error",
      from: { path: CORE },
      to: { pathNot: CORE },
    },
    { name: "errors-import-nothing", severity: "error", from: { path: ERRORS }, to: { path: "." } },
    layer("duration", DURATION, ERRORS),
    layer("clock", CLOCK, CLOCK),
    layer("aborts", ABORTS),
    layer("lock-manager", LOCK_MANAGER, ABORTS, ERRORS, DURATION, CLOCK, CORE),
    layer("event-backlog", EVENT_BACKLOG, LOCK_MANAGER),
    layer("work-under", WORK_UNDER, ERRORS, LOCK_MANAGER),
    layer("fence-guard", FENCE_GUARD, ERRORS, CORE, LOCK_MANAGER),
    layer("churn-map", CHURN_MAP),
    layer("store-port", STORE_PORT, STORE_PORT, ERRORS, CLOCK, CHURN_MAP),
    layer(
      "store-backend",
      "^src/store/([^/]+)/",
      STORE_PORT,
      ABORTS,
      ERRORS,
      DURATION,
      CLOCK,
      "^src/store/$1/",
    ),
    layer(
      "manager",
      MANAGER,
      MANAGER,
      CORE,
      STORE_PORT,
      CLOCK,
      ABORTS,
      ERRORS,
      DURATION,
      LOCK_MANAGER,
      WORK_UNDER,
      EVENT_BACKLOG,
      CHURN_MAP,
    ),
    layer("protocol", PROTOCOL, PROTOCOL, ERRORS, DURATION, LOCK_MANAGER),
    layer("metrics", METRICS, METRICS, LOCK_MANAGER, ERRORS, DURATION, CLOCK, PROTOCOL),
    layer(
      "server",
      SERVER,
      SERVER,
      METRICS,
      MANAGER,
      CORE,
      PROTOCOL,
      LOCK_MANAGER,
      ERRORS,
      DURATION,
      CLOCK,
      CHURN_MAP,
    ),
    layer(
      "client",
      "^src/client/",
      "^src/client/",
      PROTOCOL,
      LOCK_MANAGER,
      WORK_UNDER,
      EVENT_BACKLOG,
      ABORTS,
      CHURN_MAP,
      ERRORS,
      DURATION,
      CLOCK,
    ),
    {
      name: "client-runs-anywhere",
      comment: "Browsers and edge runtimes too: only the entry for Node knows a package of Node.",
      severity: "error",
      from: { path: "^src/(client|protocol)/", pathNot: "^src/client/node\\.ts$" },
      to: { dependencyTypes: ["core"] },
    },
    layer("faces", "^src/(cli|mcp)/", "^src/$1/", PROTOCOL, LOCK_MANAGER, ERRORS, DURATION, CLOCK),
    {
      name: "server-is-loaded-by-main",
      severity: "error",
      from: { path: "^src/", pathNot: [SERVER, "^src/main\\.ts$"] },
      to: { path: SERVER },
    },
    {
      name: "every-file-has-a-layer",
      comment: "A new folder or file of src/ needs a rule of its own here.",
      severity: "error",
      from: {
        path: "^src/",
        pathNot: [
          ERRORS,
          DURATION,
          FENCE_GUARD,
          CHURN_MAP,
          ABORTS,
          WORK_UNDER,
          EVENT_BACKLOG,
          LOCK_MANAGER,
          ROOTS,
          "^src/(core|clock|store|manager|protocol|metrics|server|client|cli|mcp)/",
        ],
      },
      to: { path: "." },
    },
    {
      name: "no-development-packages",
      severity: "error",
      from: { path: "^src/" },
      to: {
        dependencyTypes: ["npm-dev", "npm-no-pkg", "npm-unknown"],
        dependencyTypesNot: ["npm", "npm-peer", "npm-optional"],
      },
    },
    onlyIn("embedded-store", "^src/store/embedded/", "lmdb"),
    onlyIn("redis-store", "^src/store/redis/", "ioredis"),
    onlyIn("postgres-store", "^src/store/postgres/", "pg"),
    onlyIn("server", "^src/server/", "hono", "@hono/[^/]+"),
    onlyIn("websocket", "^src/(server/wire/|client/node\\.ts$)", "ws"),
    onlyIn("cli", "^src/(cli/|main\\.ts$)", "commander", "cli-table3", "yoctocolors"),
    onlyIn("duration", DURATION, "parse-duration"),
    onlyIn("metrics", "^src/metrics/", "@prometheus-io/client"),
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    // Imports of types count: a layer that knows another's types depends on it.
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.build.json" },
    enhancedResolveOptions: {
      exportsFields: ["exports"],
      conditionNames: ["import", "node", "default", "types"],
    },
  },
};
