const words = {
  true: ['1', 't', 'T', 'true', 'TRUE', 'True'],
  false: ['0', 'f', 'F', 'false', 'FALSE', 'False'],
} as const satisfies Record<string, readonly string[]>;

/** A truth value as Go's `strconv.ParseBool` reads it; undefined for anything else. */
export function goBool(text: string): boolean | undefined {
  if ((words.true as readonly string[]).includes(text)) return true;
  return (words.false as readonly string[]).includes(text) ? false : undefined;
}

/** The words of its error. */
export const goBoolError = (text: string): string =>
  `strconv.ParseBool: parsing ${JSON.stringify(text)}: invalid syntax`;
