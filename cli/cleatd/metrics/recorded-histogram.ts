import { Histogram, type HistogramConfiguration } from 'prom-client';

/** A histogram that was counted elsewhere, for one set of labels. */
export interface Distribution {
  readonly labels: Readonly<Record<string, string>>;
  readonly count: number;
  /** In seconds. */
  readonly sum: number;
  /** Upper bound in seconds, or `+Inf`, and how many were at most that; cumulative. */
  readonly buckets: readonly (readonly [bound: string, count: number])[];
}

/** A histogram whose observations were made elsewhere: prom-client's own can only be filled one by one. */
export class RecordedHistogram extends Histogram {
  readonly #read: () => Distribution[];
  readonly #head: { name: string; help: string };

  constructor(configuration: HistogramConfiguration<string>, read: () => Distribution[]) {
    super(configuration);
    this.#read = read;
    this.#head = { name: configuration.name, help: configuration.help };
  }

  /** The source of `get` and of the registry's text; the library's types do not mention it (`lib/histogram.js`). */
  async getForPromString() {
    const { name, help } = this.#head;
    const values = this.#read().flatMap(({ labels, count, sum, buckets }) => [
      ...buckets.map(([le, value]) => ({ labels: { ...labels, le }, value, metricName: `${name}_bucket` })),
      { labels, value: sum, metricName: `${name}_sum` },
      { labels, value: count, metricName: `${name}_count` },
    ]);
    return { name, help, type: 'histogram', aggregator: 'sum', values };
  }
}
