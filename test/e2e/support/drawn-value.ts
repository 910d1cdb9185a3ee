/** A value as a drawing has it (docs/guide/kinds/README.md): some of it is named, some left out. */
export type DrawnValue =
  | { members: ReadonlyMap<string, DrawnValue>; hasMore: boolean }
  | { items: readonly DrawnValue[] }
  | { placeholder: string }
  | { text: string };

/** @throws Error for what is no value in the notation */
export function readDrawnValue(text: string): DrawnValue {
  const tokens = text.match(/"(?:[^"\\]|\\.)*"|<[\w ]+>|[{}[\],]|[^\s,{}[\]"<>]+/g) ?? [];
  const value = readValue(tokens);
  if (tokens.length > 0) throw new Error(`there is more than one value in '${text}'`);
  return value;
}

function readValue(tokens: string[]): DrawnValue {
  const token = tokens.shift();
  if (token === undefined) throw new Error('a drawn value ends too early');
  if (token === '{') return readMembers(tokens);
  if (token === '[') {
    const items: DrawnValue[] = [];
    while (!closes(tokens, ']')) items.push(readValue(tokens));
    return { items };
  }
  return token.startsWith('<') ? { placeholder: token } : { text: token };
}

function readMembers(tokens: string[]): DrawnValue {
  const members = new Map<string, DrawnValue>();
  let hasMore = false;
  while (!closes(tokens, '}')) {
    const token = tokens.shift() ?? '';
    if (token === '…') hasMore = true;
    else if (token.endsWith(':')) members.set(token.slice(0, -1), readValue(tokens));
    else throw new Error(`'${token}' is no member of a drawn value`);
  }
  return { members, hasMore };
}

/** Takes a comma, or the end. */
function closes(tokens: string[], end: string): boolean {
  if (tokens.length === 0) throw new Error(`a drawn value has no ${end}`);
  if (tokens[0] === ',') tokens.shift();
  if (tokens[0] !== end) return false;
  tokens.shift();
  return true;
}

/** @param bind says whether a placeholder may stand for what is there */
export function fits(
  drawn: DrawnValue,
  value: unknown,
  bind: (placeholder: string, value: string) => boolean,
): boolean {
  if ('placeholder' in drawn) return bind(drawn.placeholder, shown(value));
  if ('text' in drawn) return drawn.text === '…' || drawn.text === shown(value);
  if ('items' in drawn) {
    if (!Array.isArray(value) || value.length !== drawn.items.length) return false;
    return drawn.items.every((item, at) => fits(item, value[at], bind));
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const there = new Map(Object.entries(value));
  if (!drawn.hasMore && there.size !== drawn.members.size) return false;
  return [...drawn.members].every(([name, inner]) => there.has(name) && fits(inner, there.get(name), bind));
}

/** JSON as drawings have it: without needless quotation marks. */
export function shown(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(shown).join(', ')}]`;
  if (typeof value === 'object' && value !== null) {
    const members = Object.entries(value).map(([name, inner]) => `${name}: ${shown(inner)}`);
    return `{${members.join(', ')}}`;
  }
  return typeof value === 'string' && /^[^\s,{}[\]"<>]+$/.test(value) ? value : JSON.stringify(value);
}
