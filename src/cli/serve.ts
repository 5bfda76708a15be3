/** `serve`: the server, and the words it starts with. */
import { basename, relative } from "node:path";
import process from "node:process";
import type { Call } from "./call.js";
import { CommandError, exitCodeOfSignal } from "./command-error.js";
import { userConfigFile } from "./config-file.js";
import { exitCodes } from "./exit-codes.js";
import { facts } from "./fact-lines.js";
import { parseListen } from "./listen-address.js";
import { findServedStore, type Setting } from "./settings.js";
import type { RunningServer } from "./wiring.js";

export type ServeFlags = {
  readonly listen: string;
  readonly logLevel: string;
  readonly printConfig?: boolean;
};

export async function serve(call: Call, flags: ServeFlags): Promise<number> {
  if (call.operands.length > 0 || call.behindDashes !== undefined)
    throw new CommandError("usage", "`serve` takes no paths.");
  const store = findServedStore(call.flags, call.around);
  const listen = parseListen(flags.listen);
  if (flags.printConfig === true) {
    process.stdout.write(`${JSON.stringify(configOf(call, flags, store), undefined, 2)}\n`);
    return exitCodes.done;
  }
  const stopped = untilStopped(call);
  const server = await call.wiring
    .startServer({ store: store.value, ...listen, logLevel: flags.logLevel })
    .catch((error: unknown) => {
      throw cannotListen(error, flags.listen) ?? error;
    });
  await call.out.result(addresses(server, store), () => welcome(call, server, withoutLogin(store.value)));
  await stopped;
  call.out.note("stopping; what runs may finish. A second signal ends it at once.");
  await server.stop();
  return exitCodes.done;
}

/** Resolves at the first SIGINT, SIGTERM or SIGHUP. The second one ends the process: the store is made for that. */
function untilStopped(call: Call): Promise<void> {
  return new Promise((resolve) => {
    let stopping = false;
    const onSignal = (name: NodeJS.Signals): void => {
      if (stopping) {
        call.out.warn(`ended by a second ${name}`);
        process.exit(exitCodeOfSignal(name));
      }
      stopping = true;
      resolve();
    };
    process.on("SIGINT", onSignal);
    process.on("SIGTERM", onSignal);
    process.on("SIGHUP", onSignal);
  });
}

function cannotListen(error: unknown, address: string): CommandError | undefined {
  if (!(error instanceof Error && "syscall" in error && "code" in error)) return undefined;
  if (error.syscall !== "listen" && error.syscall !== "getaddrinfo") return undefined;
  if (error.code === "EADDRINUSE")
    return new CommandError("unreachable", `Cannot listen on ${address}: the port is in use.`, [
      "Stop what listens there, or give another one: --listen 127.0.0.1:0 takes any that is free.",
    ]);
  return new CommandError("bad_configuration", `Cannot listen on ${address}: ${error.message}.`, [], {
    cause: error,
  });
}

function configOf(call: Call, flags: ServeFlags, store: Setting<string>): object {
  return {
    store: { value: withoutLogin(store.value), from: store.origin },
    listen: { value: flags.listen },
    log_level: { value: flags.logLevel },
    user_file: userConfigFile(call.around.env),
  };
}

function addresses({ url, durable, promise }: RunningServer, store: Setting<string>): object {
  return {
    url,
    store: withoutLogin(store.value),
    durable,
    promise,
    metrics: `${url}/metrics`,
    docs: `${url}/docs`,
  };
}

function welcome(call: Call, server: RunningServer, store: string): string {
  const { url } = server;
  const { bold } = call.out.paint;
  const command = commandName();
  return [
    `${bold(`engram-lock ${call.wiring.version}`)} is running.`,
    ...facts([
      ["store", `${store}   ${worthOf(server)}`],
      ["address", url],
      ["metrics", `${url}/metrics`],
      ["docs", `${url}/docs`],
    ]),
    "",
    "Make a first lock, in another terminal:",
    `    ${command} run /deploy/prod --url ${url} --reason "try it" -- sleep 60`,
    `    ${command} show /deploy/prod --url ${url}`,
    "",
    "Ctrl-C stops the server.",
  ].join("\n");
}

function worthOf({ durable, promise }: RunningServer): string {
  if (promise === "efficiency") return "for efficiency: a failing server may lose locks, see docs/stores.md";
  return durable ? "locks outlive a crash" : "locks end with this process";
}

/** The store's URL for people to see: who logs in there, and how, is nobody's business. */
function withoutLogin(url: string): string {
  return url.replace(/^([a-z]+:\/\/)[^/?#]*@/, "$1…@");
}

/** What to type to get this very program, also from a clone where nothing is installed. */
function commandName(): string {
  const script = process.argv[1] ?? "engram-lock";
  return basename(script) === "engram-lock" ? "engram-lock" : `node ${relative(process.cwd(), script)}`;
}
