/** The command line: its verbs, its help, and how it ends. */
import { Command, CommanderError } from "commander";
import type { Call } from "./call.js";
import { addCommonFlags, defineCommands, type Perform } from "./commands.js";
import { exitCodes } from "./exit-codes.js";
import { facts } from "./fact-lines.js";
import { say } from "./say.js";
import type { CommonFlags, Surroundings } from "./settings.js";
import type { Wiring } from "./wiring.js";

const notes = `
Where the locks are: --url or --store, else ENGRAM_LOCK_URL or ENGRAM_LOCK_STORE, else the project's file, else the
user's file, else a store in the nearest .engram-lock/ at or above the working directory, else one in the user's
state directory (XDG_STATE_HOME, ~/.local/state).
Who acts: --agent, ENGRAM_LOCK_AGENT, the files, else user@host/terminal: one agent for all you type into one
terminal, another one in the next. Without a terminal it is user@host, so let every script and job have a name.
Files: .engram-lock/config.json (project) and ~/.config/engram-lock/config.json (user; XDG_CONFIG_HOME), such as
{"url": "http://127.0.0.1:7420"}, with "url" or "store", and "agent".

Exit codes: 0 done   64 usage   66 no such lock   69 store or server unreachable   70 bug   75 held or refused, try
later   76 lock lost   77 not yours   78 bad configuration   130/143 interrupted/terminated`;

/** Runs one command line, without the names of Node.js and the script, and answers its exit code. */
export async function runCommandLine(
  argv: readonly string[],
  around: Surroundings,
  wiring: Wiring,
): Promise<number> {
  // Commander would join what stands before and behind the dashes.
  const dashes = argv.indexOf("--");
  const before = dashes < 0 ? argv : argv.slice(0, dashes);
  const behindDashes = dashes < 0 ? undefined : argv.slice(dashes + 1);

  let exitCode: number = exitCodes.done;
  let call: Call | undefined;
  const perform: Perform = (load) =>
    async function (this: Command) {
      const flags = commonFlags(program, this);
      const { Call } = await import("./call.js");
      call = new Call({ wiring, flags, around, operands: this.args, behindDashes });
      const handler = await load();
      exitCode = await handler(call, this.opts());
    };
  const program = createProgram(perform, wiring.version);
  try {
    await program.parseAsync([...before], { from: "user" });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return endOfParsing(error, before);
    const now = call?.now() ?? new Date(wiring.clock.now());
    const { tellError } = await import("./tell-error.js");
    return tellError(error, call?.flags ?? {}, now);
  }
}

function createProgram(perform: Perform, version: string): Command {
  const program = new Command("engram-lock")
    .description("Locks for fleets of agents: wait in line, hold, extend, give back.")
    .usage("<command> [options]")
    .enablePositionalOptions()
    .version(version, "-V, --version", "print the version")
    .helpCommand("help [command]", "show the help of a command")
    .addHelpText("after", notes);
  addCommonFlags(program);
  for (const command of defineCommands(perform)) program.addCommand(command);
  for (const command of [program, ...program.commands]) {
    command
      .exitOverride()
      .showSuggestionAfterError(true)
      .configureHelp({ subcommandTerm: termOf })
      .configureOutput({ outputError: (text) => say(usageError(command, text)) });
  }
  return program;
}

function usageError(command: Command, text: string): string {
  const name = command.parent === null ? "" : `${command.name()} `;
  const next = facts([["next", `\`engram-lock ${name}--help\` shows what there is.`]]);
  return [text.trimEnd().replace(/^error: /, ""), ...next].join("\n");
}

/** `run PATH... -- COMMAND [ARGS...]`. */
function termOf(command: Command): string {
  return `${command.name()} ${command.usage().replace("[options]", "")}`.replace(/ +/g, " ").trimEnd();
}

/** Flags may stand before the name of the command and behind it; there they win. */
function commonFlags(program: Command, command: Command): CommonFlags {
  const before = program.opts<CommonFlags>();
  const behind = command.opts<CommonFlags>();
  return { ...before, ...behind, color: before.color !== false && behind.color !== false };
}

/** Commander has said what there was to say: help, the version, or what is wrong with the command line. */
async function endOfParsing(error: CommanderError, argv: readonly string[]): Promise<number> {
  if (error.exitCode === 0) return exitCodes.done;
  if (argv.includes("--json")) {
    const { CommandError } = await import("./command-error.js");
    const { tellErrorAsJson } = await import("./tell-error.js");
    await tellErrorAsJson(new CommandError("usage", error.message.replace(/^error: /, "")), new Date(0));
  }
  return exitCodes.usage;
}
