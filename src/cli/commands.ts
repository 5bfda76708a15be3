/** Every command with its flags and its help. What it does is loaded when it is called, so that help starts at once. */
import { Command, Option } from "commander";
import type { AcquireFlags } from "./acquire.js";
import type { Call } from "./call.js";
import type { CheckFlags } from "./check.js";
import type { ExtendFlags } from "./extend.js";
import type { LsFlags } from "./ls.js";
import type { ReleaseFlags } from "./release.js";
import type { RunFlags } from "./run/run.js";
import type { ServeFlags } from "./serve.js";
import type { WatchFlags } from "./watch.js";

/** What a command does. Answers the exit code. */
export type Handler<Flags> = (call: Call, flags: Flags) => Promise<number>;

/** Makes commander's action of a handler that is still to be loaded. */
export type Perform = <Flags extends object>(
  load: () => Promise<Handler<Flags>>,
) => (this: Command, ...args: unknown[]) => Promise<void>;

export function defineCommands(perform: Perform): Command[] {
  const commands = [
    runCommand(perform),
    acquireCommand(perform),
    new Command("release")
      .summary("give a lock back")
      .description("Gives back the agent's own locks on the paths.")
      .usage("[options] PATH...")
      .argument("[path...]", "resource paths")
      .option("--mine", "everything the agent holds")
      .option("--force", "end the locks on the paths whoever holds them; needs --reason")
      .option("--reason <text>", "why, for the holder and the record")
      .option("-y, --yes", "do not ask before --force")
      .action(perform<ReleaseFlags>(async () => (await import("./release.js")).release)),
    new Command("extend")
      .summary("set the expiry of a lock to now + ttl")
      .description("Sets the expiry of the agent's own locks to exactly now + ttl, later or earlier.")
      .usage("[options] PATH...")
      .argument("[path...]", "resource paths")
      .option("--ttl <duration>", "such as 30s or 10m (default: the ttl it has)")
      .action(perform<ExtendFlags>(async () => (await import("./extend.js")).extend)),
    new Command("check")
      .summary("free or mine: 0; held by others: 75")
      .description(
        "Exits with 0 when every path is free or held by this agent, with 75 when somebody else is in the way. Never queues.",
      )
      .usage("[options] PATH...")
      .argument("[path...]", "resource paths")
      .option("--stdin0", "read further paths from stdin, each ended by a NUL, as `git diff -z` prints them")
      .action(perform<CheckFlags>(async () => (await import("./check.js")).check)),
    new Command("ls")
      .summary("list the locks")
      .description("Lists the locks in force. With --agent, those of that agent.")
      .option("--prefix <path>", "this path and everything below it")
      .option("--type <type>", "this resource type, the first segment of the path")
      .option("--mine", "held by the agent that acts")
      .option("--waiting", "on resources that somebody waits for, and how many")
      .option("--expiring <duration>", "that expire within this time, such as 1m")
      .option("--watch", "look again each second; a table on a terminal, else a line for each change")
      .action(perform<LsFlags>(async () => (await import("./ls.js")).ls)),
    new Command("show")
      .summary("state, holders and queue of a resource")
      .description("Shows who holds a resource, since when, until when and why, and who waits for it.")
      .usage("[options] PATH")
      .argument("[path]", "resource path")
      .action(perform(async () => (await import("./show.js")).show)),
    watchCommand(perform),
    serveCommand(perform),
    new Command("version")
      .summary("version of this command and of what it runs on")
      .description("Prints the version of engram-lock, of Node.js and of the system.")
      .action(perform(async () => (await import("./version.js")).version)),
  ];
  return commands.map(addCommonFlags);
}

/** The flags that every command takes, before or behind its name. */
export function addCommonFlags(command: Command): Command {
  return command
    .optionsGroup("Everywhere:")
    .option("--url <url>", "a server, such as http://127.0.0.1:7420 or unix:PATH")
    .option("--store <url>", "a store opened by this process: memory:, file:PATH, postgres://…")
    .option("--agent <id>", "who acts (default: user@host/terminal)")
    .option("--json", "print nothing but JSON on stdout")
    .option("-q, --quiet", "print errors only")
    .option("-v, --verbose", "say more about errors")
    .option("--no-color", "no colours, as with NO_COLOR")
    .helpOption("-h, --help", "show this help");
}

