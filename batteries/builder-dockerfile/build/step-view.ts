import { messageOf } from '@cleat/protocol/errors';
import type { BuildVertex } from '@cleat/protocol/kinds/builder';
import { isPending } from '../cache/imports.js';
import type { Lines } from './lines.js';

/** One step of a build, as it is shown. */
export class StepView {
  readonly #lines: Lines;
  #now: BuildVertex;

  constructor(lines: Lines, vertex: BuildVertex) {
    this.#lines = lines;
    this.#now = vertex;
  }

  get id(): string {
    return this.#now.ID;
  }

  /** Nothing is shown after it. */
  get isLast(): boolean {
    return this.#now.Step === this.#now.Steps;
  }

  async start(): Promise<void> {
    await this.#change({ Started: rightNow() });
  }

  async runsIn(container: string): Promise<void> {
    await this.#change({ Container: container });
  }

  /**
   * @param cached it was not done again
   * @param triggers how many of them follow
   */
  async done(image: string, cached = false, triggers = 0): Promise<void> {
    const now = rightNow();
    await this.#change({
      Started: this.#now.Started ?? now,
      Completed: now,
      ...(cached && { Cached: true }),
      ...(image !== '' && !isPending(image) && { Image: image }),
      ...(triggers > 0 && { Triggers: triggers }),
    });
  }

  async failed(error: unknown): Promise<void> {
    const now = rightNow();
    await this.#change({ Started: this.#now.Started ?? now, Completed: now, Error: messageOf(error) });
  }

  async log(stream: 1 | 2, data: Uint8Array): Promise<void> {
    const text = Buffer.from(data).toString('base64');
    await this.#lines.say({ Log: { Vertex: this.id, Stream: stream, Data: text } });
  }

  async status(
    id: string,
    status: { current?: number; total?: number; isDone?: boolean; started?: string },
  ): Promise<void> {
    await this.#lines.say({
      Status: {
        Vertex: this.id,
        ID: id,
        ...(status.current !== undefined && { Current: status.current }),
        ...(status.total !== undefined && { Total: status.total }),
        Started: status.started ?? rightNow(),
        ...(status.isDone && { Completed: rightNow() }),
      },
    });
  }

  async #change(change: Partial<BuildVertex>): Promise<void> {
    this.#now = { ...this.#now, ...change };
    await this.#lines.say({ Vertex: this.#now });
  }
}

/** RFC 3339, with nanoseconds as far as the clock has them. */
export function rightNow(): string {
  const millis = performance.timeOrigin + performance.now();
  const nanos = Math.floor((millis % 1000) * 1e6);
  return `${new Date(millis).toISOString().slice(0, 19)}.${String(nanos).padStart(9, '0')}Z`;
}
