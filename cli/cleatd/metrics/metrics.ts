import type { Containers } from '@cleat/engine/containers/service';
import type { Page } from './page.js';
import { type MetricsAddress, serveMetrics } from './server.js';
import type { MetricsSources } from './sources.js';
import { timed } from './timed.js';

/**
 * Metrics of the engine, for Prometheus, under dockerd's names where dockerd has them. Prometheus' library takes
 * memory: it is loaded when somebody first wants to know, which may be long after the start.
 */
export class Metrics {
  /** The engine's containers, with the time that its actions take measured once there is a page. */
  readonly containers: Containers;
  readonly #sources: MetricsSources;
  readonly #closers: (() => Promise<void>)[] = [];
  #page: Promise<Page> | undefined;
  #observe: Page['observe'] = () => {};

  constructor(sources: MetricsSources) {
    this.#sources = sources;
    this.containers = timed(sources.engine.containers, (action, seconds) => this.#observe(action, seconds));
  }

  /** Serves the page. @returns where: HOST:PORT with the real port, or the socket's path. @throws Unavailable */
  async listen(address: MetricsAddress): Promise<string> {
    const server = await serveMetrics(await this.#opened(), address);
    this.#closers.push(server.close);
    return server.address;
  }

  /** Everything, in Prometheus' text format. */
  async text(): Promise<string> {
    return (await this.#opened()).text();
  }

  async close(): Promise<void> {
    await Promise.all(this.#closers.splice(0).map((close) => close()));
  }

  #opened(): Promise<Page> {
    this.#page ??= this.#open();
    return this.#page;
  }

  async #open(): Promise<Page> {
    const page = (await import('./page.js')).openPage(this.#sources);
    this.#observe = page.observe;
    return page;
  }
}
