/** Lines of the file as clients have them: protobuf's Location in JSON. */
export interface Location {
  readonly ranges: readonly { readonly start: { readonly line: number }; readonly end: { readonly line: number } }[];
}

export function locationOf(start: number, end: number): Location {
  return { ranges: [{ start: { line: start }, end: { line: end } }] };
}

/** Description of a name in a comment above its instruction: `# NAME what it is`. */
export function commentOn(name: string, comments: readonly string[] | undefined): string | undefined {
  const found = name === '' ? undefined : comments?.find((comment) => comment.startsWith(`${name} `));
  return found?.slice(name.length + 1);
}
