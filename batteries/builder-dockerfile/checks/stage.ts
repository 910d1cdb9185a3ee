import { posix } from 'node:path';
import { Patterns } from '../files/patterns.js';
import type { Dockerfile } from '../language/dockerfile.js';
import type { Instruction, Stage } from '../language/instruction.js';
import { readMount } from '../language/run-mounts.js';
import { stageArgument, type Variables } from '../plan/arguments.js';
import type { Findings } from './findings.js';
import { expanded, meant } from './from.js';

/** A stage as far as its instructions have been looked at. */
export interface Walk {
  /** Variables of the image, and arguments. */
  readonly values: Map<string, string>;
  /** Arguments that were declared, with a value or without. */
  readonly args: Set<string>;
  /** The variables of the base are among the values. */
  readonly isKnown: boolean;
  /** The image has a shell of its own. */
  hasShell: boolean;
}

export interface StageOptions {
  readonly buildArgs: Readonly<Record<string, string>>;
  readonly globals: Variables;
  readonly ignored: Patterns | undefined;
}

/** Patterns of `.dockerignore`; undefined where names alone do not decide. @throws DockerfileFault */
export function ignoredBy(lines: readonly string[] | undefined): Patterns | undefined {
  const patterns = new Patterns(lines ?? []);
  return patterns.isEmpty || patterns.takesBack ? undefined : patterns;
}

/** Checks what the instructions of a stage do. Afterwards `walk` is at its end. @throws DockerfileFault */
export function checkStage(
  dockerfile: Dockerfile,
  stage: Stage,
  findings: Findings,
  walk: Walk,
  options: StageOptions,
): void {
  const once = new Map<string, number>();
  let isPlaced = false;
  for (const one of stage.instructions) {
    const { line, name } = one;
    const written = dockerfile.writing.get(line)?.command ?? name;
    const word = wordsOf(dockerfile, line, findings, walk);
    switch (one.name) {
      case 'CMD':
      case 'ENTRYPOINT':
        checkOnce(findings, once, one, written);
        if ('text' in one.command && !walk.hasShell) {
          const text = `JSON arguments recommended for ${written} to prevent unintended behavior related to OS signals`;
          findings.add('JSONArgsRecommended', line, text);
        }
        break;
      case 'HEALTHCHECK':
        checkOnce(findings, once, one, written);
        break;
      case 'SHELL':
        walk.hasShell = true;
        break;
      case 'ENV': {
        const pairs = one.pairs.map(({ key, value }) => [word(key), word(value)] as const);
        checkPairs(findings, one, written);
        for (const [key, value] of pairs) {
          checkSecret(findings, line, 'ENV', key);
          walk.values.set(key, value);
        }
        break;
      }
      case 'LABEL':
        for (const { key, value } of one.pairs) [key, value].map((text) => word(text));
        checkPairs(findings, one, written);
        break;
      case 'ARG':
        for (const declared of one.args) {
          checkSecret(findings, line, 'ARG', declared.key);
          const value = stageArgument(declared, { ...options, expand: (text) => word(text) });
          if (value !== undefined) walk.values.set(declared.key, value);
          walk.args.add(declared.key);
        }
        break;
      case 'WORKDIR': {
        const path = word(one.value);
        if (!isPlaced && !path.startsWith('/') && isWhole(one.value, walk)) {
          const text = `Relative workdir ${JSON.stringify(path)} can have unexpected results if the base image changes`;
          findings.add('WorkdirRelativePath', line, text);
        }
        isPlaced = true;
        break;
      }
      case 'USER':
      case 'STOPSIGNAL':
        word(one.value);
        break;
      case 'VOLUME':
        for (const volume of one.volumes) word(volume);
        break;
      case 'RUN':
        for (const mount of one.mounts) readMount(mount, (text) => word(text));
        break;
      case 'EXPOSE':
        checkPorts(dockerfile, one, findings, walk);
        break;
      case 'COPY':
      case 'ADD':
        checkCopy(one, findings, walk, word, options.ignored);
        break;
      default:
        break;
    }
  }
}

type Words = (text: string, noQuotes?: boolean) => string;

