// Starts the server, once everything is ready for it. In one process: a second one would cost a tenth of the start.

import process from "node:process";
import { fileURLToPath } from "node:url";
import "./bootstrap.mjs";

// By its URL, because the type check runs where nothing is built yet.
const program = new URL("../dist/main.js", import.meta.url);
// As if it had been called itself: it says how to call it again.
process.argv.splice(1, 1, fileURLToPath(program), "serve");
await import(program.href);
