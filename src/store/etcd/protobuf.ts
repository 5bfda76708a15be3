/** The parts of Protocol Buffers' wire format that etcd's messages need: varints and what has a length (protobuf.dev, "Encoding"). */

const lengthDelimited = 2;

/** A field: a number, a text, bytes, or a message, which is the fields it is made of. */
export function field(number: number, value: number | string | Buffer | readonly Buffer[]): Buffer {
  if (typeof value === "number") return varintField(number, value);
  const tag = number * 8 + lengthDelimited;
  const length = lengthOf(value);
  const at = sizeOf(tag) + sizeOf(length);
  const bytes = Buffer.allocUnsafe(at + length);
  writeVarint(bytes, writeVarint(bytes, 0, tag), length);
  if (typeof value === "string") bytes.write(value, at);
  else if (Buffer.isBuffer(value)) value.copy(bytes, at);
  else copyAll(value, bytes, at);
  return bytes;
}

/** A message that is no field of another one. */
export function message(...fields: readonly Buffer[]): Buffer {
  return Buffer.concat(fields);
}

/** Visits the fields of a message. `value` is that of a varint, which must be a safe integer to be right; `bytes` that of anything with a length. */
export function eachField(from: Buffer, visit: (number: number, value: number, bytes: Buffer) => void): void {
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = from[at++];
      if (byte === undefined) throw new RangeError("A message of etcd ends too early.");
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  };
  while (at < from.length) {
    const tag = varint();
    const number = Math.floor(tag / 8);
    switch (tag % 8) {
      case 0:
        visit(number, varint(), nothing);
        break;
      case 1:
        at += 8;
        break;
      case lengthDelimited: {
        const length = varint();
        if (at + length > from.length) throw new RangeError("A message of etcd ends too early.");
        visit(number, 0, from.subarray(at, at + length));
        at += length;
        break;
      }
      case 5:
        at += 4;
        break;
      default:
        throw new RangeError(`A message of etcd has a field of an unknown kind: ${tag}.`);
    }
  }
}

const nothing = Buffer.alloc(0);

function varintField(number: number, value: number): Buffer {
  const tag = number * 8;
  const bytes = Buffer.allocUnsafe(sizeOf(tag) + sizeOf(value));
  writeVarint(bytes, writeVarint(bytes, 0, tag), value);
  return bytes;
}

function lengthOf(value: string | Buffer | readonly Buffer[]): number {
  if (typeof value === "string") return Buffer.byteLength(value);
  if (Buffer.isBuffer(value)) return value.length;
  let length = 0;
  for (const part of value) length += part.length;
  return length;
}

function copyAll(parts: readonly Buffer[], into: Buffer, from: number): void {
  let at = from;
  for (const part of parts) at += part.copy(into, at);
}

function sizeOf(value: number): number {
  let size = 1;
  for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) size++;
  return size;
}

/** @returns where to go on. */
function writeVarint(into: Buffer, from: number, value: number): number {
  let at = from;
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) into[at++] = (rest % 128) + 128;
  into[at++] = rest;
  return at;
}
