// Starts the server, once everything is ready for it. In one process: a second one would cost a tenth of the start.

import process from "node:process";
import "./bootstrap.mjs";

process.argv.splice(2, 0, "serve");
// By its URL, because the type check runs where nothing is built yet.
await import(new URL("../dist/main.js", import.meta.url).href);
