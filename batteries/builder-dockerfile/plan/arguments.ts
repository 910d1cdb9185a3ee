import type { Platform } from '../api/images.js';
import type { Dockerfile } from '../language/dockerfile.js';
import { expandWord, type Lookup } from '../language/expand.js';
import { atLine } from '../language/fault.js';
import { platformText } from './platform.js';

/** Values of variables, in the order in which they were set. */
export type Variables = ReadonlyMap<string, string>;

/** Arguments that are there without an ARG: they are for RUN, and leave no trace in the image or the cache. */
const proxies = ['HTTP_PROXY', 'HTTPS_PROXY', 'FTP_PROXY', 'NO_PROXY', 'ALL_PROXY'];

export function isProxy(name: string): boolean {
  return proxies.includes(name.toUpperCase());
}

/** Proxies that `--build-arg` names, in both ways of writing. */
export function proxyVariables(buildArgs: Readonly<Record<string, string>>): Record<string, string> {
  const found: Record<string, string> = {};
  for (const [name, value] of Object.entries(buildArgs)) {
    if (!isProxy(name)) continue;
    found[name.toUpperCase()] = value;
    found[name.toLowerCase()] = value;
  }
  return found;
}

/** BUILDPLATFORM, TARGETARCH and their like (BuildKit `dockerfile2llb/platform.go`). */
export function automaticArguments(build: Platform, target: Platform, stage: string): Map<string, string> {
  const of = (prefix: string, { os, architecture, variant }: Platform): [string, string][] => [
    [`${prefix}PLATFORM`, platformText({ os, architecture, ...(variant && { variant }) })],
    [`${prefix}OS`, os],
    [`${prefix}OSVERSION`, ''],
    [`${prefix}ARCH`, architecture],
    [`${prefix}VARIANT`, variant ?? ''],
  ];
  return new Map([...of('BUILD', build), ...of('TARGET', target), ['TARGETSTAGE', stage || 'default']]);
}

/**
 * Arguments before the first FROM, with the automatic ones: FROM sees these, and a stage takes those that it declares.
 * @throws DockerfileFault
 */
export function globalArguments(
  { globals, directives }: Pick<Dockerfile, 'globals' | 'directives'>,
  automatic: Variables,
  buildArgs: Readonly<Record<string, string>>,
): Map<string, string> {
  const values = new Map(automatic);
  for (const name of automatic.keys()) {
    const given = own(buildArgs, name);
    if (given !== undefined) values.set(name, given);
  }
  for (const { args, line } of globals) {
    atLine(line, () => {
      for (const { key, value } of args) {
        const given = own(buildArgs, key);
        const found = given ?? (value === undefined ? undefined : expand(value, values, directives.escape));
        if (found !== undefined) values.set(key, found);
      }
    });
  }
  return values;
}

/** The value of an ARG within a stage; undefined where it has none. */
export function stageArgument(
  declared: { key: string; value?: string },
  scope: {
    buildArgs: Readonly<Record<string, string>>;
    globals: Variables;
    expand: (text: string) => string;
  },
): string | undefined {
  const given = own(scope.buildArgs, declared.key);
  if (given !== undefined) return given;
  if (declared.value !== undefined) return scope.expand(declared.value);
  return scope.globals.get(declared.key);
}

/** Arguments that nobody declared: a build tells of them, as they change nothing. */
export function unusedArguments(buildArgs: Readonly<Record<string, string>>, declared: ReadonlySet<string>): string[] {
  return Object.keys(buildArgs).filter(
    (name) => !declared.has(name) && !isProxy(name) && !/^(BUILDKIT_|SOURCE_DATE_EPOCH$|BUILD|TARGET)/.test(name),
  );
}

export function expand(text: string, values: Variables, escapeToken: string): string {
  const lookup: Lookup = (name) => values.get(name);
  return expandWord(text, lookup, { escape: escapeToken });
}

function own(values: Readonly<Record<string, string>>, name: string): string | undefined {
  return Object.hasOwn(values, name) ? values[name] : undefined;
}
