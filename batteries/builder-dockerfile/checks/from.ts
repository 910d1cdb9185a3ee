import { nearest } from '@cleat/protocol/nearest';
import type { Dockerfile } from '../language/dockerfile.js';
import { expandWord } from '../language/expand.js';
import type { Stage } from '../language/instruction.js';
import { globalArguments, type Variables } from '../plan/arguments.js';
import { parsePlatform } from '../plan/platform.js';
import type { Findings } from './findings.js';

/** A word with its variables replaced, and which ones it has. */
export interface Expanded {
  readonly text: string;
  readonly known: ReadonlySet<string>;
  readonly unknown: ReadonlySet<string>;
}

/** @throws DockerfileFault */
export function expanded(
  text: string,
  values: Variables,
  options: { escape?: string; noQuotes?: boolean } = {},
): Expanded {
  const [known, unknown] = [new Set<string>(), new Set<string>()];
  const lookup = (name: string) => {
    const value = values.get(name);
    (value === undefined ? unknown : known).add(name);
    return value;
  };
  return { text: expandWord(text, lookup, options), known, unknown };
}

export interface FromOptions {
  /** Arguments that are there without an ARG. */
  readonly automatic: Variables;
  /** All that FROM sees. */
  readonly globals: Variables;
}

/** Checks of the bases of all stages. @throws DockerfileFault */
export function checkBases(dockerfile: Dockerfile, findings: Findings, { automatic, globals }: FromOptions): void {
  const { stages, directives } = dockerfile;
  const options = { escape: directives.escape };
  const defaults = globalArguments(dockerfile, automatic, {});
  for (const { base, line } of stages) {
    if (isReference(expanded(base, defaults, options).text)) continue;
    const text = `Default value for ARG ${base} results in empty or invalid base image name`;
    findings.add('InvalidDefaultArgInFrom', line, text);
  }
  const declared = new Set([
    ...globals.keys(),
    ...dockerfile.globals.flatMap(({ args }) => args.map(({ key }) => key)),
  ]);
  for (const stage of stages) {
    checkDeclared(findings, stage, expanded(stage.base, globals, options), declared);
    if (stage.platform === undefined) continue;
    const platform = expanded(stage.platform, globals, options);
    checkDeclared(findings, stage, platform, declared);
    checkPlatform(findings, stage, platform, globals);
  }
}

function checkDeclared(
  findings: Findings,
  { line }: Stage,
  { unknown }: Expanded,
  declared: ReadonlySet<string>,
): void {
  for (const name of unknown) {
    if (declared.has(name)) continue;
    findings.add('UndefinedArgInFrom', line, `FROM argument '${name}' is not declared${meant(name, declared)}`);
  }
}

/** Names that one is compared with, and letters of it. */
const maxKnown = 500;
const maxWord = 128;

/** ` (did you mean X?)`, for names that differ by two letters at most. */
export function meant(name: string, known: ReadonlySet<string> | ReadonlyMap<string, string>, prefix = ''): string {
  if (known.size > maxKnown || name.length > maxWord) return '';
  const near = nearest(name, [...known.keys()]);
  if (near === undefined || near === name || Math.abs(near.length - name.length) > 2) return '';
  return ` (did you mean ${prefix}${near}?)`;
}

function checkPlatform(
  findings: Findings,
  { name = '', platform = '', line }: Stage,
  { text, known, unknown }: Expanded,
  globals: Variables,
): void {
  if (known.size === 0 && unknown.size === 0) {
    const constant = platformOf(text);
    if (!constant || name.includes(constant.os) || name.includes(constant.architecture)) return;
    const what = `FROM --platform flag should not use constant value ${JSON.stringify(text)}`;
    findings.add('FromPlatformFlagConstDisallowed', line, what);
  } else if (known.size === 1 && unknown.size === 0 && known.has('TARGETPLATFORM')) {
    if (text !== globals.get('TARGETPLATFORM')) return;
    const what = `Setting platform to predefined ${platform} in FROM is redundant as this is the default behavior`;
    findings.add('RedundantTargetPlatform', line, what);
  }
}

function platformOf(text: string) {
  try {
    return parsePlatform(text);
  } catch {
    // The build will say so.
    return undefined;
  }
}

const maxReference = 4096;

/** Whether a registry may have it, as Docker reads references. */
function isReference(text: string): boolean {
  if (text.length > maxReference) return false;
  const name =
    /^(?:(?:[a-z0-9.-]+|\[[0-9a-f:]+\])(?::\d+)?\/)?[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*/i;
  const [found = ''] = name.exec(text) ?? [];
  const path =
    /^[^/]*[.:A-Z][^/]*\//.test(found) || found.startsWith('localhost/') ? found.replace(/^[^/]*\//, '') : found;
  const rest = text.slice(found.length);
  return found !== '' && path === path.toLowerCase() && /^(:\w[\w.-]{0,127})?(@[a-z0-9]+:[0-9a-f]{32,})?$/i.test(rest);
}
