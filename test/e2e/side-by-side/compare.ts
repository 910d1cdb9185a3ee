/** An answer of one engine. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

/** Headers that say something to clients; the others are the connection's business. */
const compared = ['content-type', 'api-version', 'ostype', 'docker-experimental', 'swarm', 'cache-control', 'pragma'];
/** Present or not. */
const present = ['x-docker-container-path-stat', 'builder-version', 'server'];

/**
 * Every difference of two answers in status, headers, shape of the body, and words of an error. The first is the stock
 * engine's.
 */
export function differences(stock: Answer, cleat: Answer): string[] {
  const found: string[] = [];
  const differ = (what: string, a: unknown, b: unknown) => {
    if (a !== b) found.push(`${what}: ${String(a)} → ${String(b)}`);
  };
  differ('status', stock.status, cleat.status);
  for (const name of compared) differ(`header ${name}`, stock.headers[name], cleat.headers[name]);
  for (const name of present) differ(`header ${name}`, name in stock.headers, name in cleat.headers);
  if (stock.status < 400) {
    const alike = stock.status === cleat.status;
    return alike ? [...found, ...shapes('', parsed(stock.body), parsed(cleat.body))] : found;
  }
  // Newer engines begin their messages with a small letter.
  if (cleat.status >= 400 && wordsOf(stock).toLowerCase() !== wordsOf(cleat).toLowerCase()) {
    differ('message', wordsOf(stock), wordsOf(cleat));
  }
  return found;
}

/** An error's message; what is another one each time is taken out. */
function wordsOf({ body }: Answer): string {
  const value = parsed(body);
  const message = value !== null && typeof value === 'object' && 'message' in value ? String(value.message) : body;
  return (
    message
      .trim()
      // The stock engine's network has no loopback.
      .replaceAll('network is unreachable', 'connection refused')
      .replaceAll(/[0-9a-f]{64}/g, 'ID')
      .replaceAll(/\b[0-9a-f]{12}\b/g, 'SHORT')
  );
}

/** The first value of a stream, too; text that is no JSON says only that it is some. */
function parsed(body: string): unknown {
  for (const text of [body, body.split('\n')[0] ?? '']) {
    try {
      return JSON.parse(text) as unknown;
    } catch {
      // Try the next.
    }
  }
  return body === '' ? '' : 'text';
}

/** Maps whose keys are a user's or an engine's: only what is in both is looked into. */
const maps =
  /(Labels|Networks|Containers|Options|Ports|ExposedPorts|Volumes|Runtimes|Details|Config\.Config|stats|networks|IndexConfigs|PortBindings|GraphDriver\.Data|DriverStatus)$/;

function shapes(path: string, a: unknown, b: unknown): string[] {
  const [kindA, kindB] = [kindOf(a), kindOf(b)];
  if (kindA !== kindB) return [`${path || 'body'}: ${kindA} → ${kindB}`];
  if (Array.isArray(a) && Array.isArray(b)) {
    return a.length > 0 && b.length > 0 ? shapes(`${path}[]`, merged(a), merged(b)) : [];
  }
  if (!isObject(a) || !isObject(b)) return [];
  const both = Object.keys(a).filter((key) => key in b);
  const found = both.flatMap((key) => shapes(path ? `${path}.${key}` : key, a[key], b[key]));
  if (maps.test(path)) return found;
  const only = (one: object, other: object, arrow: string) =>
    Object.keys(one)
      .filter((key) => !(key in other))
      .map((key) => `${path ? `${path}.` : ''}${key}: ${arrow}`);
  return [...found, ...only(a, b, 'there → missing'), ...only(b, a, 'missing → there')];
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  value !== null && typeof value === 'object' && !Array.isArray(value);

/** Elements of a list that are objects, as one: what any of them has. */
function merged(list: readonly unknown[]): unknown {
  return list.every(isObject) ? Object.assign({}, ...list) : list[0];
}

function kindOf(value: unknown): string {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'list' : typeof value;
}
