// A hook of Node's module loader: whoever imports `lmdb` gets the wrapper beside this file, and only the wrapper gets LMDB.

const wrapper = new URL("lmdb.mjs", import.meta.url).href;

/** @type {import("node:module").ResolveHook} */
export const resolve = (specifier, context, next) =>
  specifier === "lmdb" && context.parentURL !== wrapper
    ? { url: wrapper, shortCircuit: true }
    : next(specifier, context);
