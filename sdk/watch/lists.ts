import { isClass, unavailable } from '@cleat/protocol/errors';
import type { Engine } from './engine.js';
import type { Filters } from './events.js';
import { type ObjectKind, objectKinds, type Row } from './kinds.js';

/** Asks an engine what is there. */
export class Lists {
  readonly #engine: Engine;
  readonly #filters: ReadonlyMap<ObjectKind, Filters>;
  readonly #signal: AbortSignal;

  constructor(engine: Engine, filters: ReadonlyMap<ObjectKind, Filters>, signal: AbortSignal) {
    this.#engine = engine;
    this.#filters = filters;
    this.#signal = signal;
  }

  /** All objects of a kind that match the filters, by ID. */
  async all(kind: ObjectKind): Promise<Map<string, Row>> {
    return await this.#rows(kind, this.#filters.get(kind) ?? {});
  }

  /** Whether one object can be asked for without all others. */
  narrows(kind: ObjectKind): boolean {
    const { narrow } = objectKinds[kind];
    // Values of one filter are alternatives: ours would not narrow theirs.
    return narrow !== undefined && this.#filters.get(kind)?.[narrow] === undefined;
  }

  /** One object of a kind that narrows; undefined when it is not there or does not match. */
  async one(kind: ObjectKind, id: string): Promise<Row | undefined> {
    const { narrow = '' } = objectKinds[kind];
    return (await this.#rows(kind, { ...this.#filters.get(kind), [narrow]: [id] })).get(id);
  }

  /** undefined when it has gone meanwhile. */
  async inspect(kind: ObjectKind, id: string): Promise<Row | undefined> {
    const path = objectKinds[kind].inspect(encodeURIComponent(id));
    try {
      const answer = await this.#engine.get(path, { signal: this.#signal });
      if (isRow(answer)) return answer;
      throw unavailable(`the engine answered ${path} with something that is no object`);
    } catch (error) {
      if (isClass(error, 'NotFound')) return undefined;
      throw error;
    }
  }

  async #rows(kind: ObjectKind, filters: Filters): Promise<Map<string, Row>> {
    const { list, query, rows, id } = objectKinds[kind];
    const given = Object.keys(filters).length === 0 ? undefined : JSON.stringify(filters);
    const answer = await this.#engine.get(list, { query: { ...query, filters: given }, signal: this.#signal });
    const found = rows === undefined ? answer : isRow(answer) ? (answer[rows] ?? []) : undefined;
    if (!Array.isArray(found)) throw unavailable(`the engine answered ${list} with something that is no list`);
    const byId = new Map<string, Row>();
    for (const row of found as unknown[]) {
      const name = isRow(row) ? row[id] : undefined;
      if (!isRow(row) || typeof name !== 'string') {
        throw unavailable(`the engine answered ${list} with an object that has no ${id}`);
      }
      byId.set(name, row);
    }
    return byId;
  }
}

function isRow(value: unknown): value is Row {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
