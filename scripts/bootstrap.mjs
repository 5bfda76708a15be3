// Makes a fresh clone ready to run: dependencies installed, dist/ up to date. Does nothing when that is so already.
// Uses Node's built-in modules only, because it runs before anything is installed.

import { buildIfStale } from "./build.mjs";
import { installIfStale } from "./install.mjs";
import { alone } from "./lock.mjs";
import { requireNode } from "./node-version.mjs";

requireNode();
alone(() => {
  installIfStale(".");
  buildIfStale();
});
