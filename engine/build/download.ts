import { Readable } from 'node:stream';
import { asCleatError, CleatError, invalidParameter } from '@cleat/protocol/errors';
import { owned } from '@cleat/protocol/guard';

/** A file of a web server, which a builder asked for. */
export interface Download {
  readonly content: Readable;
  /** Bytes, where the server says it. */
  readonly length?: number;
  /** `Last-Modified`. */
  readonly modified?: string;
}

/**
 * Gets a URL as the engine gets everything: through its proxies, and no server leads to this host, unless it is on it.
 * @throws InvalidParameter with the status that the server answers; what `openPage` throws
 */
export async function downloadOf(url: string, signal: AbortSignal): Promise<Download> {
  const { openPage } = await import('../distribution/page.js');
  let page: Awaited<ReturnType<typeof openPage>>;
  try {
    page = await openPage(url, signal);
  } catch (error) {
    const { class: name, message } = asCleatError(error);
    throw new CleatError(name, `cannot download ${url}: ${message}`, { cause: error });
  }
  const { answer } = page;
  if (answer.status < 200 || answer.status >= 300) {
    answer.drop();
    page[Symbol.dispose]();
    throw invalidParameter(`invalid response status ${answer.status} from ${url}`);
  }
  const content = owned(Readable.from(answer.body(), { objectMode: false }));
  content.once('close', () => page[Symbol.dispose]());
  const { length } = answer;
  const modified = answer.headers['last-modified'];
  return { content, ...(length !== undefined && { length }), ...(modified !== undefined && { modified }) };
}
