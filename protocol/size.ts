const exponents: Readonly<Record<string, number>> = { '': 0, k: 1, m: 2, g: 3, t: 4, p: 5 };

/**
 * Bytes of a size in binary units, as `max-buffer-size` and memory are given: `4m` is 4 MiB (go-units' RAMInBytes).
 * @returns undefined when `text` is none
 */
export function parseBinarySize(text: string): number | undefined {
  return sizeIn(1024, text);
}

/**
 * Bytes of a size in decimal units, as log options give it: `10m`, `1.5GB`, `100`.
 * @returns undefined when `text` is none
 */
export function parseSize(text: string): number | undefined {
  return sizeIn(1000, text);
}

function sizeIn(base: number, text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?) ?([kmgtp]?)i?b?$/i.exec(text.trim());
  const exponent = exponents[match?.[2]?.toLowerCase() ?? ''];
  if (!match || exponent === undefined) return undefined;
  return Math.trunc(Number(match[1]) * base ** exponent);
}
