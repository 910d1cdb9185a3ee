import { posix } from 'node:path';
import type { ContainerConfig } from '@cleat/protocol/api/container';
import { invalidParameter } from '@cleat/protocol/errors';
import { checkFields } from '../config-fields.js';
import { parseDuration } from '../time.js';

/**
 * Applies Dockerfile instructions (`--change` of import and commit) to a configuration; `config` is not changed.
 * @throws InvalidParameter for an instruction that is malformed or may not stand here
 */
export function applyChanges(config: ContainerConfig, changes: readonly string[]): ContainerConfig {
  const result = structuredClone(config);
  for (const line of changes.flatMap((change) => change.split('\n'))) {
    const match = /^\s*([A-Za-z]+)(?:\s+(.*))?$/s.exec(line);
    if (line.trim() === '' || line.trim().startsWith('#')) continue;
    const instruction = match?.[1]?.toUpperCase() ?? line.trim();
    const apply = instructions[instruction];
    if (!apply) throw invalidParameter(`${instruction} is not a valid change command`);
    apply(result, (match?.[2] ?? '').trim(), instruction);
  }
  checkFields(result);
  return result;
}

type Instruction = (config: ContainerConfig, value: string, name: string) => void;

const required = (value: string, name: string): string => {
  if (value === '') throw invalidParameter(`${name} requires at least one argument`);
  return value;
};

/** `["a", "b"]`, or a line for the shell. */
function command(config: ContainerConfig, value: string): string[] {
  const list = jsonList(value);
  if (list) return list;
  return value === '' ? [] : [...(config.Shell ?? ['/bin/sh', '-c']), value];
}

function jsonList(value: string): string[] | undefined {
  if (!value.startsWith('[')) return undefined;
  try {
    const parsed: unknown = JSON.parse(value);
    return Array.isArray(parsed) && parsed.every((item) => typeof item === 'string') ? parsed : undefined;
  } catch {
    // As in a Dockerfile: what is no JSON is a line for the shell.
    return undefined;
  }
}

/** Words of a line; quotes group and backslashes escape, as in a Dockerfile. */
function words(line: string): string[] {
  const found: string[] = [];
  for (const [word] of line.matchAll(/(?:"(?:\\.|[^"\\])*"|'[^']*'|\\.|[^\s"'\\])+/gs)) {
    found.push(
      word.replace(/"((?:\\.|[^"\\])*)"|'([^']*)'|\\(.)/gs, (_, double?: string, single?: string, plain?: string) =>
        double !== undefined ? double.replace(/\\(["\\$])/g, '$1') : (single ?? plain ?? ''),
      ),
    );
  }
  return found;
}

/** `a=1 b="2 3"`, or the old form `a 1`. */
function pairs(value: string, name: string): [string, string][] {
  const parts = words(required(value, name));
  if (!parts[0]?.includes('=')) {
    const [key = '', ...rest] = value.split(/\s+/);
    if (rest.length === 0) throw invalidParameter(`${name} must have two arguments`);
    return [[key, value.slice(key.length).trim()]];
  }
  return parts.map((part) => {
    const equals = part.indexOf('=');
    if (equals <= 0)
      throw invalidParameter(`Syntax error - can't find = in "${part}". Must be of the form: name=value`);
    return [part.slice(0, equals), part.slice(equals + 1)];
  });
}

const instructions: Readonly<Record<string, Instruction>> = {
  CMD: (config, value) => {
    config.Cmd = command(config, value);
  },
  ENTRYPOINT: (config, value) => {
    config.Entrypoint = command(config, value);
  },
  ENV: (config, value, name) => {
    for (const [key, text] of pairs(value, name)) {
      const rest = (config.Env ?? []).filter((entry) => !entry.startsWith(`${key}=`));
      config.Env = [...rest, `${key}=${text}`];
    }
  },
  LABEL: (config, value, name) => {
    config.Labels = { ...config.Labels, ...Object.fromEntries(pairs(value, name)) };
  },
  EXPOSE: (config, value, name) => {
    for (const port of words(required(value, name)).flatMap(exposedPorts)) {
      config.ExposedPorts = { ...config.ExposedPorts, [port]: {} };
    }
  },
  VOLUME: (config, value, name) => {
    for (const path of jsonList(value) ?? words(required(value, name))) {
      if (path.trim() === '') throw invalidParameter('VOLUME specified can not be an empty string');
      config.Volumes = { ...config.Volumes, [path]: {} };
    }
  },
  USER: (config, value, name) => {
    config.User = required(value, name);
  },
  WORKDIR: (config, value, name) => {
    config.WorkingDir = posix.resolve(config.WorkingDir || '/', required(value, name));
  },
  ONBUILD: (config, value, name) => {
    config.OnBuild = [...(config.OnBuild ?? []), required(value, name)];
  },
  STOPSIGNAL: (config, value, name) => {
    config.StopSignal = required(value, name);
  },
  HEALTHCHECK: (config, value, name) => {
    config.Healthcheck = healthcheck(required(value, name));
  },
};

function exposedPorts(text: string): string[] {
  const match = /^(\d+)(?:-(\d+))?(?:\/(tcp|udp|sctp))?$/i.exec(text);
  const first = Number(match?.[1]);
  const last = Number(match?.[2] ?? first);
  if (!match || first > last || last > 65535) throw invalidParameter(`invalid containerPort: ${text}`);
  const protocol = match[3]?.toLowerCase() ?? 'tcp';
  return Array.from({ length: last - first + 1 }, (_, offset) => `${first + offset}/${protocol}`);
}

function healthcheck(value: string): NonNullable<ContainerConfig['Healthcheck']> {
  const flags: Record<string, string> = {};
  let rest = value;
  for (let flag = /^--([a-z-]+)=(\S+)\s*/.exec(rest); flag; flag = /^--([a-z-]+)=(\S+)\s*/.exec(rest)) {
    flags[flag[1] ?? ''] = flag[2] ?? '';
    rest = rest.slice(flag[0].length);
  }
  const [, kind = '', test = ''] = /^(\S+)\s*(.*)$/s.exec(rest) ?? [];
  if (kind.toUpperCase() === 'NONE') return { Test: ['NONE'] };
  if (kind.toUpperCase() !== 'CMD' || test === '')
    throw invalidParameter(`Unknown type "${kind}" in HEALTHCHECK (try CMD)`);
  const duration = (name: string): number | undefined => {
    const text = flags[name];
    if (text === undefined) return undefined;
    const nanos = parseDuration(text);
    if (nanos === undefined) throw invalidParameter(`invalid duration "${text}" of --${name}`);
    return Number(nanos);
  };
  const list = jsonList(test);
  return {
    Test: list ? ['CMD', ...list] : ['CMD-SHELL', test],
    Interval: duration('interval'),
    Timeout: duration('timeout'),
    StartPeriod: duration('start-period'),
    StartInterval: duration('start-interval'),
    Retries: flags.retries === undefined ? undefined : Number.parseInt(flags.retries, 10),
  };
}
