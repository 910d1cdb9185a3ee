import { dirname, resolve } from 'node:path';
import { readGivenFile } from '@cleat/linux/files/given';
import { CleatError, invalidParameter, messageOf } from '@cleat/protocol/errors';
import { parseDuration } from '@cleat/protocol/go-duration';
import type { HookMatch } from '@cleat/protocol/kinds/hook';
import { isWithin, type MemberPath, memberPathText, parseMemberPath } from '@cleat/protocol/member-path';
import { nearest } from '@cleat/protocol/nearest';
import { isMap, isScalar, isSeq, LineCounter, type Node, type Pair, parseDocument, type YAMLMap } from 'yaml';
import { checkMatch } from './match.js';
import { type PowerstripConfig, readAdapters } from './powerstrip/config.js';

/** One hook of the file. */
export interface HookEntry {
  /** The extension's, as users say it. */
  readonly name: string;
  /** Alternatives; absent: what the hook itself asks for. */
  readonly match?: readonly HookMatch[] | undefined;
  readonly deadlineMs: number;
  /** The fate of a request when the hook fails: `closed` refuses it, `open` lets it pass. */
  readonly onFailure: 'open' | 'closed';
  /** Where two hooks differ at one of these paths, or below, its value counts. */
  readonly wins: readonly MemberPath[];
}

export interface HooksConfig {
  readonly path: string;
  /** In the order in which they are asked. */
  readonly entries: readonly HookEntry[];
  /** Adapters of Powerstrip's protocol, which come before the hooks. */
  readonly powerstrip?: PowerstripConfig | undefined;
}

const defaultDeadlineMs = 5_000;
const longestDeadlineMs = 600_000;
const maxFileBytes = 1024 * 1024;
const maxHooks = 64;

/**
 * Reads the file of `--hooks`. What is not known is refused: a word that is misspelt must not leave a door open.
 * @throws InvalidParameter `FILE:LINE: …`
 */
export function readHooksFile(path: string): HooksConfig {
  return parseHooks(readText(path), path);
}

/** @param path for messages, and to find the file that this one names */
export function parseHooks(text: string, path: string): HooksConfig {
  const { document, file } = yamlOf(text, path);
  const top = document.contents;
  // A file that is just being written must not take all hooks away.
  if (top === null) throw invalidParameter(`${path}: it is empty; write "hooks: []" for none`);
  // An adapters.yml of Powerstrip's may stand here as it is.
  if (isMap(top) && top.has('endpoints')) return { path, entries: [], powerstrip: readAdapters(document.toJS(), path) };
  const { hooks, powerstrip } = file.members(top as Node, ['hooks', 'powerstrip']);
  const entries = hooks === undefined ? [] : file.list(hooks, 'hooks').map((node) => readEntry(file, node));
  if (entries.length > maxHooks) throw invalidParameter(`${path}: more than ${maxHooks} hooks`);
  checkNames(file, entries);
  const adapters = powerstrip && resolve(dirname(path), file.text(powerstrip, 'powerstrip'));
  return {
    path,
    entries: entries.map(({ entry }) => entry),
    ...(adapters && { powerstrip: readAdapters(yamlOf(readText(adapters), adapters).document.toJS(), adapters) }),
  };
}

function readText(path: string): string {
  try {
    return readGivenFile(path, maxFileBytes).toString();
  } catch (cause) {
    throw invalidParameter(`cannot read the file of hooks: ${messageOf(cause)}`, { cause });
  }
}

function yamlOf(text: string, path: string) {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: true, merge: false });
  for (const { code, pos, message } of document.errors) {
    const [said = ''] = message.split('\n', 1);
    const why =
      code === 'MULTIPLE_DOCS' ? 'it has more than one document' : said.replace(/ at line \d+, column \d+:?$/, '');
    throw invalidParameter(`${path}:${lines.linePos(pos[0]).line}: ${why}`);
  }
  return { document, file: new File(path, lines) };
}

interface Placed {
  readonly entry: HookEntry;
  readonly node: Node;
}

const keys = ['name', 'match', 'deadline', 'on-failure', 'wins'] as const;

function readEntry(file: File, node: Node): Placed {
  const given = file.members(node, keys);
  if (!given.name) throw file.wrong(node, 'a hook needs a name: that of its extension');
  const name = file.text(given.name, 'name');
  if (!/^[\w][\w./:@-]{0,254}$/.test(name)) throw file.wrong(given.name, `'${name}' is not the name of an extension`);
  const onFailure = given['on-failure'] ? file.text(given['on-failure'], 'on-failure') : 'closed';
  if (onFailure !== 'open' && onFailure !== 'closed') {
    throw file.wrong(given['on-failure'] ?? node, 'on-failure is open or closed');
  }
  const entry = {
    name,
    match: given.match && readMatches(file, given.match),
    deadlineMs: given.deadline ? readDeadline(file, given.deadline) : defaultDeadlineMs,
    onFailure,
    wins: given.wins ? file.list(given.wins, 'wins').map((one) => readPath(file, one)) : [],
  } as const;
  return { entry, node };
}

