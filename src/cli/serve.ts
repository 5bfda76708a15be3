/** `serve`: the server, and the words it starts with. */
import { basename, relative, resolve } from "node:path";
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
  readonly socket?: string;
  readonly logLevel: string;
  readonly printConfig?: boolean;
};

export async function serve(call: Call, flags: ServeFlags): Promise<number> {
  if (call.operands.length > 0 || call.behindDashes !== undefined)
    throw new CommandError("usage", "`serve` takes no paths.");
  const store = findServedStore(call.flags, call.around);
  const listen = parseListen(flags.listen);
  const socket = socketPath(call, flags);
  if (listen === undefined && socket === undefined)
    throw new CommandError("usage", "Where to listen? With --listen none, give --socket PATH.");
  if (flags.printConfig === true) {
    process.stdout.write(`${JSON.stringify(configOf(call, flags, { store, socket }), undefined, 2)}\n`);
    return exitCodes.done;
  }
  const stopped = untilStopped(call);
  const server = await call.wiring
    .startServer({ store: store.value, listen, socket, logLevel: flags.logLevel })
    .catch((error: unknown) => {
      throw cannotListen(error, flags.listen, socket) ?? error;
    });
  const told = { server, socket, store: withoutLogin(store.value) };
  await call.out.result(addresses(told), () => welcome(call, told));
  await stopped;
  call.out.note("stopping; what runs may finish. A second signal ends it at once.");
  await server.stop();
  return exitCodes.done;
}

function socketPath({ around }: Call, { socket }: ServeFlags): string | undefined {
  return socket === undefined ? undefined : resolve(around.workingDirectory, socket);
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

function cannotListen(error: unknown, listen: string, socket: string | undefined): CommandError | undefined {
  if (!(error instanceof Error && "syscall" in error && "code" in error)) return undefined;
  if (error.syscall !== "listen" && error.syscall !== "getaddrinfo") return undefined;
  const isSocket = "address" in error && error.address === socket;
  const address = isSocket ? `the socket "${socket}"` : listen;
  if (error.code === "EADDRINUSE")
    return isSocket
      ? new CommandError(
          "unreachable",
          `Cannot listen on ${address}: a server answers there, or it is a file.`,
          [
            "Stop what listens there, or give another path; the socket of a server that died is replaced by itself.",
          ],
        )
      : new CommandError("unreachable", `Cannot listen on ${address}: the port is in use.`, [
          "Stop what listens there, or give another one: --listen 127.0.0.1:0 takes any that is free.",
        ]);
  return new CommandError("bad_configuration", `Cannot listen on ${address}: ${error.message}.`, [], {
    cause: error,
  });
}

interface Settings {
  readonly store: Setting<string>;
  readonly socket: string | undefined;
}

function configOf(call: Call, flags: ServeFlags, { store, socket }: Settings): object {
  return {
    store: { value: withoutLogin(store.value), from: store.origin },
    listen: { value: flags.listen },
    ...(socket !== undefined && { socket: { value: socket } }),
    log_level: { value: flags.logLevel },
    user_file: userConfigFile(call.around.env),
  };
}

interface Served {
  readonly server: RunningServer;
  readonly socket: string | undefined;
  readonly store: string;
}

function addresses({ server, socket, store }: Served): object {
  const { url, durable, promise } = server;
  return {
    url,
    ...(socket !== undefined && { socket: `unix:${socket}` }),
    store,
    durable,
    promise,
    ...Object.fromEntries(pages(server)),
  };
}

function welcome(call: Call, { server, socket, store }: Served): string {
  const { url } = server;
  const { bold } = call.out.paint;
  const command = commandName();
  const local = socket === undefined ? undefined : `unix:${socket}`;
  return [
    `${bold(`engram-lock ${call.wiring.version}`)} is running.`,
    ...facts([
      ["store", `${store}   ${worthOf(server)}`],
      ...(url === local ? [] : [["address", url] as const]),
      ...(local === undefined ? [] : [["socket", local] as const]),
      ...pages(server),
    ]),
    "",
    "Make a first lock, in another terminal:",
    `    ${command} run /deploy/prod --url ${url} --reason "try it" -- sleep 60`,
    `    ${command} show /deploy/prod --url ${url}`,
    "",
    "Ctrl-C stops the server.",
  ].join("\n");
}

/** For browsers and the like, which do not speak to sockets. */
function pages({ url }: RunningServer): [word: string, url: string][] {
  if (!url.startsWith("http:")) return [];
  return [
    ["metrics", `${url}/metrics`],
    ["docs", `${url}/docs`],
  ];
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
