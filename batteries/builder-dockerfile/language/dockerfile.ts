import { messageOf } from '@cleat/protocol/errors';
import { atLine, DockerfileFault, didYouMean, fault } from './fault.js';
import { readFlags } from './flags.js';
import type { Declared, Instruction, Stage, Statement } from './instruction.js';
import { type Directives, type Escape, type LogicalLine, linesOf } from './lines.js';
import { instructionNames, readerOf } from './statement.js';
import { type Command, commandOf, plainWords } from './words.js';

export interface Dockerfile {
  readonly directives: Directives;
  /** ARGs before the first FROM. */
  readonly globals: readonly Global[];
  readonly stages: readonly Stage[];
  readonly warnings: readonly Warning[];
  /** How each instruction is written, by its first line. */
  readonly writing: ReadonlyMap<number, Writing>;
}

/** How an instruction is written, beside what it means. */
export interface Writing {
  /** Its name in the file's own letters. */
  readonly command: string;
  /** The words after FROM: the base, `AS`, and the name. */
  readonly words: readonly string[];
  readonly start: number;
  readonly end: number;
  /** Comments right above it. */
  readonly comments: readonly string[];
}

export interface Global {
  readonly args: readonly Declared[];
  readonly text: string;
  readonly line: number;
}

export interface Warning {
  readonly line: number;
  readonly text: string;
  readonly url?: string;
}

/**
 * Reads a Dockerfile. Faults are told as Docker tells them: `dockerfile parse error on line 3: unknown instruction: FOO`.
 * @throws DockerfileFault
 */
export function readDockerfile(text: string): Dockerfile {
  if (text === '') throw fault('the Dockerfile cannot be empty');
  const { directives, lines, emptyContinuations } = linesOf(text);
  const globals: Global[] = [];
  const writing = new Map<number, Writing>();
  const stages: (Omit<Stage, 'instructions'> & { instructions: Instruction[] })[] = [];
  for (const line of lines) {
    const command = commandOf(line.text, directives.escape);
    const { start, end, comments } = line;
    const words = command.name.toUpperCase() === 'FROM' ? plainWords(command.rest) : [];
    writing.set(start, { command: command.name, words, start, end, comments });
    const read = withErrorLine(line.start, () =>
      command.name.toUpperCase() === 'FROM' ? stageOf(command, line) : statementOf(command, line, directives.escape),
    );
    const stage = stages.at(-1);
    if ('base' in read) stages.push({ ...read, instructions: [] });
    else if (stage) stage.instructions.push(read);
    else if (read.name === 'ARG') globals.push({ args: read.args, text: read.text, line: line.start });
    else throw new DockerfileFault('no build stage in current context', line.start);
  }
  if (stages.length === 0) throw fault('dockerfile contains no stages to build');
  const warnings = emptyContinuations.map((one) => ({
    line: one.line,
    text: `Empty continuation line found in: ${one.text}`,
    url: 'https://docs.docker.com/go/dockerfile/rule/no-empty-continuation/',
  }));
  return { directives, globals, stages, warnings, writing };
}

/** The instruction of an ONBUILD trigger, with the line of the FROM that runs it. @throws DockerfileFault */
export function readTrigger(text: string, line: number): Instruction {
  return atLine(line, () => {
    const { directives, lines } = linesOf(text);
    const [first, ...more] = lines;
    if (!first || more.length > 0) throw fault('onbuild trigger should be a single expression');
    const command = commandOf(first.text, directives.escape);
    return { ...statementOf(command, first, directives.escape), line };
  });
}

function statementOf(command: Command, line: LogicalLine, token: Escape): Instruction {
  const read = readerOf(command.name);
  if (!read) {
    throw fault(`unknown instruction: ${command.name}${didYouMean(command.name, instructionNames, true)}`);
  }
  const statement: Statement = read({ ...command, escape: token, heredocs: line.heredocs, text: line.text });
  return { ...statement, text: line.text.trim(), line: line.start };
}

function stageOf(command: Command, line: LogicalLine): Omit<Stage, 'instructions'> {
  const [base, as, name, ...more] = plainWords(command.rest);
  const isNamed = name !== undefined && more.length === 0 && as?.toLowerCase() === 'as';
  if (base === undefined || (as !== undefined && !isNamed)) {
    throw fault('FROM requires either one or three arguments');
  }
  const lower = name?.toLowerCase();
  if (lower !== undefined && !/^[a-z][a-z0-9-_.]*$/.test(lower)) {
    throw fault(
      `invalid name for build stage: ${JSON.stringify(name)}, name can't start with a number or contain symbols`,
    );
  }
  const { platform } = readFlags(command.flags, { platform: 'value' });
  return {
    base,
    ...(lower !== undefined && { name: lower }),
    ...(platform && { platform }),
    text: line.text.trim(),
    line: line.start,
  };
}

function withErrorLine<T>(line: number, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw new DockerfileFault(`dockerfile parse error on line ${line}: ${messageOf(error)}`, line, error);
  }
}
