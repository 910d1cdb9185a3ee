import { parseBinarySize } from '@cleat/protocol/size';
import { didYouMean, fault } from './fault.js';
import { csvFields } from './words.js';

const types = ['bind', 'cache', 'tmpfs', 'secret', 'ssh'] as const;
const sharings = ['shared', 'private', 'locked'] as const;

/** One `RUN --mount=…`. */
export interface RunMount {
  readonly type: (typeof types)[number];
  /** A stage, a named context or an image; the context where it is missing. */
  readonly from?: string;
  readonly source?: string;
  readonly target?: string;
  readonly readOnly: boolean;
  /** Bytes of a tmpfs. */
  readonly size?: number;
  readonly id?: string;
  readonly sharing: (typeof sharings)[number];
  readonly required: boolean;
  /** A secret as a variable: its name, or empty for that of the secret. */
  readonly env?: string;
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
}

const keys = [
  ...['type', 'from', 'source', 'target', 'readonly', 'id', 'sharing', 'required', 'size', 'mode', 'uid', 'gid'],
  ...['src', 'dst', 'destination', 'ro', 'rw', 'readwrite', 'env'],
];

/** Other names of keys. */
const sameAs: Readonly<Record<string, string>> = {
  src: 'source',
  dst: 'target',
  destination: 'target',
  ro: 'readonly',
  rw: 'readwrite',
};

/**
 * Reads the value of `--mount` (BuildKit `instructions/commands_runmount.go`).
 * @param expand replaces variables in values; `from` and `type` have none @throws DockerfileFault
 */
export function readMount(text: string, expand: (value: string) => string): RunMount {
  const given = new Map<string, { field: string; key: string; value: string | undefined }>();
  for (const field of csvFields(text)) {
    const at = field.indexOf('=');
    const key = (at < 0 ? field : field.slice(0, at)).toLowerCase();
    const canBeAlone = ['readonly', 'ro', 'readwrite', 'rw', 'required'].includes(key);
    if (at < 0 && !canBeAlone) throw fault(`invalid field '${field}' must be a key=value pair`);
    if (!keys.includes(key)) throw fault(`unexpected key '${key}' in '${field}'${didYouMean(key, keys)}`);
    const raw = at < 0 ? undefined : field.slice(at + 1);
    if (key === 'from' && raw !== undefined && /\$./.test(raw)) {
      throw fault(`'from' doesn't support variable expansion, define alias stage instead`);
    }
    given.set(sameAs[key] ?? key, { field, key, value: raw === undefined ? undefined : expand(raw) });
  }
  const value = (key: string) => given.get(key)?.value;

  const type = types.find((one) => one === (value('type')?.toLowerCase() ?? 'bind'));
  if (type === undefined) {
    const asked = value('type') ?? '';
    throw fault(`unsupported mount type ${JSON.stringify(asked)}${didYouMean(asked, types)}`);
  }
  const only = (key: string, ...fitting: (typeof types)[number][]) => {
    const one = given.get(key);
    if (one && !fitting.includes(type)) throw fault(`unexpected key '${one.key}' for mount type '${type}'`);
  };
  only('required', 'secret', 'ssh');
  only('size', 'tmpfs');
  for (const key of ['mode', 'uid', 'gid']) {
    if (given.has(key) && !['secret', 'ssh', 'cache'].includes(type)) {
      throw fault(`${key} not allowed for "${type}" type mounts`);
    }
  }
  if (given.has('env') && type !== 'secret') throw fault(`unexpected key 'env' for mount type '${type}'`);
  const flag = (key: string): boolean | undefined => {
    const one = given.get(key);
    return one && boolean(one.key, one.value);
  };
  const readOnly = flag('readonly');
  const readWrite = flag('readwrite');
  const sharing = value('sharing')?.toLowerCase();
  const known = sharings.find((one) => one === (sharing ?? 'shared'));
  if (known === undefined) {
    throw fault(`unsupported sharing value ${JSON.stringify(sharing)}${didYouMean(sharing ?? '', sharings)}`);
  }
  const size = value('size');
  const bytes = size === undefined ? undefined : parseBinarySize(size);
  if (size !== undefined && bytes === undefined) throw fault(`invalid value for size: ${size}`);
  const mount = {
    type,
    ...texts({ from: value('from'), source: value('source'), target: value('target'), id: value('id') }),
    readOnly: readOnly ?? (readWrite === undefined ? type !== 'cache' && type !== 'tmpfs' : !readWrite),
    ...(bytes !== undefined && { size: bytes }),
    sharing: known,
    required: flag('required') ?? false,
    ...(given.has('env') && { env: value('env') ?? '' }),
    ...numbers({ mode: value('mode'), uid: value('uid'), gid: value('gid') }),
  } satisfies RunMount;
  checkWhole(mount, sharing);
  return mount;
}

/** Where a mount's files come from, whatever its variables hold. @throws DockerfileFault */
export function mountOrigin(text: string): string | undefined {
  const field = csvFields(text).findLast((one) => /^from=/i.test(one));
  const from = field?.slice('from='.length);
  if (from !== undefined && /\$./.test(from)) {
    throw fault(`'from' doesn't support variable expansion, define alias stage instead`);
  }
  return from || undefined;
}

function checkWhole(mount: RunMount, sharing: string | undefined): void {
  const { type, from, source, target, id } = mount;
  if (type === 'secret') {
    if (from) throw fault('secret mount should not have a from');
    if (sharing) throw fault('secret mount should not define sharing');
    if (!source && !target && !id) throw fault('invalid secret mount. one of source, target required');
    if (source && id) throw fault("both source and id can't be set");
  }
  if (sharing && type !== 'cache') throw fault(`invalid cache sharing set for ${type} mount`);
}

function texts<K extends string>(given: Record<K, string | undefined>): { [N in K]?: string } {
  return Object.fromEntries(Object.entries(given).filter(([, text]) => text !== undefined)) as { [N in K]?: string };
}

function numbers(given: Record<'mode' | 'uid' | 'gid', string | undefined>): {
  mode?: number;
  uid?: number;
  gid?: number;
} {
  const read = Object.entries(given).flatMap(([key, text]): [string, number][] => {
    if (text === undefined) return [];
    const number = key === 'mode' ? (/^[0-7]+$/.test(text) ? Number.parseInt(text, 8) : Number.NaN) : decimal(text);
    if (!(number <= 2 ** 32 - 1)) throw fault(`invalid value ${text} for ${key}`);
    return [[key, number]];
  });
  return Object.fromEntries(read);
}

function decimal(text: string): number {
  return /^\d+$/.test(text) ? Number(text) : Number.NaN;
}

/** As Go's ParseBool. */
function boolean(key: string, value: string | undefined): boolean {
  if (value === undefined || ['1', 't', 'T', 'TRUE', 'true', 'True'].includes(value)) return true;
  if (['0', 'f', 'F', 'FALSE', 'false', 'False'].includes(value)) return false;
  throw fault(`invalid value for ${key}: ${value}`);
}