/** Replaces variables, and tells of those that nobody has defined, once for each place. */
function wordsOf({ directives }: Dockerfile, line: number, findings: Findings, { values, args, isKnown }: Walk): Words {
  return (text, noQuotes = false) => {
    const options = { escape: noQuotes ? '\\' : directives.escape, noQuotes };
    const { text: word, unknown } = expanded(text, values, options);
    for (const name of isKnown ? unknown : []) {
      if (findings.isFull) break;
      if (args.has(name)) continue;
      findings.add('UndefinedVar', line, `Usage of undefined variable '$${name}'${meant(name, values, '$')}`);
    }
    return word;
  };
}

/** Whether all variables of a text are known; what they stand for cannot be judged otherwise. */
function isWhole(text: string, { values, args, isKnown }: Walk): boolean {
  return isKnown || [...expanded(text, values).unknown].every((name) => args.has(name));
}

function checkOnce(findings: Findings, once: Map<string, number>, one: Instruction, written: string): void {
  const before = once.get(one.name);
  once.set(one.name, one.line);
  if (before === undefined) return;
  const text = `Multiple ${written} instructions should not be used in the same stage because only the last one will be used`;
  // The one before it is in vain.
  findings.add('MultipleInstructionsDisallowed', before, text);
}

function checkPairs(
  findings: Findings,
  { pairs, line }: Extract<Instruction, { name: 'ENV' | 'LABEL' }>,
  written: string,
): void {
  if (!pairs.some(({ legacy }) => legacy)) return;
  const text = `"${written} key=value" should be used instead of legacy "${written} key value" format`;
  findings.add('LegacyKeyValueFormat', line, text);
}

/** Whole, first or last words of names, in any case. */
const secret = /(?:_|^)(?:apikey|auth|credentials?|key|password|pword|passwd|secret|token)(?:_|$)/i;
const harmless = /(?:_|^)(?:public|file|version)(?:_|$)/i;

function checkSecret(findings: Findings, line: number, instruction: 'ARG' | 'ENV', key: string): void {
  if (!secret.test(key) || harmless.test(key)) return;
  const text = `Do not use ARG or ENV instructions for sensitive data (${instruction} ${JSON.stringify(key)})`;
  findings.add('SecretsUsedInArgOrEnv', line, text);
}

function checkPorts(
  { directives }: Dockerfile,
  { ports, line }: Extract<Instruction, { name: 'EXPOSE' }>,
  findings: Findings,
  { values }: Walk,
): void {
  // Undefined variables of EXPOSE are nobody's business, as in BuildKit.
  const words = ports.flatMap((text) => expanded(text, values, { escape: directives.escape }).text.split(/\s+/));
  for (const port of words) {
    const [, protocol = ''] = port.split('/');
    if (protocol !== protocol.toLowerCase()) {
      findings.add('ExposeProtoCasing', line, `Defined protocol '${port}' in EXPOSE instruction should be lowercase`);
    }
    if (port.includes(':')) {
      const text = `EXPOSE instruction should not define an IP address or host-port mapping, found '${port}'`;
      findings.add('ExposeInvalidFormat', line, text);
    }
  }
}

function checkCopy(
  one: Extract<Instruction, { name: 'ADD' | 'COPY' }>,
  findings: Findings,
  walk: Walk,
  word: Words,
  ignored: Patterns | undefined,
): void {
  const { name, chown = '', chmod = '', sources, target, inline, line } = one;
  for (const text of [chown, chmod, ...(name === 'ADD' ? [one.checksum ?? ''] : [])]) word(text);
  const paths = sources.map((source) => [source, word(source)] as const);
  word(target);
  for (const { content, expand } of inline) if (expand) word(content, true);
  if (!ignored || (name === 'COPY' && one.from !== undefined)) return;
  for (const [source, given] of paths) {
    if (!isWhole(source, walk) || /^(https?:|git@|ssh:|git:)/.test(given)) continue;
    const path = posix.normalize(given).replace(/(?<=.)\/$/, '');
    const relative = path.replace(/^\//, '');
    // The context itself is ignored only where all of it is.
    const isIgnored = ['', '.'].includes(relative)
      ? ignored.matches('x') && ignored.matches('.x')
      : ignored.matches(relative);
    if (!isIgnored) continue;
    const text = `Attempting to ${name === 'COPY' ? 'Copy' : 'Add'} file ${JSON.stringify(path)} that is excluded by .dockerignore`;
    findings.add('CopyIgnoredFile', line, text);
  }
}
