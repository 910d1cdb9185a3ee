import { posix } from 'node:path';
import type { ContainerConfig } from '@cleat/protocol/api/container';
import { invalidParameter } from '@cleat/protocol/errors';
import { checkFields, volumeDestination } from '../../config-fields.js';
import { parseSignal } from '../../signals.js';
import { flagValues, jsonList, listOf, oneOf, pairsOf } from './arguments.js';
import { healthcheckOf } from './healthcheck.js';
import { type Line, linesOf, splitLine } from './lines.js';
import { exposedPorts } from './ports.js';
import { expandWord, expandWords, type Variables, variablesOf } from './shell-words.js';

/**
 * Applies Dockerfile instructions (`--change` of import and commit) to a configuration, as a build would (moby
 * `daemon/builder/dockerfile`, BuildFromConfig); `config` is not changed. All are understood before one is applied.
 * @throws InvalidParameter for an instruction that is malformed or may not stand here
 */
export function applyChanges(config: ContainerConfig, changes: readonly string[]): ContainerConfig {
  const state: State = { config: structuredClone(config), isCmdSet: false };
  if (changes.length === 0) return checked(state.config);
  const lines = linesOf(changes.join('\n'));
  // A malformed line of one instruction is told before an unknown name of another, as Docker does.
  for (const line of lines) instructions[line.name.toLowerCase()]?.check?.(line);
  const steps = lines.map((line) => {
    const instruction = instructions[line.name.toLowerCase()];
    if (!instruction) throw invalidParameter(`${line.name} is not a valid change command`);
    return instruction.read(line);
  });
  for (const step of steps) {
    // Expanded with what was there before the instruction, not with what it sets itself.
    const variables = variablesOf(state.config.Env ?? []);
    step(state, variables);
  }
  return checked(state.config);
}

function checked(config: ContainerConfig): ContainerConfig {
  checkFields(config);
  return config;
}

interface State {
  config: ContainerConfig;
  /** A `CMD` stands among the changes: an `ENTRYPOINT` then keeps it. */
  isCmdSet: boolean;
}

type Step = (state: State, variables: Variables) => void;

interface Instruction {
  /** The result of the first pass. */
  check?: (line: Line) => void;
  read: (line: Line) => Step;
}

/** `["a", "b"]` as it is, or a line for the shell. */
function commandOf({ rest, flags }: Line): (config: ContainerConfig) => string[] {
  flagValues(flags);
  const list = jsonList(rest);
  if (list) return () => list;
  return (config) => [...shellOf(config), ...(rest === '' ? [] : [rest])];
}

function shellOf({ Shell }: ContainerConfig): string[] {
  return Shell && Shell.length > 0 ? [Shell].flat() : ['/bin/sh', '-c'];
}

const checkList = ({ rest }: Line): void => void jsonList(rest);
const plain = (line: Line): string => {
  flagValues(line.flags);
  return oneOf(line.rest, line.name.toUpperCase());
};

