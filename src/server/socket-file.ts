/** A unix socket: an address that is a file, for processes of this machine under this user. */
import { lstatSync, type Stats, unlinkSync } from "node:fs";
import { connect, type Server } from "node:net";
import process from "node:process";
import { invalid } from "../errors.js";

/** What every system takes: `sun_path` has 104 bytes on macOS, 108 on Linux, with a NUL at its end. */
const maxPathBytes = 103;
/** Nobody else may connect, which takes the right to write. */
const othersMask = 0o177;

/**
 * Listens at `path`, in the place of the socket of a server that has died. Closing the server removes the file.
 *
 * @throws LockError `invalid` for a path that no socket can have; the system's error when something else is there (`EADDRINUSE`), above all a
 * server that answers.
 */
export async function listenOnSocket(server: Server, path: string): Promise<void> {
  if (path === "" || path.includes("\0") || Buffer.byteLength(path) > maxPathBytes)
    throw invalid("socket", path, `a path of at most ${maxPathBytes} bytes, which is all that systems take`);
  try {
    await listen(server, path);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EADDRINUSE")) throw error;
    if (!(await removeDeadSocket(path))) throw error;
    await listen(server, path);
  }
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    // The file is made within this call: at no time is it open to others.
    const mask = process.umask(othersMask);
    try {
      server.listen(path, () => {
        server.off("error", reject);
        resolve();
      });
    } finally {
      process.umask(mask);
    }
  });
}

/** @returns whether the path is free now. */
async function removeDeadSocket(path: string): Promise<boolean> {
  const found = look(path);
  if (found === undefined) return true;
  if (!found.isSocket() || (await answers(path))) return false;
  // Not the one that another server has put there meanwhile.
  const now = look(path);
  if (now?.ino !== found.ino || now.ctimeMs !== found.ctimeMs) return now === undefined;
  unlinkSync(path);
  return true;
}

function look(path: string): Stats | undefined {
  return lstatSync(path, { throwIfNoEntry: false });
}

/** False only where it is sure that nobody listens: whoever is slow or does not let us in is alive. */
function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(path, () => {
      probe.destroy();
      resolve(true);
    });
    probe.once("error", (error) => resolve(!("code" in error && error.code === "ECONNREFUSED")));
  });
}
