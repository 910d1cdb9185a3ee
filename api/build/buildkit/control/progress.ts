import { createHash, randomBytes } from 'node:crypto';
import type { BuildLine } from '@cleat/engine/build/service';
import type { statusResponse } from '@cleat/protocol/buildkit/control';
import { messageOf } from '@cleat/protocol/errors';
import { toTimestamp } from '@cleat/protocol/grpc/common';
import type { MessageOf } from '@cleat/protocol/grpc/message';
import { asBuildKitSays } from '../frontend/failure.js';

export type Status = Partial<MessageOf<typeof statusResponse>>;

/** Updates that a reader may be behind before the build waits for it. */
const maxBehind = 2000;
/** Updates, and bytes of output in them, that are kept for a reader who comes late; of more, the oldest output is dropped. */
const maxKept = 10_000;
const maxKeptBytes = 32 * 1024 * 1024;
/** Characters of a file that go with each thing that is found in it. */
const maxShownText = 16 * 1024;

/**
 * The words of a build for all that watch it: from its beginning, whenever they come. A watcher that is slow slows the
 * build; nobody watching does not.
 */
export class Progress {
  readonly #kept: Status[] = [];
  /** Updates that were dropped before the first that is kept. */
  #dropped = 0;
  /** Bytes of output in what is kept. */
  #bytes = 0;
  readonly #readers = new Set<{ next: number }>();
  #ended = false;
  #changed = new Turn();
  readonly #salt = randomBytes(8).toString('hex');
  #steps = 0;
  /** The one stage of a Dockerfile is not named. */
  isSingleStage = false;
  /** The file that is built, and the step in which it came: what is found in it belongs to that. */
  definition: { readonly vertex: string; readonly name: string; readonly text?: string } = { vertex: '', name: '' };
  /** Vertices that are shown as others. */
  readonly #same = new Map<string, string>();

