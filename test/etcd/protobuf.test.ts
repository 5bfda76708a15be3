/** The wire format, against bytes that the encoding's specification gives as examples. */
import { describe, expect, test } from "vitest";
import { eachField, field, message } from "../../src/store/etcd/protobuf.js";

function fieldsOf(from: Buffer): [number, number | string][] {
  const found: [number, number | string][] = [];
  eachField(from, (number, value, bytes) => {
    found.push([number, bytes.length > 0 ? bytes.toString("hex") : value]);
  });
  return found;
}

describe("Fields", () => {
  test("are written as the specification writes them", () => {
    expect(field(1, 150).toString("hex")).toBe("089601");
    expect(field(2, "testing").toString("hex")).toBe("120774657374696e67");
    expect(field(3, [field(1, 150)]).toString("hex")).toBe("1a03089601");
    expect(field(64, Buffer.from("a")).toString("hex")).toBe("82040161");
  });

  test("are read as they were written, up to the largest safe integer and beyond short lengths", () => {
    const long = Buffer.alloc(20_000, "x");
    for (const value of [0, 1, 127, 128, 2 ** 31, 2 ** 32 + 1, Number.MAX_SAFE_INTEGER])
      expect(fieldsOf(field(5, value))).toEqual([[5, value]]);
    expect(fieldsOf(message(field(1, long), field(2, "é😀")))).toEqual([
      [1, long.toString("hex")],
      [2, Buffer.from("é😀").toString("hex")],
    ]);
  });

  test("of kinds that are not used are stepped over", () => {
    const fixed64 = Buffer.from("090102030405060708", "hex");
    const fixed32 = Buffer.from("1501020304", "hex");
    expect(fieldsOf(message(fixed64, fixed32, field(3, 7)))).toEqual([[3, 7]]);
  });

  test("that end too early, or are of an unknown kind, are an error", () => {
    expect(() => fieldsOf(Buffer.from("0896", "hex"))).toThrow(RangeError);
    expect(() => fieldsOf(Buffer.from("1205", "hex"))).toThrow(RangeError);
    expect(() => fieldsOf(Buffer.from("0b", "hex"))).toThrow(RangeError);
  });
});
