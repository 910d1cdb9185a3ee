import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decode, isRecord, parseJson } from '@cleat/protocol/json';
import { BuildLine, type BuildRequest, builderKind } from '@cleat/protocol/kinds/builder';
import { methodPath } from '@cleat/protocol/kinds/kind';
import { Finding, type Said } from '../../verify/finding.js';
import { complaintAbout } from '../../verify/readable-error.js';
import type { Trial } from '../../verify/trial.js';
import type { Manner } from '../../verify/wire.js';

export type BuilderTrial = Trial<typeof builderKind>;

export interface Context {
  readonly directory: string;
  /** Its files as they were when it was made. */
  readonly held: string;
}

/** A directory with a Dockerfile, which goes at the end. */
export function contextOf(trial: BuilderTrial): Context {
  const directory = mkdtempSync(join(tmpdir(), 'cleat-verify-context-'));
  trial.defer(async () => rmSync(directory, { recursive: true, force: true }));
  writeFileSync(join(directory, 'Dockerfile'), 'FROM scratch\nCOPY file /file\n');
  writeFileSync(join(directory, 'file'), 'content');
  return { directory, held: heldBy(directory) };
}

export function heldBy(directory: string): string {
  const names = readdirSync(directory).sort();
  return names.map((name) => `${name}: ${readFileSync(join(directory, name), 'utf8')}`).join('\n');
}

/** A build on an engine that nobody reaches: it fails, and what it says on the way can be looked at. */
export function orderOf(trial: BuilderTrial, { directory }: Context): BuildRequest {
  return {
    ID: trial.freshId().slice(0, 16),
    Engine: join(directory, 'no-engine.sock'),
    Context: directory,
    Dockerfile: join(directory, 'Dockerfile'),
    DockerfileName: 'Dockerfile',
  };
}

export async function built(trial: BuilderTrial, order: object, manner?: Manner): Promise<Said> {
  return await trial.send(methodPath(builderKind, 'Build'), order, manner);
}

/** The lines of an answer. @throws Finding for what an engine cannot read */
export function linesIn(said: Said): BuildLine[] {
  if (said.failure !== '') throw new Finding('an answer', said);
  const lines = said.text.split('\n').filter((line) => line !== '');
  return lines.map((line) => {
    let value: unknown;
    try {
      value = parseJson(line);
    } catch {
      throw new Finding('lines of JSON', said, `a line that is none: ${line.slice(0, 200)}`);
    }
    const members = isRecord(value) ? Object.keys(value) : [];
    if (members.length !== 1) throw new Finding('lines with one member each', said, `a line with ${members.length}`);
    try {
      return decode(BuildLine, value, 'Build');
    } catch (error) {
      throw new Finding('lines in the shape of the contract', said, String(error));
    }
  });
}

/** The build failed, and says why in words that a person understands. @returns them @throws Finding */
export function failureOf(said: Said): string {
  if (said.failure === '' && said.status !== 200) {
    const complaint = complaintAbout(builderKind, said);
    if (complaint !== undefined) throw new Finding('an error that a person understands', said, complaint);
    return said.text;
  }
  const last = linesIn(said).at(-1);
  if (last?.Error === undefined) throw new Finding('an Error as the last line', said);
  if (last.Error.Message.trim() === '') throw new Finding('an Error with words', said);
  return last.Error.Message;
}
