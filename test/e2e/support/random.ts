/** Deterministic: what fails once fails again. */
export function randomFrom(seed: number): <T>(values: readonly [T, ...T[]]) => T {
  let state = seed;
  return (values) => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
    return values[(state >> 8) % values.length] ?? values[0];
  };
}
