/** Resource paths: the one rule for what is a path, applied before anything else sees it. */

/** A path that passed the rule, with what the planning of a lock needs to know of it. */
export interface ResourcePath {
  readonly path: string;
  /** The first segment; `/` for the root. Policies and metrics go by it. */
  readonly type: string;
  /** The paths above it, the nearest first and the root last. */
  readonly ancestors: readonly string[];
}

export type ParsedPath =
  | { readonly ok: true; readonly resource: ResourcePath }
  | { readonly ok: false; readonly allowed: string };

export const maxPathBytes = 1024;
export const maxPathSegments = 32;

/** C0 and C1 controls and DEL; line and paragraph separators; the characters that reorder text on a screen; lone surrogates. */
const refusedCharacters =
  // oxlint-disable-next-line no-control-regex -- refusing control characters is the purpose
  /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]|\p{Surrogate}/u;

/** Brings a path into its one spelling (NFC, one leading slash, no trailing one), or says what is allowed instead. */
export function parseResourcePath(given: string): ParsedPath {
  if (given === "") return refuse('a path such as "/repo/src/a.ts"; the root is "/"');
  if (given.length > maxPathBytes) return refuse(`at most ${maxPathBytes} bytes`);
  if (refusedCharacters.test(given)) {
    return refuse("well-formed Unicode without control, line-separator or text-direction characters");
  }
  const normal = given.normalize("NFC");
  const body = normal.startsWith("/") ? normal.slice(1) : normal;
  if (body === "") return { ok: true, resource: root };

  const segments = (body.endsWith("/") ? body.slice(0, -1) : body).split("/");
  if (segments.length > maxPathSegments) return refuse(`at most ${maxPathSegments} segments`);
  for (const segment of segments) {
    if (segment === "") return refuse("no empty segment");
    if (segment === "." || segment === "..") return refuse('no "." or ".." segment');
  }
  const path = `/${segments.join("/")}`;
  if (utf8Length(path) > maxPathBytes) return refuse(`at most ${maxPathBytes} bytes`);
  return { ok: true, resource: { path, type: segments[0] ?? "/", ancestors: ancestorsOf(path) } };
}

const root: ResourcePath = { path: "/", type: "/", ancestors: [] };

function refuse(allowed: string): ParsedPath {
  return { ok: false, allowed };
}

function ancestorsOf(path: string): string[] {
  const ancestors: string[] = [];
  for (let end = path.lastIndexOf("/"); end > 0; end = path.lastIndexOf("/", end - 1)) {
    ancestors.push(path.slice(0, end));
  }
  ancestors.push("/");
  return ancestors;
}

/** The first segment of a normal path; `/` for the root. */
export function typeOf(path: string): string {
  if (path === "/") return "/";
  const end = path.indexOf("/", 1);
  return path.slice(1, end < 0 ? undefined : end);
}

/** Resource path of something that was stored under its normal spelling. */
export function storedPath(path: string): ResourcePath {
  if (path === "/") return root;
  return { path, type: typeOf(path), ancestors: ancestorsOf(path) };
}

/** True when `path` is `above` or stands below it. */
export function isAtOrBelow(path: string, above: string): boolean {
  return (
    path === above ||
    above === "/" ||
    (path.length > above.length && path.charCodeAt(above.length) === 47 && path.startsWith(above))
  );
}

/** Bytes of well-formed text in UTF-8. */
export function utf8Length(text: string): number {
  let bytes = 0;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x80) bytes += 1;
    else if (unit < 0x800) bytes += 2;
    // A surrogate pair is four bytes: two for each of its halves.
    else if (unit >= 0xd800 && unit < 0xe000) bytes += 2;
    else bytes += 3;
  }
  return bytes;
}
