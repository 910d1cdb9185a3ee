import type { statusResponse } from '@cleat/protocol/buildkit/control';
import { fromTimestamp } from '@cleat/protocol/grpc/common';
import type { MessageOf } from '@cleat/protocol/grpc/message';
import type { BuildLine, BuildVertex } from '@cleat/protocol/kinds/builder';

type Status = MessageOf<typeof statusResponse>;
type Time = Parameters<typeof fromTimestamp>[0];

/** Vertices that are known by their names, at most; those of an honest build are far fewer. */
const maxVertices = 100_000;

/** Tells what BuildKit says of a build in the words of the kind. */
export class Progress {
  /** Numbers of the instructions that have begun, by their vertices. */
  readonly #numbers = new Map<string, number>();
  readonly #instructions = new Set<string>();
  #failed: { vertex: string; command?: string } | undefined;

  *linesOf({ vertexes, statuses, logs, warnings }: Status): Generator<BuildLine> {
    for (const vertex of vertexes) {
      const { digest = '', name = '', started, completed, cached, error, inputs = [] } = vertex;
      const times = timesOf(started, completed);
      const known = this.#instruction(digest, name, times.Started !== undefined || times.Completed !== undefined);
      if (error) this.#failed = { vertex: digest, command: /^RUN (.*)$/s.exec(known.Name)?.[1] };
      const facts = { ...(cached && { Cached: true }), ...(error && { Error: error }) };
      yield { Vertex: { ID: digest, ...known, Inputs: inputs, ...times, ...facts } };
    }
    for (const { vertex = '', ID = '', name = '', current, total, started, completed } of statuses) {
      // Without anything to count there is no progress.
      if (!current && !total) continue;
      const counts = { ...(current && { Current: current }), ...(total && { Total: total }) };
      yield { Status: { Vertex: vertex, ID: ID || name, ...counts, ...timesOf(started, completed) } };
    }
    for (const { vertex = '', stream, msg = new Uint8Array(0) } of logs) {
      yield { Log: { Vertex: vertex, Stream: stream === 2 ? 2 : 1, Data: Buffer.from(msg).toString('base64') } };
    }
    for (const { vertex = '', short = new Uint8Array(0), detail = [], url, ranges = [] } of warnings) {
      const Detail = detail.map((each) => Buffer.from(each).toString('utf8')).join('\n');
      const Line = ranges[0]?.start?.line;
      const facts = { ...(Detail && { Detail }), ...(url && { URL: url }), ...(Line && { Line }) };
      yield { Warning: { Vertex: vertex, Short: Buffer.from(short).toString('utf8'), ...facts } };
    }
  }

  /** The step that failed, as it is told of the build. */
  failure(message: string, line: number | undefined): NonNullable<BuildLine['Error']> {
    const { vertex, command } = this.#failed ?? {};
    const code = /did not complete successfully: exit code: (\d+)/.exec(message)?.[1];
    const where = { ...(vertex !== undefined && { Vertex: vertex }), ...(line !== undefined && { Line: line }) };
    if (code === undefined || command === undefined) return { Message: message, ...where };
    const shell = /process "(.*)" did not complete successfully/s.exec(message)?.[1] ?? command;
    return { Message: `The command '${shell}' returned a non-zero code: ${code}`, Code: Number(code), ...where };
  }

  /** `[build 2/5] RUN make` is an instruction; what BuildKit does beside them is not. */
  #instruction(digest: string, name: string, hasBegun: boolean): { Name: string } & Partial<BuildVertex> {
    const [, stage, step, steps, text] = /^\[(?:(\S+) +)?(\d+)\/(\d+)\] (.*)$/s.exec(name) ?? [];
    if (text === undefined || this.#instructions.size > maxVertices) return { Name: name };
    this.#instructions.add(digest);
    if (hasBegun && !this.#numbers.has(digest)) this.#numbers.set(digest, this.#numbers.size + 1);
    return {
      Name: text,
      Step: this.#numbers.get(digest),
      Steps: this.#instructions.size,
      ...(stage !== undefined && { Stage: stage }),
      StageStep: Number(step),
      StageSteps: Number(steps),
    };
  }
}

function timesOf(started: Time, completed: Time): { Started?: string; Completed?: string } {
  const [Started, Completed] = [fromTimestamp(started), fromTimestamp(completed)];
  return { ...(Started && { Started }), ...(Completed && { Completed }) };
}