/** The flags of every command that acquires. */
function addTakeFlags(command: Command, ttlDefault?: string): Command {
  return command
    .option("--ttl <duration>", "how long the lock lives unless extended, such as 30s or 10m", ttlDefault)
    .option("--timeout <duration>", "how long to wait (default: for ever)")
    .option("--no-wait", "do not wait")
    .option("--shared", "other shared locks may stand beside it")
    .option("--tree", "also everything below the path")
    .option("--reason <text>", "why, for those who find it held");
}

function acquireCommand(perform: Perform): Command {
  const command = new Command("acquire")
    .summary("take a lock for its ttl")
    .description(
      "Takes the locks, all of them or none, and prints lock id, fencing token and expiry. They stay for their ttl, until released or extended.",
    )
    .usage("[options] PATH...")
    .argument("[path...]", "resource paths, such as /deploy/prod");
  return addTakeFlags(command)
    .option("--hold", "stay and extend the locks; release them on Ctrl-C or SIGTERM")
    .action(perform<AcquireFlags>(async () => (await import("./acquire.js")).acquire));
}

function runCommand(perform: Perform): Command {
  const command = new Command("run")
    .summary("run a command while holding a lock")
    .description("Waits for the locks, runs the command, extends them while it runs, and gives them back.")
    .usage("[options] PATH... -- COMMAND [ARGS...]")
    .argument("[path...]", "resource paths, such as /deploy/prod");
  return addTakeFlags(command, "30s")
    .addOption(
      new Option("--on-lost <action>", "when a lock is lost")
        .choices(["term", "kill", "warn"])
        .default("term"),
    )
    .option("--kill-after <duration>", "from SIGTERM to SIGKILL, when the command is ended", "10s")
    .option("--conflict-exit-code <n>", "instead of 75, when the locks are not to be had")
    .option("--report <file>", "write one JSON object that says who failed")
    .option("--shell <text>", "run the text by /bin/sh, instead of a command behind --")
    .addHelpText("after", notesOnRun)
    .action(perform<RunFlags>(async () => (await import("./run/run.js")).run));
}

const notesOnRun = `
Exits as the command does, with 128+n when signal n ended it; else 75 held by others, 76 lock lost and the
command ended, 126/127 not executable/not found, 130/143 interrupted/terminated while waiting.

The command finds ENGRAM_LOCK_ID, ENGRAM_LOCK_FENCING_TOKEN and ENGRAM_LOCK_PATH in its environment; with several
paths each has one line per path, in the order given.

Each run is an agent of its own, AGENT/run-1a2b3c4d, so that two runs exclude each other. Only --agent is taken as it
stands: two runs with one --agent share their locks.

The command has a process group and session of its own: INT, TERM, HUP, QUIT, USR1, USR2 and WINCH are passed on to it,
it can read from the terminal, but it cannot open /dev/tty. What it leaves running in its group is ended with it.`;

function watchCommand(perform: Perform): Command {
  return new Command("watch")
    .summary("what happens on a server, as it happens")
    .description(
      "Writes a line for each event of a server, of the prefix and everything below it, until Ctrl-C. It needs a server: a store tells nobody what happens in it.",
    )
    .usage("[options] [PREFIX]")
    .argument("[prefix]", "this path and everything below it")
    .option("--types <types>", "only these, with commas between them, such as acquired,released")
    .option("--since <id>", "go on behind this event, whose id --json shows")
    .addHelpText("after", notesOnWatch)
    .action(perform<WatchFlags>(async () => (await import("./watch.js")).watch));
}

const notesOnWatch = `
Types: acquired, extended, released, expired, revoked, lost, contended, queued, dequeued, refused, failed, and reset,
which always comes and says that events are missing before it: the server does not remember them, or was restarted.`;

function serveCommand(perform: Perform): Command {
  const logLevels = ["trace", "debug", "info", "warn", "error", "fatal", "silent"];
  return new Command("serve")
    .summary("run the server: HTTP API and metrics")
    .description(
      "Serves the locks of a store over HTTP. Without --store they are in .engram-lock/ in the working directory.",
    )
    .option(
      "--listen <host:port>",
      "address to listen on; port 0 is any free one, `none` none",
      "127.0.0.1:7420",
    )
    .option(
      "--socket <path>",
      "also listen on a unix socket, for this user alone; --url unix:PATH goes there",
    )
    .addOption(
      new Option("--log-level <level>", "of the log, JSON lines on stderr")
        .choices(logLevels)
        .default("info"),
    )
    .option("--print-config", "print the settings and where they come from, and do not start")
    .action(perform<ServeFlags>(async () => (await import("./serve.js")).serve));
}