const instructions: Readonly<Record<string, Instruction>> = {
  cmd: {
    check: checkList,
    read(line) {
      const command = commandOf(line);
      const isEmpty = (jsonList(line.rest) ?? line.rest).length === 0;
      return (state) => {
        state.config.Cmd = command(state.config);
        if (!isEmpty) state.isCmdSet = true;
      };
    },
  },
  entrypoint: {
    check: checkList,
    read(line) {
      const command = commandOf(line);
      const isEmpty = (jsonList(line.rest) ?? line.rest).length === 0;
      return (state) => {
        state.config.Entrypoint = isEmpty ? null : command(state.config);
        if (!state.isCmdSet) state.config.Cmd = null;
      };
    },
  },
  env: {
    check: ({ rest }) => void (rest !== '' && pairsOf(rest, 'ENV')),
    read({ rest, flags }) {
      flagValues(flags);
      const pairs = pairsOf(rest, 'ENV');
      return ({ config }, variables) => {
        const env = [...(config.Env ?? [])];
        for (const [key, value] of pairs) {
          const name = expandWord(key, variables);
          const entry = `${name}=${expandWord(value, variables)}`;
          const at = env.findIndex((other) => other.split('=', 1)[0] === name);
          if (at < 0) env.push(entry);
          else env[at] = entry;
        }
        config.Env = env;
      };
    },
  },
  label: {
    check: ({ rest }) => void (rest !== '' && pairsOf(rest, 'LABEL')),
    read({ rest, flags }) {
      flagValues(flags);
      const pairs = pairsOf(rest, 'LABEL');
      return ({ config }, variables) => {
        const added = pairs.map(([key, value]) => [expandWord(key, variables), expandWord(value, variables)]);
        config.Labels = { ...config.Labels, ...Object.fromEntries(added) };
      };
    },
  },
  expose: {
    read({ rest, flags }) {
      if (rest === '') throw invalidParameter('EXPOSE requires at least one argument');
      const words = rest.split(/[\t\v\f\r ]+/).sort();
      flagValues(flags);
      return ({ config }, variables) => {
        const ports = words.flatMap((word) => expandWords(word, variables)).flatMap(exposedPorts);
        config.ExposedPorts = { ...config.ExposedPorts, ...Object.fromEntries(ports.map((port) => [port, {}])) };
      };
    },
  },
  volume: {
    check: checkList,
    read({ rest, flags }) {
      const paths = listOf(rest, 'VOLUME').map((path) => path.trim());
      flagValues(flags);
      if (paths.includes('')) throw invalidParameter('VOLUME specified can not be an empty string');
      return ({ config }, variables) => {
        const added = paths.map((path) => [volumePath(expandWord(path, variables)), {}]);
        config.Volumes = { ...config.Volumes, ...Object.fromEntries(added) };
      };
    },
  },
  user: {
    read(line) {
      const user = plain(line);
      return ({ config }, variables) => {
        config.User = expandWord(user, variables);
      };
    },
  },
  workdir: {
    read(line) {
      const path = plain(line);
      return ({ config }, variables) => {
        const expanded = expandWord(path, variables);
        if (expanded === '') throw invalidParameter('cannot normalize nothing');
        config.WorkingDir = posix.resolve('/', config.WorkingDir ?? '', expanded);
      };
    },
  },
  stopsignal: {
    read({ rest }) {
      const signal = oneOf(rest, 'STOPSIGNAL');
      return ({ config }, variables) => {
        const expanded = expandWord(signal, variables);
        parseSignal(expanded);
        config.StopSignal = expanded;
      };
    },
  },
  healthcheck: {
    check: ({ rest }) => void jsonList(rest.replace(/^\S+\s*/u, '')),
    read(line) {
      const healthcheck = healthcheckOf(line);
      return ({ config }) => {
        config.Healthcheck = healthcheck;
      };
    },
  },
  onbuild: { check: checkTrigger, read: onbuild },
};

/** The instruction inside is kept as it is, but it must be one. */
function checkTrigger({ rest }: Line): void {
  const inner = splitLine(rest);
  instructions[inner.name.toLowerCase()]?.check?.(inner);
}

function onbuild({ rest, flags, original, documents }: Line): Step {
  if (rest === '') throw invalidParameter('ONBUILD requires at least one argument');
  flagValues(flags);
  const [trigger = ''] = rest.toUpperCase().split(/\s/u);
  if (trigger === 'ONBUILD') throw invalidParameter("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed");
  if (trigger === 'MAINTAINER' || trigger === 'FROM') {
    throw invalidParameter(`${trigger} isn't allowed as an ONBUILD trigger`);
  }
  const expression = [original.replace(/^\s*ONBUILD\s*/i, '')];
  for (const { name, content } of documents) expression.push(content + name);
  return ({ config }) => {
    config.OnBuild = [...(config.OnBuild ?? []), expression.join('\n')];
  };
}

/** A place in the container and nothing else: no host path, no mode. @throws InvalidParameter */
function volumePath(path: string): string {
  if (path === '') throw invalidParameter('VOLUME specified can not be an empty string');
  volumeDestination(path);
  return path;
}
