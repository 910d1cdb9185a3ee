import { messageOf } from '@cleat/protocol/errors';
import type { Line } from './line-joiner.js';
import type { LokiOptions } from './options.js';

/** The outcome of a request. */
export type Answer = { taken: true } | { taken: false; again: boolean; why: string };

const answerMs = 10_000;
const longestReason = 200;

/** One request of Loki's push API in its JSON form (`POST /loki/api/v1/push`). Never throws. */
export async function push(options: LokiOptions, lines: readonly Line[], signal: AbortSignal): Promise<Answer> {
  const { url, headers, labels } = options;
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers,
      body: JSON.stringify({ streams: streamsOf(labels, lines) }),
      redirect: 'manual',
      signal: AbortSignal.any([signal, AbortSignal.timeout(answerMs)]),
    });
    const said = await firstOf(response.body);
    if (response.ok) return { taken: true };
    // Too many requests, or a fault of the server: another time it may take them. All else it will never take.
    const again = response.status === 429 || response.status >= 500;
    return { taken: false, again, why: `Loki answered ${response.status} ${said}`.trim() };
  } catch (error) {
    const cause = error instanceof Error ? (error.cause ?? error) : error;
    return { taken: false, again: true, why: `Loki does not answer: ${messageOf(cause)}` };
  }
}

/**
 * A stream for each source, with its lines in order; times are texts, because JSON's numbers are too short for them.
 */
function streamsOf(labels: LokiOptions['labels'], lines: readonly Line[]): object[] {
  return (['stdout', 'stderr'] as const).flatMap((source) => {
    const values = lines.filter((line) => line.source === source).map(({ timeNano, text }) => [`${timeNano}`, text]);
    return values.length > 0 ? [{ stream: { ...labels, source }, values }] : [];
  });
}

/** The beginning of what a server says, on one line; the rest is not read. */
async function firstOf(body: ReadableStream<Uint8Array> | null): Promise<string> {
  for await (const chunk of body ?? []) {
    return Buffer.from(chunk).toString('utf8').replace(/\s+/g, ' ').slice(0, longestReason);
  }
  return '';
}