  /** Waits while a watcher is far behind. */
  async emit(status: Status): Promise<void> {
    if (this.#ended) return;
    this.#kept.push(status);
    this.#bytes += outputIn(status);
    this.#trim();
    this.#wake();
    while (!this.#ended && this.#isBehind()) {
      await this.#changed.come;
      this.#trim();
    }
  }

  /** Drops what is too much, as far as everybody who watches has had it. */
  #trim(): void {
    let had = Math.min(this.#end, ...[...this.#readers].map(({ next }) => next)) - this.#dropped;
    while (had > 0 && (this.#kept.length > maxKept || this.#bytes > maxKeptBytes)) {
      const at = this.#kept.findIndex(({ logs }) => logs !== undefined);
      const isOutput = at >= 0 && at < had;
      if (!isOutput && this.#kept.length <= maxKept) return;
      const [gone] = this.#kept.splice(isOutput ? at : 0, 1);
      this.#bytes -= gone ? outputIn(gone) : 0;
      this.#dropped++;
      had--;
    }
  }

  /** A reader has yet to take so much that the build waits: many updates, or more output than is kept. */
  #isBehind(): boolean {
    if (this.#readers.size === 0) return false;
    return this.#bytes > maxKeptBytes || [...this.#readers].some(({ next }) => this.#end - next > maxBehind);
  }

  end(): void {
    this.#ended = true;
    this.#wake();
  }

  /** Everything up to the end of the build. */
  async *watch(signal: AbortSignal): AsyncGenerator<Status> {
    const reader = { next: this.#dropped };
    const wake = (): void => this.#wake();
    this.#readers.add(reader);
    signal.addEventListener('abort', wake, { once: true });
    try {
      while (!signal.aborted) {
        const one = this.#kept[Math.max(0, reader.next - this.#dropped)];
        if (one) {
          reader.next++;
          yield one;
          this.#wake();
        } else if (this.#ended) {
          return;
        } else {
          await this.#changed.come;
        }
      }
    } finally {
      this.#readers.delete(reader);
      signal.removeEventListener('abort', wake);
      this.#wake();
    }
  }

  /** Bytes of output that are kept. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Steps so far, and warnings. */
  counts(): { total: number; done: number; cached: number; warnings: number } {
    const last = new Map(this.#kept.flatMap(({ vertexes = [] }) => vertexes.map((one) => [one.digest, one] as const)));
    const steps = [...last.values()];
    return {
      total: steps.length,
      done: steps.filter(({ completed }) => completed).length,
      cached: steps.filter(({ cached }) => cached).length,
      warnings: this.#kept.reduce((sum, { warnings = [] }) => sum + warnings.length, 0),
    };
  }

  get #end(): number {
    return this.#dropped + this.#kept.length;
  }

  #wake(): void {
    this.#changed.now();
    this.#changed = new Turn();
  }

  /** A step of the engine's own, shown like one of the build. */
  async step<T>(name: string, work: (report: Report, vertex: string) => Promise<T>): Promise<T> {
    const digest = this.digest(`step ${++this.#steps} ${name}`);
    const started = now();
    await this.emit({ vertexes: [{ digest, name, started }] });
    const report: Report = ({ id, current = 0, total = 0, done = false }) =>
      this.emit({
        statuses: [
          { ID: id, vertex: digest, current, total, timestamp: now(), started, ...(done && { completed: now() }) },
        ],
      });
    try {
      const result = await work(report, digest);
      await this.emit({ vertexes: [{ digest, name, started, completed: now() }] });
      return result;
    } catch (error) {
      await this.emit({ vertexes: [{ digest, name, started, completed: now(), error: messageOf(error) }] });
      throw error;
    }
  }

  /** A name as BuildKit's clients have it for vertices. */
  digest(id: string): string {
    return `sha256:${createHash('sha256').update(this.#salt).update(id).digest('hex')}`;
  }

  /** Passes on a line of the builder. */
  async line(line: BuildLine): Promise<void> {
    const { ID = '', Same, Error: failure } = line.Vertex ?? {};
    if (Same !== undefined && !failure) this.#same.set(ID, Same);
    else this.#same.delete(ID);
    if (!isHidden(line) && !this.#same.has(ID)) await this.emit(this.#translated(line));
  }

  #translated({ Vertex, Log, Status, Warning }: BuildLine): Status {
    if (Vertex) {
      const vertex = {
        digest: this.digest(Vertex.ID),
        inputs: (Vertex.Inputs ?? []).map((input) => this.digest(this.#same.get(input) ?? input)),
        name: vertexName(this.isSingleStage ? { ...Vertex, Stage: undefined } : Vertex),
        cached: Vertex.Cached ?? false,
        started: toTimestamp(Vertex.Started),
        completed: toTimestamp(Vertex.Completed),
        error: asBuildKitSays(Vertex.Error ?? ''),
      };
      return { vertexes: [vertex] };
    }
    if (Log) {
      const msg = Buffer.from(Log.Data, 'base64');
      return { logs: [{ vertex: this.digest(Log.Vertex), timestamp: now(), stream: Log.Stream ?? 1, msg }] };
    }
    if (Status) {
      const { Vertex: vertex, ID, Current = 0, Total = 0, Started, Completed } = Status;
      const [started, completed] = [toTimestamp(Started), toTimestamp(Completed)];
      return {
        statuses: [
          { ID, vertex: this.digest(vertex), current: Current, total: Total, timestamp: now(), started, completed },
        ],
      };
    }
    if (!Warning) return {};
    const text = (value = '') => Buffer.from(value);
    return {
      warnings: [
        {
          vertex: Warning.Vertex === undefined ? this.definition.vertex : this.digest(Warning.Vertex),
          level: 1,
          short: text(Warning.Short),
          detail: Warning.Detail ? [text(Warning.Detail)] : [],
          url: Warning.URL ?? '',
          ...(Warning.Line && this.#place(Warning.Line, Warning.EndLine ?? Warning.Line)),
        },
      ],
    };
  }

  /** Lines of the file, for clients that show them. */
  #place(first: number, last: number) {
    const { name, text } = this.definition;
    const data = text === undefined || text.length > maxShownText ? undefined : Buffer.from(text);
    return {
      ranges: [{ start: { line: first }, end: { line: last } }],
      ...(data && { info: { filename: name, data, language: 'Dockerfile' } }),
    };
  }
}

function outputIn({ logs = [] }: Status): number {
  return logs.reduce((sum, { msg }) => sum + (msg?.length ?? 0), 0);
}

/** A moment that some wait for. */
class Turn {
  now: () => void = () => {};
  readonly come = new Promise<void>((resolve) => {
    this.now = resolve;
  });
}

/** Tells of a step while it goes on. */
export type Report = (status: { id: string; current?: number; total?: number; done?: boolean }) => Promise<void>;

/** An instruction that makes no layer is none of BuildKit's steps, unless it is what has failed. */
function isHidden({ Vertex }: BuildLine): boolean {
  return Vertex?.StageSteps !== undefined && !Vertex.StageStep && !Vertex.Error;
}

/** `[build 2/5] RUN make`, as BuildKit names it. */
function vertexName(vertex: NonNullable<BuildLine['Vertex']>): string {
  const { Name, Expanded = Name, Stage, StageSteps } = vertex;
  const [step, steps] = StageSteps === undefined ? [vertex.Step, vertex.Steps] : [vertex.StageStep, StageSteps];
  if (!step || steps === undefined) return Expanded;
  return `[${Stage ? `${Stage} ` : ''}${`${step}`.padStart(`${steps}`.length)}/${steps}] ${Expanded}`;
}

function now(): { seconds: number; nanos: number } {
  const ms = Date.now();
  return { seconds: Math.floor(ms / 1000), nanos: (ms % 1000) * 1_000_000 };
}
