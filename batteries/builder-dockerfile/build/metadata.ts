import { posix } from 'node:path';
import { goDuration } from '@cleat/protocol/go-duration';
import { expandWord, expandWords } from '../language/expand.js';
import { fault } from '../language/fault.js';
import type { CommandLine, Instruction } from '../language/instruction.js';
import { stageArgument, type Variables } from '../plan/arguments.js';
import { exposed } from './ports.js';
import { type State, setEnv } from './state.js';

/** Facts that instructions need beside the state. */
export interface Scope {
  readonly buildArgs: Readonly<Record<string, string>>;
  readonly globals: Variables;
  readonly escape: string;
}

/** Instructions that change nothing but the configuration. */
export type Metadata = Exclude<Instruction, { name: 'RUN' | 'COPY' | 'ADD' | 'WORKDIR' }>;

/** The comment of all entries of the history, as BuildKit's. */
export const historyComment = 'buildkit.dockerfile.v0';

/** The history of it is BuildKit's: clients and scanners know that. */
export function note(state: State, created_by: string, more: { created?: string; empty_layer?: boolean } = {}): void {
  state.history.push({ created_by, comment: historyComment, ...more });
}

/** Does what an instruction says, with a line of history. @throws DockerfileFault */
export function applyMetadata(state: State, instruction: Metadata, scope: Scope): void {
  const said = change(state, instruction, scope);
  // A trigger is no step of the image's own history.
  if (said !== undefined) note(state, said, { empty_layer: true });
}

/** @returns what the history says of it */
function change(state: State, instruction: Metadata, scope: Scope): string | undefined {
  const { config } = state;
  const expand = (text: string) => expandIn(state, text, scope.escape);
  switch (instruction.name) {
    case 'ARG': {
      const said = instruction.args.map((declared) => {
        const value = stageArgument(declared, { ...scope, expand });
        if (value !== undefined && declared.key !== 'SOURCE_DATE_EPOCH') state.variables.set(declared.key, value);
        state.args.set(declared.key, value);
        return value === undefined ? declared.key : `${declared.key}=${value}`;
      });
      return `ARG ${said.join(' ')}`;
    }
    case 'ENV': {
      const pairs = instruction.pairs.map(({ key, value }) => [expand(key), expand(value)] as const);
      for (const [key, value] of pairs) setEnv(state, key, value);
      return `ENV ${pairs.map((pair) => pair.join('=')).join(' ')}`;
    }
    case 'LABEL': {
      const pairs = instruction.pairs.map(({ key, value }) => [expand(key), expand(value)] as const);
      config.Labels = { ...config.Labels, ...Object.fromEntries(pairs) };
      return `LABEL ${pairs.map((pair) => pair.join('=')).join(' ')}`;
    }
    case 'CMD':
      config.Cmd = inShell(state, instruction.command);
      state.hasCmd = true;
      return `CMD ${goList(config.Cmd)}`;
    case 'ENTRYPOINT': {
      const { command } = instruction;
      config.Entrypoint = inShell(state, command);
      if (config.Entrypoint.length === 0) delete config.Entrypoint;
      if (!state.hasCmd) delete config.Cmd;
      return `ENTRYPOINT ${goList(config.Entrypoint ?? [])}`;
    }
    case 'EXPOSE': {
      const texts = instruction.ports.flatMap((port) =>
        expandWords(port, (name) => state.variables.get(name), { escape: scope.escape }),
      );
      const ports = texts.flatMap(exposed);
      config.ExposedPorts = { ...config.ExposedPorts, ...Object.fromEntries(ports.map((port) => [port, {}])) };
      return `EXPOSE map[${ports
        .toSorted()
        .map((port) => `${port}:{}`)
        .join(' ')}]`;
    }
    case 'HEALTHCHECK':
      config.Healthcheck = instruction.check;
      return `HEALTHCHECK ${goHealthcheck(instruction.check)}`;
    case 'MAINTAINER':
      state.author = instruction.value;
      return `MAINTAINER ${instruction.value}`;
    case 'ONBUILD':
      config.OnBuild = [...(config.OnBuild ?? []), instruction.trigger];
      return undefined;
    case 'SHELL':
      config.Shell = [...instruction.shell];
      return `SHELL [${instruction.shell.join(' ')}]`;
    case 'STOPSIGNAL':
      config.StopSignal = signalOf(expand(instruction.value));
      return `STOPSIGNAL ${config.StopSignal}`;
    case 'USER':
      config.User = expand(instruction.value);
      return `USER ${config.User}`;
    case 'VOLUME': {
      const volumes = instruction.volumes.map(expand);
      if (volumes.includes('')) throw fault('VOLUME specified can not be an empty string');
      config.Volumes = { ...config.Volumes, ...Object.fromEntries(volumes.map((one) => [one, {}])) };
      return `VOLUME [${volumes.join(' ')}]`;
    }
  }
}

export function expandIn(state: State, text: string, escapeToken: string): string {
  return expandWord(text, (name) => state.variables.get(name), { escape: escapeToken });
}

/** Sets the working directory. @returns what it is now */
export function applyWorkdir(state: State, text: string, scope: Scope): string {
  const given = expandIn(state, text, scope.escape);
  if (given === '') throw fault('cannot normalize nothing');
  const directory = withoutSlash(posix.join('/', given.startsWith('/') ? '' : (state.config.WorkingDir ?? ''), given));
  state.config.WorkingDir = directory;
  return directory;
}

function withoutSlash(path: string): string {
  return path.length > 1 ? path.replace(/\/+$/, '') : path;
}

/** The words of a command; in shell form those of the shell, and the text. */
export function inShell(state: State, command: CommandLine): string[] {
  if ('list' in command) return [...command.list];
  if (command.text === '') return [];
  return [...(state.config.Shell ?? ['/bin/sh', '-c']), command.text];
}

/** A number, or a name with or without `SIG`. @throws DockerfileFault */
function signalOf(text: string): string {
  const names =
    /^(SIG)?(HUP|INT|QUIT|ILL|TRAP|ABRT|IOT|BUS|FPE|KILL|USR1|SEGV|USR2|PIPE|ALRM|TERM|STKFLT|CHLD|CLD|CONT|STOP|TSTP|TTIN|TTOU|URG|XCPU|XFSZ|VTALRM|PROF|WINCH|IO|POLL|PWR|SYS|UNUSED|RTM(IN(\+([1-9]|1[0-5]))?|AX(-([1-9]|1[0-4]))?))$/;
  if (/^\d+$/.test(text) ? Number(text) > 0 && Number(text) <= 64 : names.test(text.toUpperCase())) return text;
  throw fault(`invalid signal: ${text}`);
}

/** As Go prints a list of texts with `%q`. */
function goList(list: readonly string[]): string {
  return `[${list.map((one) => JSON.stringify(one)).join(' ')}]`;
}

/** As Go prints the struct with `%+v`. */
function goHealthcheck(check: Extract<Instruction, { name: 'HEALTHCHECK' }>['check']): string {
  const time = (nanos: number | undefined) => goDuration(nanos ?? 0);
  const parts = [
    `Test:[${check.Test.join(' ')}]`,
    `Interval:${time(check.Interval)}`,
    `Timeout:${time(check.Timeout)}`,
    `StartPeriod:${time(check.StartPeriod)}`,
    `StartInterval:${time(check.StartInterval)}`,
    `Retries:${check.Retries ?? 0}`,
  ];
  return `{${parts.join(' ')}}`;
}
