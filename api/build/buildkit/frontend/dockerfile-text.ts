/** Things that a Dockerfile names and only the client has; all of them are asked for before the build. */
export interface Needs {
  readonly secrets: readonly string[];
  readonly agents: readonly string[];
  /** Hosts of registries, `docker.io` included. */
  readonly registries: readonly string[];
}

const maxNames = 100;
/** No name is longer; values that are would only grow where they are put together. */
const maxWord = 4096;

/**
 * Looks for secrets, agents and images in the text, without understanding it: what is asked for in vain does no harm, and
 * the builder, which understands it, says what is missing.
 */
export function needsOf(dockerfile: string, args: Readonly<Record<string, string>>, images: readonly string[]): Needs {
  const text = dockerfile.replace(/[\\`]\r?\n/g, ' ');
  const known: Record<string, string> = {};
  // Blanks of one line only: runs of empty lines, looked through from each of them, would take for ever.
  for (const [, name = '', value = ''] of text.matchAll(/^[ \t]*ARG[ \t]+(\w+)(?:=(\S*))?/gim)) {
    known[name] = args[name] ?? unquoted(value);
  }
  const values = { ...args, ...known };
  const shortValue = (name: string): string => {
    const value = values[name] ?? '';
    return value.length > maxWord ? '' : value;
  };
  const expand = (word: string): string =>
    word.length > maxWord
      ? ''
      : word.replace(
          /\$\{?(\w+)(?::?-([^}]*))?\}?/g,
          (_all, name: string, otherwise = '') => shortValue(name) || otherwise,
        );
  const secrets = new Set<string>();
  const agents = new Set<string>();
  const mounted: string[] = [];
  for (const [, mount = ''] of text.matchAll(/--mount=(\S+)/g)) {
    const options = new Map(
      expand(unquoted(mount))
        .split(',')
        .map((option) => [option.split('=')[0] ?? '', option.slice(option.indexOf('=') + 1)]),
    );
    const target = (options.get('target') ?? options.get('dst') ?? options.get('destination'))?.split('/').pop();
    if (options.get('type') === 'secret') secrets.add(options.get('id') ?? options.get('source') ?? target ?? '');
    if (options.get('type') === 'ssh') agents.add(options.get('id') ?? 'default');
    mounted.push(options.get('from') ?? '');
  }
  // A private repository over ssh.
  if (/^[ \t]*ADD[ \t].*(git@|ssh:\/\/)/im.test(text)) agents.add('default');
  const from = [...text.matchAll(/^[ \t]*FROM[ \t]+(?:--\S+[ \t]+)*(\S+)/gim), ...text.matchAll(/--from=(\S+)/g)];
  const references = [...from.map(([, word = '']) => expand(unquoted(word))), ...images];
  const registries = new Set([...references, ...mounted].map(registryOf).filter((host) => host !== undefined));
  const few = (names: Set<string>): string[] => [...names].filter((name) => name !== '').slice(0, maxNames);
  return { secrets: few(secrets), agents: few(agents), registries: few(registries) };
}

const unquoted = (word: string): string => word.replace(/^(["'])(.*)\1$/, '$2');

/** The host of a reference: the part before the first slash, where it looks like one. */
function registryOf(reference: string): string | undefined {
  if (reference === '' || reference === 'scratch' || !/^[\w./:@-]+$/.test(reference)) return undefined;
  const [first = '', ...rest] = reference.split('/');
  return rest.length > 0 && (/[.:]/.test(first) || first === 'localhost') ? first : 'docker.io';
}

/** The patterns of a `.dockerignore`, as moby's ignorefile reads them (moby/patternmatcher `ignorefile`). */
export function ignorePatterns(text: string): string[] {
  const patterns: string[] = [];
  for (const line of text.replace(/^\uFEFF/, '').split(/\r?\n/)) {
    if (line.startsWith('#')) continue;
    let pattern = line.trim();
    if (pattern === '') continue;
    const isException = pattern.startsWith('!');
    if (isException) pattern = pattern.slice(1).trim();
    if (pattern !== '') {
      pattern = cleaned(pattern);
      if (pattern.length > 1 && pattern.startsWith('/')) pattern = pattern.slice(1);
    }
    patterns.push(isException ? `!${pattern}` : pattern);
  }
  return patterns;
}

/** As Go's path.Clean. */
function cleaned(path: string): string {
  const isRooted = path.startsWith('/');
  const parts: string[] = [];
  for (const part of path.split('/')) {
    if (part === '' || part === '.') continue;
    if (part === '..' && parts.length > 0 && parts.at(-1) !== '..') parts.pop();
    else if (part !== '..' || !isRooted) parts.push(part);
  }
  return `${isRooted ? '/' : ''}${parts.join('/')}` || '.';
}