function readDeadline(file: File, node: Node): number {
  const text = file.text(node, 'deadline');
  const nanos = parseDuration(text);
  const ms = Number(nanos ?? 0n) / 1e6;
  if (!(ms >= 1 && ms <= longestDeadlineMs)) {
    throw file.wrong(node, `'${text}' is no deadline: write it as 500ms or 2s, up to 10m`);
  }
  return ms;
}

const matchKeys = ['methods', 'routes', 'labels', 'callers'] as const;
const callerKeys = ['users', 'groups', 'containers', 'plugins', 'methods'] as const;

function readMatches(file: File, node: Node): HookMatch[] {
  const matches = file.list(node, 'match').map((one) => readMatch(file, one));
  if (matches.length === 0)
    throw file.wrong(node, 'an empty match fits nothing: leave it out for all that the hook wants');
  return matches;
}

function readMatch(file: File, node: Node): HookMatch {
  const { methods, routes, labels, callers } = file.members(node, matchKeys);
  const match: HookMatch = {
    ...(methods && { Methods: file.texts(methods, 'methods') }),
    ...(routes && { Routes: file.texts(routes, 'routes') }),
    ...(labels && { Labels: file.texts(labels, 'labels') }),
    ...(callers && { Callers: readCallers(file, callers) }),
  };
  try {
    checkMatch(match);
  } catch (error) {
    throw file.wrong(node, messageOf(error));
  }
  return match;
}

function readCallers(file: File, node: Node): HookMatch['Callers'] {
  const given = file.members(node, callerKeys);
  const texts = (key: (typeof callerKeys)[number]) => given[key] && file.texts(given[key], key);
  const [users, groups, containers, plugins, methods] = callerKeys.map(texts);
  return {
    ...(users && { Users: users }),
    ...(groups && { Groups: groups }),
    ...(containers && { Containers: containers }),
    ...(plugins && { Plugins: plugins }),
    ...(methods && { Methods: methods }),
  };
}

function readPath(file: File, node: Node): MemberPath {
  let path: MemberPath;
  try {
    path = parseMemberPath(file.text(node, 'wins'));
  } catch (error) {
    if (error instanceof CleatError && error.message.startsWith(file.path)) throw error;
    throw file.wrong(node, messageOf(error));
  }
  if (!['Body', 'Query', 'Headers', 'Status'].includes(String(path[0]))) {
    throw file.wrong(node, 'a path begins with Body, Query, Headers or Status');
  }
  if (path.some((part) => typeof part === 'number')) throw file.wrong(node, 'wins names no places in lists');
  return path;
}

/** Two that both win would be a matter of order. */
function checkNames(file: File, all: readonly Placed[]): void {
  for (const [at, { entry, node }] of all.entries()) {
    for (const { entry: earlier } of all.slice(0, at)) {
      if (earlier.name === entry.name) throw file.wrong(node, `hook "${entry.name}" is named twice`);
      const shared = entry.wins.find((path) =>
        earlier.wins.some((other) => isWithin(path, other) || isWithin(other, path)),
      );
      if (!shared) continue;
      throw file.wrong(node, `"${earlier.name}" and "${entry.name}" both win ${memberPathText(shared)}`);
    }
  }
}

/** Nodes of the file, read strictly. */
class File {
  readonly path: string;
  readonly #lines: LineCounter;

  constructor(path: string, lines: LineCounter) {
    this.path = path;
    this.#lines = lines;
  }

  wrong(node: Node, why: string): CleatError {
    return invalidParameter(`${this.path}:${this.#lines.linePos(node.range?.[0] ?? 0).line}: ${why}`);
  }

  members<const K extends string>(node: Node, known: readonly K[]): Partial<Record<K, Node>> {
    if (!isMap(node)) throw this.wrong(node, `expected an object with ${known.join(', ')}`);
    const found: Partial<Record<K, Node>> = {};
    for (const { key, value } of (node as YAMLMap<Node, Node | null>).items as Pair<Node, Node | null>[]) {
      const text = isScalar(key) ? String(key.value) : '';
      const name = known.find((one) => one === text);
      if (name === undefined) {
        const near = nearest(text, [...known]);
        const hint = near === undefined ? `${known.join(', ')} are known` : `did you mean ${near}?`;
        throw this.wrong(key, `there is no setting "${text}" here (${hint})`);
      }
      if (value === null || (isScalar(value) && value.value === null)) throw this.wrong(key, `${text} has no value`);
      found[name] = value;
    }
    return found;
  }

  list(node: Node, what: string): Node[] {
    if (!isSeq(node)) throw this.wrong(node, `${what} is a list`);
    return node.items as Node[];
  }

  text(node: Node, what: string): string {
    const value: unknown = isScalar(node) ? node.value : undefined;
    if (typeof value === 'string' || typeof value === 'number') return String(value);
    throw this.wrong(node, `${what} is a text`);
  }

  /** One text, or a list of them. */
  texts(node: Node, what: string): string[] {
    return isSeq(node) ? (node.items as Node[]).map((one) => this.text(one, what)) : [this.text(node, what)];
  }
}
