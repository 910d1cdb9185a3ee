import type { Duplex } from 'node:stream';
import { isClass, systemError } from '@cleat/protocol/errors';
import type { Client } from './client.js';
import { isObject, textAt } from './shapes.js';

/** Containers of builds have this label: what a killed engine left of them is found by it. */
export const buildLabel = 'io.cleat.builder.dockerfile.build';

export interface RunEnd {
  readonly code: number;
  /** Why it could not run, or not until its end. */
  readonly error: string;
}

/** Containers, as far as a build needs them. */
export class Containers {
  readonly #client: Client;

  constructor(client: Client) {
    this.#client = client;
  }

  async create(body: object, signal: AbortSignal): Promise<string> {
    return textAt(await this.#client.call('POST', '/containers/create', { body, signal }), 'Id');
  }

  /** Variables that are to be in memory only. */
  async hideVariables(id: string, variables: readonly string[], signal: AbortSignal): Promise<void> {
    const body = { Variables: variables };
    await this.#client.call('POST', '/build-records/variables', { query: { container: id }, body, signal });
  }

  /** Its output, from the beginning if it has not started yet. */
  async attach(id: string, signal: AbortSignal): Promise<Duplex> {
    const query = { stream: '1', stdout: '1', stderr: '1' };
    return await this.#client.hijack(`/containers/${id}/attach`, { query, signal });
  }

  async start(id: string, signal: AbortSignal): Promise<void> {
    await this.#client.call('POST', `/containers/${id}/start`, { signal });
  }

  async wait(id: string, signal: AbortSignal): Promise<RunEnd> {
    const answer = await this.#client.call('POST', `/containers/${id}/wait`, { signal });
    if (!isObject(answer)) throw systemError('the engine does not say how the container ended');
    const code = typeof answer.StatusCode === 'number' ? answer.StatusCode : 1;
    return { code, error: textAt(answer.Error, 'Message') };
  }

  /** With its volumes; that it is gone already is no error. */
  async remove(id: string): Promise<void> {
    try {
      await this.#client.call('DELETE', `/containers/${id}`, { query: { force: '1', v: '1' } });
    } catch (error) {
      if (!isClass(error, 'NotFound') && !isClass(error, 'Conflict')) throw error;
    }
  }

  /** Those of builds of before, by their label. */
  async left(): Promise<{ id: string; build: string }[]> {
    const filters = JSON.stringify({ label: [buildLabel] });
    const list = await this.#client.call('GET', '/containers/json', { query: { all: '1', filters } });
    if (!Array.isArray(list)) return [];
    return list.map((one: unknown) => {
      const labels = isObject(one) ? one.Labels : undefined;
      return { id: textAt(one, 'Id'), build: textAt(labels, buildLabel) };
    });
  }
}
