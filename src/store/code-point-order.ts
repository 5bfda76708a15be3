/**
 * The order of keys: that of their UTF-8 bytes, which is the order of their code points.
 *
 * JavaScript's `<` compares UTF-16 units and so puts surrogate pairs (U+10000 and above) before U+E000 to U+FFFF.
 */

const surrogate = /[\ud800-\udfff]/;

/** Whether `<` may order this string wrongly. */
export function hasSurrogates(text: string): boolean {
  return surrogate.test(text);
}

/** Negative, zero or positive, as for `Array.sort`. */
export function compareCodePoints(a: string, b: string): number {
  const shared = Math.min(a.length, b.length);
  for (let at = 0; at < shared; at += 1) {
    const unitA = a.charCodeAt(at);
    const unitB = b.charCodeAt(at);
    if (unitA !== unitB) return rank(unitA) - rank(unitB);
  }
  return a.length - b.length;
}

/** Moves surrogates above every other unit. Source: ICU, `u_strCompareCodePointOrder`. */
function rank(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit;
}
