/**
 * Arrays as PostgreSQL receives them in binary form, which needs no escaping and is quick to make and to read. Source: `array_recv` and
 * `array_send` of PostgreSQL's `arrayfuncs.c`: number of dimensions, whether there are nulls, type of the elements; for each dimension its
 * length and first index; for each element its length (-1: null) and its bytes.
 */

const headerBytes = 20;
/** Object ids of the element types. Source: `pg_type.dat`. */
const types = { bool: 16, int8: 20, int4: 23, text: 25 } as const;

export function int4Array(values: readonly number[]): Buffer {
  const { buffer, at } = begin(types.int4, values.length, values.length * 8);
  let place = at;
  for (const value of values) {
    place = buffer.writeInt32BE(4, place);
    place = buffer.writeInt32BE(value, place);
  }
  return buffer;
}

/** Of safe integers. */
export function int8Array(values: readonly number[]): Buffer {
  const { buffer, at } = begin(types.int8, values.length, values.length * 12);
  let place = at;
  for (const value of values) {
    const high = Math.floor(value / 2 ** 32);
    place = buffer.writeInt32BE(8, place);
    place = buffer.writeInt32BE(high, place);
    place = buffer.writeUInt32BE(value - high * 2 ** 32, place);
  }
  return buffer;
}

export function boolArray(values: readonly boolean[]): Buffer {
  const { buffer, at } = begin(types.bool, values.length, values.length * 5);
  let place = at;
  for (const value of values) {
    place = buffer.writeInt32BE(1, place);
    place = buffer.writeUInt8(value ? 1 : 0, place);
  }
  return buffer;
}

/** Of texts; `undefined` becomes null. */
export function textArray(values: readonly (string | undefined)[]): Buffer {
  let most = 0;
  // A UTF-16 unit becomes at most three bytes of UTF-8.
  for (const value of values) most += 4 + (value === undefined ? 0 : value.length * 3);
  const { buffer, at } = begin(types.text, values.length, most);
  let place = at;
  for (const value of values) {
    if (value === undefined) {
      buffer.writeInt32BE(1, 4);
      place = buffer.writeInt32BE(-1, place);
      continue;
    }
    const bytes = buffer.write(value, place + 4);
    buffer.writeInt32BE(bytes, place);
    place += 4 + bytes;
  }
  return buffer.subarray(0, place);
}

function begin(type: number, length: number, bytes: number): { buffer: Buffer; at: number } {
  const hasElements = length > 0;
  const buffer = Buffer.allocUnsafe(hasElements ? headerBytes + bytes : 12);
  buffer.writeInt32BE(hasElements ? 1 : 0, 0);
  buffer.writeInt32BE(0, 4);
  buffer.writeInt32BE(type, 8);
  if (hasElements) {
    buffer.writeInt32BE(length, 12);
    buffer.writeInt32BE(1, 16);
  }
  return { buffer, at: headerBytes };
}
